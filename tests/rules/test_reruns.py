"""What a change reruns: exactly what depends on it."""

import ast
import json
import os
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from stillroom.runs import Ranking, write_qrels, write_run

RESULTS = "results/pydocs"
USES_SHORT = ["bert_dot", "bert_dot_margin_mse", "colbert", "tas_b"]
USES_MARGIN_MSE = ["bert_dot_margin_mse", "tas_b"]
TRAINED = ["bert_cat", *USES_SHORT]
ALL_TABLES = ["make_length_table", "make_table"]
RUN_FIGURES = {"plot_gains", "plot_scores"}  # of what is measured, and of runs
CLUSTER_FIGURES = {"draw_batches", "plot_margins", "plot_clusters"}

# What follows from new weights of a ranker, up to its runs.
TO_RUNS = {"encode_passages", "encode_queries", "build_index", "retrieve", "rerank"}
TO_TABLES = {*TO_RUNS, "measure", "make_table", "make_length_table", "make_report", "all"}
TRAINING_FIGURES = {"plot_training", *RUN_FIGURES, *CLUSTER_FIGURES}


def first_seed(rankers):
    """The rankers as a plan names them."""
    return [f"{ranker}/seed-1" for ranker in rankers]


def compared(project, rule):
    """What Snakemake recorded of a rule's outputs, as far as it compares it."""
    files = [path for path in (project.folder / ".snakemake" / "metadata").rglob("*") if path.is_file()]
    records = [record for path in files if (record := json.loads(path.read_text()))["rule"] == rule]
    keys = ("params", "input", "log", "code", "shellcmd")
    return sorted(str([record[key] for key in keys]) for record in records)


def test_a_second_run_has_nothing_to_do(finished):
    plan = finished.plan()
    assert plan.jobs == []
    assert "missing provenance" not in plan.text
    assert finished.plan("--configfile", "config.yaml", "--", "all").jobs == []


def test_a_finished_job_is_compared_like_one_that_really_ran(finished):
    folder, metrics = finished.folder / RESULTS, "metrics/dev/bm25.json"
    names = ("test_sets/dev/queries.parquet", "test_sets/dev/qrels.txt", "runs/dev/bm25.trec")
    inputs = [folder / name for name in (*names, "corpora/pydocs/passages.parquet")]
    times = [path.stat().st_mtime_ns for path in inputs]
    pq.write_table(pa.table({"query_id": ["q1"], "text": ["a"]}), inputs[0])
    pq.write_table(pa.table({"passage_id": ["p1", "p2"], "text": ["a", "b"]}), inputs[3])
    write_qrels(inputs[1], [("q1", "p1", 1)])
    write_run(inputs[2], [Ranking("q1", ["p1", "p2"], [2.0, 1.0])], "bm25")
    for path, when in zip(inputs, times, strict=True):
        os.utime(path, ns=(when, when))
    (folder / metrics).unlink()
    touched = compared(finished, "measure")

    status, text = finished.snakemake("--cores", "1", "--", f"{RESULTS}/{metrics}")
    assert status == 0, text
    assert json.loads((folder / metrics).read_text())["measures"]["RR@10"]["mean"] == 1
    assert compared(finished, "measure") == touched
    assert finished.plan("--", f"{RESULTS}/{metrics}").jobs == []

    finished.configure({"test_sets.dev.min_relevance": 2})
    plan = finished.plan("--", f"{RESULTS}/{metrics}", f"{RESULTS}/metrics/dev/tas_b/seed-1/exact.json")
    assert plan.changed() == plan.rules == {"measure": 2}


