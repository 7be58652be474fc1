"""Published tables with our numbers in them, and tables that show what is there."""

import json
import os
import re

import pandas as pd
import pytest
import yaml

from stillroom.published_numbers import COLUMNS

NUMBERS = f"""{",".join(COLUMNS)}
paper,Table 1,bm25,wiki/dev,RR@10,0.184,0.003,100,43,1:50,,,1,1000,read,
paper,Table 1,dot,wiki/dev,RR@10,0.344,0.003,100,43,1:50,,,1,1000,read,
paper,Table 1,ance,wiki/dev,RR@10,0.330,0.003,100,43,1:50,,,1,1000,read,
paper,Table 1,dot,wiki/else,nDCG@10,0.410,0.003,100,43,1:50,,,1,1000,read,
"""
LAYOUT = """
title: Table 1
numbers: [{source: paper}]
label_columns: [model]
baseline: bm25
columns:
  Dev: {test_set: wiki/dev, measures: [RR@10], retrained: {RR@10: 0.05}}
  Else: {test_set: wiki/else, measures: [nDCG@10]}
rows: {bm25: [BM25], dot: [Dot], ance: [ANCE]}
"""
EXPERIMENT = """
experiment: small
corpora: {wiki: {dataset: wiki}}
test_sets: {dev: {corpus: wiki, dataset: wiki/dev}, other: {corpus: wiki, dataset: wiki/other}}
training_sets: {triples: {corpus: wiki, dataset: wiki/train}}
bm25: {okapi: {k1: 0.9, b: 0.4}}
encoders: {tiny: {weights: a/folder}}
training: {short: {steps: 100}}
rankers:
  student: {architecture: bert_dot, encoder: tiny, loss: ranknet, training: short, seeds: [1, 2]}
  theirs: {architecture: bert_dot, encoder: tiny}
indexes: {exact: {}}
measures: [RR@10, nDCG@10]
published: {numbers: [numbers.csv]}
paper_tables:
  table_1:
    layout: layout.yaml
    rows: {bm25: {bm25: okapi}, dot: {ranker: student, way: exact}}
    references: {dot: {ranker: theirs, way: exact}}
tables:
  main:
    title: Main
    test_sets: [dev, other]
    measures: [RR@10]
    rows: [{label: BM25, bm25: okapi}, {label: Student, ranker: student, way: exact}]
length_tables:
  by_length: {title: By length, test_set: dev, measure: RR@10, passage_words: [20], rows: [{label: BM25, bm25: okapi}]}
efficiency_tables:
  costs: {title: Costs, test_set: dev, rows: [{label: Student, ranker: student, index: exact}]}
search_tables:
  search: {title: Search, test_set: dev, ranker: student, measures: [RR@10], reference: exact,
           rows: [{label: Flat, index: exact}]}
"""
FORMATS = ("csv", "md", "tex", "html")
TABLES = ("table_1", "main", "by_length", "costs", "search")


@pytest.fixture
def small(project):
    """The project with a published table of one's own."""
    project.write("config.yaml", EXPERIMENT)
    project.write("numbers.csv", NUMBERS)
    project.write("layout.yaml", LAYOUT)
    return project


def write_metrics(project, test_set, system, mean):
    """What is measured of a system."""
    path = project.folder / f"results/small/metrics/{test_set}/{system}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    by_query = {f"q{number}": mean + (number % 3 - 1) * 0.1 for number in range(42)}
    measures = {name: {"mean": mean, "by_query": by_query} for name in ("RR@10", "nDCG@10")}
    facts = {"passages": 100, "queries": 43, "judgements": "1:50", "min_relevance": 1, "depth": 1000}
    facts |= {"query_ids": "1a", "qrels": "2b"}
    path.write_text(json.dumps({"system": system, "test_set": test_set, "measures": measures, **facts}))


def markdown(project, table):
    return project.read(f"results/small/tables/{table}.md")


def test_tables_alone_show_that_nothing_has_run_and_start_nothing(small):
    plan = small.plan("--", "tables")
    assert set(plan.rules) == {
        "tables",
        *(f"make_{kind}table" for kind in ("", "length_", "efficiency_", "search_", "paper_")),
    }
    status, text = small.snakemake("--cores", "1", "--", "tables")
    assert status == 0, text
    for table in TABLES:
        for kind in FORMATS:
            assert (small.folder / f"results/small/tables/{table}.{kind}").exists()
        target = f"results/small/tables/{table}.md"
        said = f"- Nothing of this table has been measured yet; the target {target} makes all of it."
        assert said in markdown(small, table)
    assert small.plan("--", "tables").jobs == []


