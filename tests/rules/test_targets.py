"""What is a target: every table of every experiment, and any metrics file."""

import csv
import itertools
import os
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ["config.yaml", *sorted(f"experiments/{path.name}" for path in (ROOT / "experiments").glob("*.yaml"))]
METRICS = "results/pydocs/metrics/dev"


def named_systems(table):
    """Every system in the rows and expectations of a table."""
    sides = [
        side for expectation in table.get("expectations", []) for side in (expectation["better"], expectation["than"])
    ]
    return [*table["rows"], *sides]


def expected_metrics(config):
    """`<test_set>/<system>` of everything that a table shows."""
    found = set()
    for table in config.get("tables", {}).values():
        found |= {(test_set, run) for test_set in table["test_sets"] for run in runs(config, named_systems(table))}
    for table in config.get("length_tables", {}).values():
        found |= {(table["test_set"], run) for run in runs(config, named_systems(table))}
    return found | expected_searches(config) | expected_of_papers(config)


def expected_of_papers(config):
    """(test set, run) of every row and every reference of a published table, where the row has a number.

    References are compared on whole test sets only, not on those without some of their queries.
    """
    with_number = set()
    for file in (ROOT / "workflow/published").glob("*.csv"):
        for cell in csv.DictReader(file.open(encoding="utf-8")):
            with_number.add((cell["source"], cell["system"], cell["test_set"], cell["measure"]))
    found = set()
    for name, table in config.get("paper_tables", {}).items():
        layout = yaml.safe_load((ROOT / f"workflow/published/tables/{name}.yaml").read_text(encoding="utf-8"))
        named = [
            *((False, *row) for row in table.get("rows", {}).items()),
            *((True, *row) for row in table.get("references", {}).items()),
        ]
        for (whole, row, system), column in itertools.product(named, layout["columns"].values()):
            measures = set(column["measures"]) & set(config["measures"])
            numbers = {
                (numbers["source"], row, column["test_set"], measure)
                for numbers in layout["numbers"]
                for measure in measures
            }
            same = [
                key
                for key, value in config["test_sets"].items()
                if key in table.get("test_sets", [key])
                and value["dataset"] == column["test_set"]
                and not (whole and {"without", "queries"} & value.keys())
            ]
            if numbers & with_number:
                found |= {(test_set, run) for test_set in same for run in runs(config, [system])}
    return found


def expected_searches(config):
    """(test set, run) of every row of a search table."""
    found, first = set(), f"seed-{config.get('seeds', [1])[0]}"
    for table in config.get("search_tables", {}).values():
        found |= {(table["test_set"], f"{table['ranker']}/{first}/{row['index']}") for row in table["rows"]}
    return found


def expected_costs(config):
    """(test set, ranker) of every row of an efficiency table."""
    tables = config.get("efficiency_tables", {}).values()
    return {(table["test_set"], row["ranker"]) for table in tables for row in table["rows"]}


def runs(config, systems):
    """The runs of some systems: a ranker has one per seed, one that is used as it is only that of the first."""
    for system in systems:
        if "bm25" in system:
            yield system["bm25"]
        elif "teacher" in system:
            yield f"{system['teacher']}/rerank"
        for ranker in system.get("rankers", [system["ranker"]] if "ranker" in system else []):
            yield from (f"{ranker}/seed-{seed}/{system['way']}" for seed in seeds_of(config, config["rankers"][ranker]))


def is_trained(ranker):
    """Whether a ranker learns."""
    return bool(ranker.get("loss") or ranker.get("in_batch"))


def seeds_of(config, ranker):
    """The seeds that a ranker has in tables: all, and more of its own."""
    seeds = config.get("seeds", [1])
    return {*seeds, *(ranker.get("seeds") or [])} if is_trained(ranker) else seeds[:1]