# (what is set, the jobs whose own parameters change, the rankers trained anew, the rules that run, the tables).
# None where some of those jobs also get new inputs, which is then the reason that Snakemake gives.
SETTINGS = {
    "in-batch weight of one ranker": (
        {"rankers.tas_b.in_batch.weight": 0.5},
        {"train_ranker": 1},
        ["tas_b"],
        {"train_ranker", "plot_training", *RUN_FIGURES, *TO_TABLES} - {"rerank"},
        ALL_TABLES,
    ),
    "loss of one ranker": (
        {"rankers.bert_dot.loss": "margin_mse", "rankers.bert_dot.teacher": "cat_and_colbert"},
        None,
        ["bert_dot"],
        {"train_ranker", "plot_training", "plot_rules", *RUN_FIGURES, *TO_TABLES} - {"rerank", "make_length_table"},
        ["make_table"],
    ),
    "training block of several rankers": (
        {"training.short.weight_decay": 0.5},
        None,
        USES_SHORT,
        {"train_ranker", "score_triples", "average_scores", "cluster_queries", *TO_TABLES, *TRAINING_FIGURES},
        ALL_TABLES,
    ),
    "training block of the teacher": (
        {"training.teaching.weight_decay": 0.5},
        {"train_ranker": 1},
        ["bert_cat", *USES_MARGIN_MSE],
        {"train_ranker", "score_triples", "average_scores", "cluster_queries", *TO_TABLES, *TRAINING_FIGURES},
        ALL_TABLES,
    ),
    "length limit of the encoder": (
        {"encoders.minilm.passage_tokens": 95},
        None,
        TRAINED,
        {"export_ranker", "train_ranker", "score_triples", "average_scores", "cluster_queries"}
        | {*TO_TABLES, *TRAINING_FIGURES},
        ALL_TABLES,
    ),
    "number of clusters": (
        {"clusterings.topics.clusters": 39},
        {"cluster_queries": 1},
        ["tas_b"],
        {"cluster_queries", "train_ranker", *TO_TABLES, *TRAINING_FIGURES} - {"rerank"},
        ALL_TABLES,
    ),
    "smallest relevant judgement": (
        {"test_sets.graded.min_relevance": 1},
        {"measure": 8},
        [],
        {"measure", "make_table", "plot_gains", "make_report", "all"},
        ["make_table"],
    ),
    "depth of re-ranking": (
        {"reranking.depth": 49},
        {"rerank": 6},
        [],
        {"rerank", "measure", *ALL_TABLES, *RUN_FIGURES, "make_report", "all"},
        ALL_TABLES,
    ),
    "factory of an index": (
        {"indexes.exact.factory": "HNSW32"},
        {"build_index": 4},
        [],
        {"build_index", "retrieve", "measure", *ALL_TABLES, *RUN_FIGURES, "make_report", "all"},
        ALL_TABLES,
    ),
    "title of a table": (
        {"tables.main.title": "Another"},
        {"make_table": 1, "plot_gains": 2},
        [],
        {"make_table", "plot_gains", "make_report", "all"},
        ["make_table"],
    ),
}


@pytest.mark.parametrize("what", SETTINGS)
def test_a_changed_setting_reruns_what_reads_it_and_what_follows(finished, what):
    settings, changed, trained, rules, tables = SETTINGS[what]
    finished.configure(settings)
    plan = finished.plan()
    assert plan.trained == first_seed(trained)
    assert set(plan.rules) == rules
    assert sorted(rule for rule in plan.rules if rule in ALL_TABLES) == tables
    if changed is not None:
        assert plan.changed() == changed
    if trained:
        made = {*trained, *(job["ranker"] for job in plan.wildcards("export_ranker"))}
        assert {job["ranker"] for rule in TO_RUNS for job in plan.wildcards(rule)} == made


def test_comments_docstrings_formatting_and_new_times_rerun_nothing(finished):
    workflow = finished.folder / "workflow"
    for path in sorted((workflow / "scripts").rglob("*.py")):
        path.write_text("# Rewritten.\n" + reworded(path.read_text(encoding="utf-8")), encoding="utf-8")
    finished.append(finished.library("log"), "NEW = True")  # how progress is shown changes no result
    finished.append("workflow/rules/rankers.smk", "# a comment")
    soon = time.time() + 60
    for path in [*workflow.rglob("*.*"), finished.folder / "Snakefile", finished.folder / "config.yaml"]:
        os.utime(path, (soon, soon))
    assert finished.plan().jobs == []