def test_a_table_is_made_anew_when_more_of_it_is_there_and_names_what_is_not(small):
    status, text = small.snakemake("--cores", "1", "--", "tables")
    assert status == 0, text
    write_metrics(small, "dev", "okapi", 0.1839)
    plan = small.plan("--", "tables")
    assert set(plan.rules) == {"tables", "make_table", "make_length_table", "make_paper_table"}
    status, text = small.snakemake("--cores", "1", "--", "tables")
    assert status == 0, text
    missing = [
        f"results/small/metrics/{name}.json" for name in ("dev/student/seed-1/exact", "dev/student/seed-2/exact")
    ]
    assert f"Not measured yet: Dot, which the targets {', '.join(missing)} will bring." in markdown(small, "table_1")
    assert "Not measured yet: BM25, which the target results/small/metrics/other/okapi.json will" in markdown(
        small, "main"
    )
    table = pd.read_csv(small.folder / "results/small/tables/table_1.csv")
    assert table["verdict"].fillna("").tolist() == ["same", "", "", ""]


def test_all_makes_everything_that_a_published_table_shows(small):
    plan = small.plan("--", "results/small/tables/table_1.md")
    measured = sorted((job["test_set"], job["system"]) for job in plan.wildcards("measure"))
    ours = [("dev", f"student/seed-{seed}/exact") for seed in (1, 2)]
    assert measured == [("dev", "okapi"), *ours, ("dev", "theirs/seed-1/exact")]
    assert plan.wildcards("compare_runs") == [{"paper_table": "table_1", "row": "dot", "test_set": "dev"}]
    assert plan.trained == ["student/seed-1", "student/seed-2"]
    assert "results/small/comparisons/table_1/dot/dev.json" in plan.text


def test_runs_are_not_compared_where_some_of_the_publications_queries_are_left_out(small):
    whole = "dev: {corpus: wiki, dataset: wiki/dev}"
    assert whole in EXPERIMENT
    small.write("config.yaml", EXPERIMENT.replace(whole, whole.replace("}", ", without: [wiki/else]}")))
    plan = small.plan("--", "results/small/tables/table_1.md")
    assert "compare_runs" not in plan.rules
    measured = {job["system"] for job in plan.wildcards("measure")}
    assert measured == {"okapi", "student/seed-1/exact", "student/seed-2/exact"}


def test_what_is_outdated_is_redone_before_it_is_shown_unless_its_age_alone_counts(small):
    small.finish()
    small.write("config.yaml", EXPERIMENT.replace("steps: 100", "steps: 200"))
    assert small.plan("--", "tables").trained == ["student/seed-1", "student/seed-2"]
    assert small.plan("--rerun-triggers", "mtime", "--", "tables").jobs == []


def test_the_explorer_shows_the_systems_of_published_tables_too(small):
    text = small.plan("--", "results/small/report.html").text
    inputs = re.search(r"rule make_report:\n    input: (.*)\n", text)[1]
    assert "results/small/runs/dev/theirs/seed-1/exact.trec" in inputs
    assert "results/small/runs/other/theirs/seed-1/exact.trec" not in inputs


def test_runs_are_compared_with_the_publications_and_trained_rankers_have_their_own_tolerance(small):
    small.finish("results/small/tables/table_1.md")
    folder = small.folder / "results/small"
    for system, mean in (("okapi", 0.18), ("student/seed-1/exact", 0.32), ("student/seed-2/exact", 0.33)):
        write_metrics(small, "dev", system, mean)
    write_metrics(small, "dev", "theirs/seed-1/exact", 0.34)
    for system in ("student/seed-1/exact", "student/seed-2/exact", "theirs/seed-1/exact"):
        lines = [f"q{query} Q0 p{place} {place} {9 - place}.0 run\n" for query in range(42) for place in (1, 2, 3)]
        (folder / f"runs/dev/{system}.trec").write_text("".join(lines))
    status, text = small.snakemake("--cores", "1", "--touch", "--forceall", "--", "results/small/tables/table_1.md")
    assert status == 0, text
    for path in [*(folder / "tables").iterdir(), folder / "comparisons/table_1/dot/dev.json"]:
        path.unlink()
    status, text = small.snakemake("--cores", "1", "--", "results/small/tables/table_1.md")
    assert status == 0, text
    found = json.loads((folder / "comparisons/table_1/dot/dev.json").read_text())
    assert found["rank_biased_overlap"] == pytest.approx(1) and found["tau_union"] == 1
    assert found["measures"]["RR@10"]["margin"] == 0.05 and found["measures"]["RR@10"]["equivalence_p"] < 0.05
    table = pd.read_csv(folder / "tables/table_1.csv")
    assert table["verdict"].fillna("").tolist() == ["off", "reproduced", "", ""]
    assert small.plan("--", "results/small/tables/table_1.md").jobs == []