def expected_rankers(config):
    """`<ranker>/seed-<n>` of everything that a table shows, and of what it learns from: those with the first seed."""
    waiting, found, first = set(), set(), f"seed-{config.get('seeds', [1])[0]}"
    for _, run in expected_metrics(config):
        name, *way = run.split("/")
        if len(way) == 2:
            waiting.add((name, way[0]))
        elif way:
            waiting |= {(member, first) for member in config["teachers"][name]["average"]}
    waiting |= {(ranker, first) for _, ranker in expected_costs(config)}
    while waiting:
        found.add(ranker := waiting.pop())
        parents = {(name, first) for name in parents_of(config, ranker[0])}
        waiting |= parents - found
    return sorted("/".join(ranker) for ranker in found if is_trained(config["rankers"][ranker[0]]))


def parents_of(config, name):
    """What a ranker learns from."""
    ranker = config["rankers"][name]
    if ranker.get("teacher"):
        yield from config["teachers"][ranker["teacher"]].get("average", [])
    if "clustering" in ranker:
        yield config["clusterings"][ranker["clustering"]]["ranker"]
    if "in_batch" in ranker:
        yield ranker["in_batch"]["teacher"]
    if "loss" in ranker:
        sets = config["training_sets"]
        negatives = sets[ranker.get("training_set", next(iter(sets)))].get("negatives", {})
        if isinstance(negatives.get("from"), dict):
            yield negatives["from"]["ranker"]
    if "validation_candidates" in ranker:
        yield ranker["validation_candidates"]["ranker"]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_table_of_every_experiment_resolves_with_the_jobs_that_its_rows_need(project, experiment):
    config = project.config(experiment)
    plan = project.plan("--configfile", experiment, "--", "all")

    assert {job["table"] for job in plan.wildcards("make_table")} == set(config.get("tables", {}))
    assert {job["length_table"] for job in plan.wildcards("make_length_table")} == set(config.get("length_tables", {}))
    efficiency_tables = {job["efficiency_table"] for job in plan.wildcards("make_efficiency_table")}
    assert efficiency_tables == set(config.get("efficiency_tables", {}))
    assert {job["paper_table"] for job in plan.wildcards("make_paper_table")} == set(config.get("paper_tables", {}))
    costs = {(job["test_set"], job["ranker"]) for job in plan.wildcards("measure_efficiency")}
    assert costs == expected_costs(config)
    searches = plan.wildcards("measure_search")
    searched = {(job["test_set"], f"{job['ranker']}/seed-{job['seed']}/{job['index']}") for job in searches}
    assert searched == expected_searches(config)
    measured = {(job["test_set"], job["system"]) for job in plan.wildcards("measure")}
    assert measured == expected_metrics(config)
    assert plan.rules["measure"] == len(measured)
    assert plan.trained == expected_rankers(config)

    ways = [run.split("/")[-1] for _, run in measured if run.count("/") == 2]
    reranked = {(test_set, run) for test_set, run in measured if run.endswith("/rerank") and run.count("/") == 2}
    ensembles = [(test_set, run.removesuffix("/rerank")) for test_set, run in measured if run.count("/") == 1]
    for test_set, teacher in ensembles:
        seed = config.get("seeds", [1])[0]
        reranked |= {(test_set, f"{name}/seed-{seed}/rerank") for name in config["teachers"][teacher]["average"]}
    assert plan.rules.get("rerank", 0) == len(reranked)
    assert plan.rules.get("average_runs", 0) == len(ensembles)
    assert plan.rules.get("retrieve", 0) == len(ways) - ways.count("rerank")
    assert plan.rules["check_overlap"] == len({test_set for test_set, _ in measured})

    sets = config.get("training_sets", {}) if plan.trained else {}
    sampled = [name for name, training_set in sets.items() if "negatives" in training_set]
    assert {job["training_set"] for job in plan.wildcards("sample_triples")} <= set(sampled)
    extracted = [name for name, training_set in sets.items() if "triples_of" in training_set]
    assert {job["training_set"] for job in plan.wildcards("extract_triples")} <= set(extracted)
    assert {job["training_set"] for job in plan.wildcards("fetch_triples")} <= set(sets) - set(sampled + extracted)
    triples = sum(plan.rules.get(rule, 0) for rule in ("sample_triples", "extract_triples", "fetch_triples"))
    assert triples == plan.rules.get("audit_triples", 0) > 0 or not plan.trained
    assert not (project.folder / "results").exists()