def reworded(code):
    """The same code without comments, in the formatting of `ast.unparse`, with other docstrings."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body[0] = ast.Expr(ast.Constant("Other words."))
    return ast.unparse(ast.fix_missing_locations(tree))


def test_comments_order_and_written_out_defaults_of_the_config_rerun_nothing(finished):
    config = finished.config()
    config["rankers"] = {name: dict(reversed(ranker.items())) for name, ranker in reversed(config["rankers"].items())}
    config["retrieval"] = {"depth": 1000}
    finished.write("config.yaml", "# Rewritten.\n" + yaml.safe_dump(dict(reversed(config.items())), sort_keys=False))
    assert finished.plan().jobs == []


def test_an_edited_loss_retrains_the_rankers_that_use_it_and_what_follows(finished):
    finished.append(finished.library("losses/margin_mse"), "CHANGED = True")
    plan = finished.plan()
    assert plan.trained == first_seed(USES_MARGIN_MSE)
    assert set(plan.changed()) == {"train_ranker"}
    assert set(plan.rules) == {"train_ranker", "cluster_queries", *TO_TABLES, *TRAINING_FIGURES}
    assert {job["ranker"] for rule in TO_RUNS for job in plan.wildcards(rule)} == set(USES_MARGIN_MSE)


def test_an_edit_accepted_for_some_rankers_still_retrains_the_others_that_use_it(finished):
    finished.append(finished.library("losses/margin_mse"), "CHANGED = True")
    accepted = [f"{RESULTS}/rankers/{ranker}/model.safetensors" for ranker in first_seed(USES_MARGIN_MSE[:1])]
    clusters = f"{RESULTS}/query_clusters/topics.parquet"
    status, text = finished.snakemake("--touch", "--cores", "1", "--", *accepted, clusters)
    assert status == 0, text
    plan = finished.plan("--", f"{RESULTS}/rankers/tas_b/seed-1/model.safetensors")
    assert [(job.rule, job.wildcards["ranker"]) for job in plan.jobs] == [("train_ranker", "tas_b")]
    assert plan.changed() == {"train_ranker": 1}


def test_an_edited_architecture_retrains_its_rankers_and_those_that_learn_from_them(finished):
    finished.append(finished.library("architectures/colbert"), "CHANGED = True")
    plan = finished.plan()
    assert plan.trained == first_seed(["bert_dot_margin_mse", "colbert", "tas_b"])
    assert not {"search_bm25", "sample_triples", "audit_triples"} & set(plan.rules)


def test_a_new_loss_reruns_nothing(finished):
    finished.write(finished.library("losses/unused"), finished.read(finished.library("losses/ranknet")))
    assert finished.plan().jobs == []


def test_an_edited_script_reruns_its_rule_and_what_follows(finished):
    finished.append("workflow/scripts/measure.py", "CHANGED = True")
    plan = finished.plan()
    assert plan.changed() == {"measure": 16}
    assert set(plan.rules) == {"measure", "plot_gains", *ALL_TABLES, "make_report", "all"}


def test_an_edited_check_of_the_data_retrains_nothing_and_hides_no_other_change(finished):
    finished.append(finished.library("audit"), "CHANGED = True")
    plan = finished.plan()
    assert plan.trained == []
    assert plan.rules["audit_triples"] == 1 and plan.rules["check_overlap"] == 2

    finished.configure({"training.short.weight_decay": 0.5, "test_sets.dev.min_relevance": 2})
    plan = finished.plan()
    assert plan.trained == first_seed(USES_SHORT)
    bm25 = {"test_set": "dev", "system": "bm25"}
    assert bm25 in plan.wildcards("measure")


NEW = {
    "rankers.new": {"architecture": "bert_dot", "encoder": "minilm", "loss": "ranknet", "training": "short"},
}
NEW_ROW = {"label": "New", "ranker": "new", "way": "exact"}


def test_a_new_ranker_and_row_add_only_their_own_jobs(finished):
    rows = finished.config()["tables"]["main"]["rows"]
    finished.configure({**NEW, "tables.main.rows": [*rows, NEW_ROW]})
    plan = finished.plan()
    own = {"train_ranker": 1, "encode_passages": 1, "build_index": 1, "encode_queries": 2, "retrieve": 2, "measure": 2}
    drawn = {"plot_gains": 2, "plot_training": 1, "plot_rules": 1}
    assert plan.rules == {**own, **drawn, "make_table": 1, "make_report": 1, "all": 1}
    assert plan.trained == ["new/seed-1"]


def test_a_ranker_without_a_row_adds_nothing(finished):
    finished.configure(NEW)
    assert finished.plan().jobs == []


def test_a_new_encoder_tokenizes_the_passages_and_trains_no_other_ranker(finished):
    config = finished.config()
    finished.configure(
        {
            **NEW,
            "rankers.new.encoder": "other",
            "encoders.other": {**config["encoders"]["minilm"], "passage_tokens": 80},
            "tables.main.rows": [*config["tables"]["main"]["rows"], NEW_ROW],
        }
    )
    plan = finished.plan()
    assert plan.trained == ["new/seed-1"]
    assert plan.rules["tokenize_passages"] == 1 and "audit_triples" not in plan.rules


def test_other_validation_candidates_are_retrieved_and_retrain_their_ranker_only(finished):
    finished.configure({"rankers.tas_b.validation_candidates": {"ranker": "bert_dot", "index": "exact"}})
    plan = finished.plan()
    assert plan.trained == ["tas_b/seed-1"]
    figures = {"plot_training", "plot_rules", *RUN_FIGURES}
    assert set(plan.rules) == {"retrieve_validation_candidates", "train_ranker", *figures, *TO_TABLES} - {"rerank"}
    assert {job["ranker"] for job in plan.wildcards("encode_passages")} == {"tas_b"}  # the other's index is there


def test_seeds_of_one_ranker_add_its_own_trainings_only(finished):
    finished.configure({"rankers.tas_b.seeds": [1, 2]})
    assert finished.plan().trained == ["tas_b/seed-2"]


def test_another_seed_adds_its_own_rankers_only(finished):
    finished.configure({"seeds": [1, 2]})
    plan = finished.plan()
    assert plan.trained == sorted(f"{ranker}/seed-2" for ranker in TRAINED)
    assert not {"cluster_queries", "score_triples", "export_ranker"} & plan.rules.keys()
    assert all(job["system"].split("/")[1] == "seed-2" for job in plan.wildcards("measure"))