def test_what_a_table_is_made_of_keeps_its_place_in_all(small):
    small.finish()
    assert small.plan().jobs == [] and small.plan("--", "tables").jobs == []
    (small.folder / "results/small/metrics/other/okapi.json").unlink()
    assert set(small.plan("--", "tables").rules) == {"tables", "make_table"}


MISTAKES = {
    "a row that the layout has not": (
        {"paper_tables.table_1.rows": {"dott": {"bm25": "okapi"}}},
        "paper_tables.table_1.rows.dott: 'dott' is not one of bm25, dot, ance.",
    ),
    "a reference without a row": (
        {"paper_tables.table_1.rows": {"bm25": {"bm25": "okapi"}}},
        "paper_tables.table_1.references.dot: 'dot' is not one of bm25.",
    ),
    "a layout that is not there": (
        {"paper_tables.table_1.layout": "none.yaml"},
        "paper_tables.table_1.layout: none.yaml: there is no such file.",
    ),
    "a name that is not shipped": (
        {"paper_tables": {"table_2": {}}},
        "paper_tables.table_2: 'table_2' is not one of beir_published, dpr_natural_questions, ",
    ),
    "a way that is none": (
        {"paper_tables.table_1.rows.dot.way": "exactly"},
        "paper_tables.table_1.rows.dot.way: 'exactly' is not one of exact, rerank.",
    ),
    "a test set that the table has not": (
        {"paper_tables.table_1.test_sets": ["other"]},
        "paper_tables.table_1.test_sets: expected some with the data sets wiki/dev, wiki/else.",
    ),
    "a table with the name of another": (
        {"paper_tables": {"main": {"layout": "layout.yaml"}}},
        "paper_tables.main: a table has this name; choose another.",
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_ends_with_one_sentence(small, what):
    changes, sentence = MISTAKES[what]
    small.configure(changes)
    status, text = small.snakemake("--dry-run", "--", "tables")
    assert status != 0 and sentence in text and "Traceback" not in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ("1,dot,wiki/dev", "1,dott,wiki/dev"),
            "numbers.csv, line 3: found the system 'dott', expected one of bm25, dot, a",
        ),
        (("0.344", "high"), "numbers.csv, line 3: found 'high' as value, expected a number such as 0.344."),
        (
            (",ance,", ",dot,"),
            "numbers.csv, line 4: found paper, Table 1, dot, wiki/dev, RR@10 again, expected every cell once.",
        ),
    ],
)
def test_a_broken_file_of_numbers_ends_with_its_line(small, change, sentence):
    small.write("numbers.csv", NUMBERS.replace(*change))
    status, text = small.snakemake("--dry-run", "--", "tables")
    assert status != 0 and sentence in text and "Traceback" not in text


def test_msmarcos_tables_show_what_there_is_at_once(project):
    names = [*project.config("experiments/msmarco.yaml")["paper_tables"]]
    before = os.times()
    plan = project.plan("--configfile", "experiments/msmarco.yaml", "--", "tables")
    after = os.times()
    assert {job["paper_table"] for job in plan.wildcards("make_paper_table")} == set(names)
    assert not {"measure", "train_ranker", "fetch_collection"} & plan.rules.keys()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 5


def test_every_shipped_layout_is_in_an_experiment(project):
    used = set()
    for path in (project.folder / "experiments").glob("*.yaml"):
        used |= (yaml.safe_load(path.read_text(encoding="utf-8")).get("paper_tables") or {}).keys()
    assert used == {path.stem for path in (project.folder / "workflow/published/tables").glob("*.yaml")}