def test_a_student_may_be_validated_on_what_another_finds_which_is_then_made_first(project):
    candidates = {"ranker": "bert_dot", "index": "exact"}
    project.configure({"rankers.tas_b.validation_candidates": candidates, "rankers.tas_b.seeds": [7, 8]})
    student = "results/pydocs/rankers/tas_b/seed-7/model.safetensors"
    plan = project.plan("--", student)
    assert "bert_dot/seed-1" in plan.trained and "tas_b/seed-7" in plan.trained
    found = {"training_set": "triples", "ranker": "bert_dot", "seed": "1", "index": "exact"}
    assert plan.wildcards("retrieve_validation_candidates") == [found]
    assert {"ranker": "bert_dot", "seed": "1", "corpus": "pydocs"} in plan.wildcards("encode_passages")
    queries = {"query_set": "training_sets/triples/validation", "ranker": "bert_dot", "seed": "1"}
    assert queries in plan.wildcards("encode_queries")
    assert {job["seed"] for job in project.plan().wildcards("train_ranker") if job["ranker"] == "tas_b"} == {
        "1",
        "7",
        "8",
    }


def test_the_default_experiment_needs_every_rule_but_those_for_what_it_does_without(project):
    rules = set(project.plan().rules)
    scripts = {path.stem for path in (ROOT / "workflow" / "scripts").glob("*.py")}
    given = {"fetch_triples", "extract_triples", "fetch_scores", "join_scores"}
    given |= {"fetch_candidates", "import_candidates", "compare_published", "explain_cell"}
    given |= {"make_paper_table", "compare_runs"}
    others = {"average_runs", "measure_efficiency", "make_efficiency_table"}
    others |= {"measure_index", "measure_search", "make_search_table", "plot_search", "plot_costs"}
    others |= {"retrieve_negatives", "retrieve_validation_candidates"}
    others |= {"download_dataset", "choose_passages"}
    others |= {"encode_shard", "join_vectors", "score_shard", "join_pair_scores"}
    assert rules == (scripts - given - others) | {"all"}


def test_negatives_of_a_rankers_own_retrieval_need_it_trained_and_its_index(project):
    found = {"ranker": "bert_dot", "index": "exact"}
    own = {**project.config()["training_sets"]["triples"]}
    own["negatives"] = {**own["negatives"], "from": found}
    rankers = project.config()["rankers"]
    changes = {f"rankers.{name}.training_set": "triples" for name, ranker in rankers.items() if "loss" in ranker}
    project.configure(
        changes
        | {
            "training_sets.own": own,
            "clusterings.topics.training_set": "triples",
            "rankers.harder": {**rankers["bert_dot"], "training_set": "own"},
        }
    )
    plan = project.plan("--", "results/pydocs/rankers/harder/seed-1/model.safetensors")
    assert plan.trained == ["bert_dot/seed-1", "harder/seed-1"]
    assert plan.wildcards("retrieve_negatives") == [{"training_set": "own"}]
    searched = sorted((job["training_set"], job["part"]) for job in plan.wildcards("search_candidates"))
    assert searched == [("own", "/validation"), ("triples", ""), ("triples", "/validation")]
    assert plan.rules["build_index"] == plan.rules["encode_queries"] == 1


def test_the_published_scores_of_ms_marco_are_downloaded_once_each_and_bring_the_triples(project):
    student = "results/msmarco/rankers/{}/seed-1/model.safetensors"
    targets = [student.format(name) for name in ("bert_dot_t1", "bert_dot_margin_mse")]
    plan = project.plan("--configfile", "experiments/msmarco.yaml", "--", *targets)
    downloads = [{"teacher": name, "suffix": "tsv"} for name in ("t1", "t2")]
    assert sorted(plan.wildcards("fetch_scores"), key=str) == downloads
    assert plan.wildcards("extract_triples") == [{"training_set": "triples_small"}]
    joined = [{"teacher": name, "training_set": "triples_small"} for name in ("t1", "t2")]
    assert sorted(plan.wildcards("join_scores"), key=str) == joined
    assert not {"score_triples", "average_scores", "fetch_triples"} & set(plan.rules)
    assert plan.trained == ["bert_dot_margin_mse/seed-1", "bert_dot_t1/seed-1"]


def test_dev_49k_waits_for_the_validation_queries_that_it_leaves_out(project):
    target = "results/msmarco/test_sets/dev_49k/overlap.json"
    plan = project.plan("--configfile", "experiments/msmarco.yaml", "--", target)
    fetched = {job["query_set"] for job in plan.wildcards("fetch_queries")}
    assert {"test_sets/dev_49k", "training_sets/triples_small/validation"} <= fetched
    downloads = [(job["dataset"], job["part"]) for job in plan.wildcards("download_dataset")]
    names = ["dev/judged", "dev/small", "train", "train/judged"]
    queries = [f"msmarco-passage/{name}" for name in names]
    assert sorted(downloads) == [("msmarco-passage", "raw"), *((name, "queries") for name in queries)]


def test_a_sample_is_chosen_before_the_collection_is_read(project):
    target = "results/msmarco_rehearsal/corpora/msmarco/passages.parquet"
    plan = project.plan("--configfile", "experiments/msmarco_rehearsal.yaml", "--", target)
    assert plan.wildcards("choose_passages") == [{"corpus": "msmarco"}]
    assert plan.wildcards("fetch_scores") == [{"teacher": "t2", "suffix": "tsv"}]
    assert plan.rules["fetch_collection"] == 1
    judged = {job["dataset"] for job in plan.wildcards("download_dataset") if job["part"] == "queries"}
    assert judged == {
        f"msmarco-passage/{name}"
        for name in ("dev/judged", "dev/small", "train/judged", "trec-dl-2019/judged", "trec-dl-2020/judged")
    }


def test_titles_and_texts_are_indexed_apart_where_a_bm25_searches_them_so(project):
    runs = [f"results/beir/runs/arguana/{bm25}.trec" for bm25 in ("joined", "two_fields")]
    plan = project.plan("--configfile", "experiments/beir.yaml", "--", *runs)
    indexes = sorted((job["corpus"], job["fields"]) for job in plan.wildcards("index_bm25"))
    assert indexes == [("arguana", ""), ("arguana", "_fields")]
    assert plan.rules["fetch_collection"] == 1


def test_a_dry_run_of_all_of_ms_marco_takes_less_than_five_seconds(project):
    before = os.times()
    project.plan("--configfile", "experiments/msmarco.yaml", "--", "all")
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 5


def test_a_score_file_is_read_where_it_lies(project):
    project.configure({"teachers.cat_and_colbert": {"scores": "own/scores.tsv.gz"}})
    target = "results/pydocs/rankers/bert_dot_margin_mse/seed-1/model.safetensors"
    status, text = project.snakemake("--dry-run", "--", target)
    assert status != 0 and "Missing input files for rule join_scores" in text and "own/scores.tsv.gz" in text

    (project.folder / "own").mkdir()
    project.write("own/scores.tsv.gz", "")
    plan = project.plan("--", target)
    assert plan.trained == ["bert_dot_margin_mse/seed-1"]
    assert plan.rules["join_scores"] == plan.rules["sample_triples"] == 1
    assert not {"fetch_scores", "score_triples", "average_scores"} & set(plan.rules)


def test_any_metrics_file_is_a_target(project):
    systems = ["bm25", "tas_b/seed-1/exact", "bert_cat/seed-7/rerank", "tas_b/seed-7/rerank"]
    plan = project.plan("--", *(f"{METRICS}/{system}.json" for system in systems))
    assert {(job["test_set"], job["system"]) for job in plan.wildcards("measure")} == {
        ("dev", name) for name in systems
    }
    learnt_from = ["bert_cat/seed-1", "bert_dot_margin_mse/seed-1", "colbert/seed-1"]
    assert plan.trained == sorted([*learnt_from, "bert_cat/seed-7", "tas_b/seed-1", "tas_b/seed-7"])
    assert not {"make_table", "make_length_table", "all"} & set(plan.rules)


@pytest.mark.parametrize(
    "target",
    [
        f"{METRICS}/tasb/seed-1/exact.json",
        f"{METRICS}/tas_b/seed-one/exact.json",
        f"{METRICS}/bert_cat/seed-1/exact.json",  # a cross-encoder has no vectors to search
        f"{METRICS}/read/rerank.json",  # a score file has no scores of candidates
    ],
)
def test_a_metrics_file_that_cannot_be_is_refused(project, target):
    project.configure({"teachers.read": {"scores": "own/scores.tsv"}})
    status, text = project.snakemake("--dry-run", "--", target)
    assert status != 0
    assert f"No rule to produce {target}" in text or "Missing input files for rule" in text
    assert "Traceback" not in text


def test_a_checkpoint_is_a_row_that_retrieves_and_one_that_re_ranks_and_a_teacher(project):
    ranker = {"encoder": "minilm", "checkpoint": "owner/name", "revision": "c0ffee"}
    rows = [("published_dot", "exact"), ("published_dot", "rerank"), ("published_cat", "rerank")]
    project.configure(
        {
            "seeds": [1, 2],
            "rankers.published_dot": {"architecture": "bert_dot", **ranker},
            "rankers.published_cat": {"architecture": "bert_cat", **ranker},
            "teachers.published": {"average": ["published_cat"]},
            "rankers.bert_dot_margin_mse.teacher": "published",
            "tables.main.expectations": [],
            "tables.main.rows": [{"label": way, "ranker": name, "way": way} for name, way in rows],
        }
    )
    plan = project.plan("--", "results/pydocs/tables/main.md")
    published = [{"ranker": name, "seed": "1"} for name in ("published_cat", "published_dot")]
    assert sorted(plan.wildcards("export_ranker"), key=str) == published
    assert plan.trained == []
    assert {(job["ranker"], job["seed"]) for job in plan.wildcards("rerank")} == {
        ("published_cat", "1"),
        ("published_dot", "1"),
    }
    (retrieved, *_) = plan.wildcards("retrieve")
    assert (retrieved["ranker"], retrieved["seed"], retrieved["index"]) == ("published_dot", "1", "exact")

    student = project.plan("--", "results/pydocs/rankers/bert_dot_margin_mse/seed-2/model.safetensors")
    assert student.wildcards("export_ranker") == [{"ranker": "published_cat", "seed": "1"}]
    assert student.trained == ["bert_dot_margin_mse/seed-2"]


SMALL = """
experiment: small
corpora: {wiki: {dataset: wiki}}
test_sets: {dev: {corpus: wiki, dataset: wiki/dev}, other: {corpus: wiki, dataset: wiki/other}}
bm25: {okapi: {k1: 0.9, b: 0.4}}
measures: [RR@10]
tables: {main: {title: Main, test_sets: [dev], measures: [RR@10], rows: [{label: BM25, bm25: okapi}]}}
"""


def test_an_experiment_file_replaces_the_default_one_and_a_second_file_varies_it(project):
    project.write("small.yaml", SMALL)
    alone = project.plan("--configfile", "small.yaml", "--", "all")
    once = ["fetch_collection", "index_bm25", "fetch_queries", "check_overlap", "search_bm25", "measure", "make_table"]
    assert alone.rules == dict.fromkeys([*once, "plot_rules", "make_report", "all"], 1) | {"download_dataset": 2}
    assert "results/pydocs" not in alone.text

    status, text = project.snakemake(
        "--dry-run", "--configfile", "small.yaml", "--", f"{METRICS}/tas_b/seed-1/exact.json"
    )
    assert status != 0 and "No rule to produce" in text

    project.write("variation.yaml", "tables: {main: {test_sets: [other, dev]}}\n")
    varied = project.plan("--configfile", "small.yaml", "variation.yaml", "--", "all")
    twice = ["fetch_queries", "check_overlap", "search_bm25", "measure"]
    assert varied.rules == alone.rules | dict.fromkeys(twice, 2) | {"download_dataset": 3}


def test_a_file_without_an_experiment_varies_the_default_one(project):
    project.write("mine.yaml", yaml.safe_dump({"seeds": [1, 2]}))
    plan = project.plan("--configfile", "mine.yaml", "--", "all")
    assert {job["seed"] for job in plan.wildcards("train_ranker")} == {"1", "2"}
    assert "results/pydocs/tables/main.md" in plan.text
