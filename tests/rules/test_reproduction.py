"""Published numbers beside ours: what runs for them, and what does not; candidates of one's own."""

import json
import os

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from stillroom.published_numbers import COLUMNS

NUMBERS = f"""{",".join(COLUMNS)}
paper,Table 1,their_bm25,wiki/dev,RR@10,0.184,0.003,100,43,1:50,,,1,1000,read,
paper,Table 1,their_dot,wiki/dev,RR@10,0.344,0.003,100,43,1:50,,,1,1000,read,
paper,Table 1,their_dot,wiki/other,nDCG@10,0.410,0.003,100,43,1:50,,,1,1000,read,
"""
EXPERIMENT = """
experiment: small
corpora: {wiki: {dataset: wiki}}
test_sets: {dev: {corpus: wiki, dataset: wiki/dev}, other: {corpus: wiki, dataset: wiki/other}}
training_sets:
  triples:
    {corpus: wiki, dataset: wiki/train, triples_of: theirs, validation: {dataset: wiki/validation, candidates: okapi}}
bm25: {okapi: {k1: 0.9, b: 0.4}}
reranking: {candidates: okapi}
rerankings:
  official:
    candidates:
      dev: {file: "https://server/top1000.tar.gz"}
      other: {file: own.trec}
encoders: {tiny: {weights: a/folder}}
training: {short: {steps: 100}}
rankers:
  cross: {architecture: bert_cat, encoder: tiny, loss: ranknet, training: short}
  dot: {architecture: bert_dot, encoder: tiny, loss: margin_mse, teacher: own, training: short}
  dot_theirs: {architecture: bert_dot, encoder: tiny, loss: margin_mse, teacher: theirs, training: short}
  published_dot: {architecture: bert_dot, encoder: tiny}
teachers: {own: {average: [cross]}, theirs: {scores: scores.tsv}}
indexes: {exact: {}}
measures: [RR@10, nDCG@10]
published:
  numbers: [numbers.csv]
  rows:
    - {label: BM25, bm25: okapi, published: their_bm25}
    - {label: Dot, ranker: published_dot, way: exact, published: their_dot}
ladders:
  dot:
    ranker: dot
    way: rerank
    test_set: dev
    measure: RR@10
    published: {system: their_dot, candidates: official, teacher: theirs, ranker: published_dot}
"""
TRAINS = {"train_ranker", "score_triples", "average_scores", "join_scores", "extract_triples", "fetch_scores"}


@pytest.fixture
def small(project):
    """The project with published numbers of one's own."""
    project.write("config.yaml", EXPERIMENT)
    project.write("numbers.csv", NUMBERS)
    for name in ("own.trec", "scores.tsv"):
        project.write(name, "")
    return project


def measured(plan):
    """(test set, system) of what is measured."""
    return sorted((job["test_set"], job["system"]) for job in plan.wildcards("measure"))


def test_msmarcos_published_numbers_need_no_training(project):
    plan = project.plan("--configfile", "experiments/msmarco.yaml", "--", "reproduce_published")
    config = project.config("experiments/msmarco.yaml")
    assert not TRAINS & plan.rules.keys()
    assert plan.rules["compare_published"] == 1
    systems = {system for _, system in measured(plan)}
    assert systems == {
        f"{row['ranker']}/seed-1/{row['way']}" if "ranker" in row else row["bm25"]
        for row in config["published"]["rows"]
    }
    assert {job["ranker"] for job in plan.wildcards("export_ranker")} == {
        row["ranker"] for row in config["published"]["rows"] if "ranker" in row
    }


def test_msmarcos_ladders_train_what_is_ours_and_use_what_is_published(project):
    plan = project.plan("--configfile", "experiments/msmarco.yaml", "--", "explain")
    ladders = project.config("experiments/msmarco.yaml")["ladders"]
    assert {job["ladder"] for job in plan.wildcards("explain_cell")} == set(ladders)
    trained = {name.removesuffix("/seed-1") for name in plan.trained}
    assert {ladder["ranker"] for ladder in ladders.values()} <= trained
    assert {job["ranker"] for job in plan.wildcards("export_ranker")} == {
        ladder["published"]["ranker"] for ladder in ladders.values()
    }
    candidates = {ladder["published"].get("candidates") for ladder in ladders.values()} - {None}
    assert {job["reranking"] for job in plan.wildcards("import_candidates")} == candidates


def write_metrics(project, means):
    """Metrics files in the place of those that are there, as old as they; (test set, system) → RR@10 and nDCG@10."""
    conditions = {"passages": 100, "queries": 43, "judgements": "1:50", "min_relevance": 1, "depth": 1000}
    for (test_set, system), values in means.items():
        path = project.folder / f"results/small/metrics/{test_set}/{system}.json"
        when = path.stat().st_mtime_ns
        measures = {name: {"mean": value} for name, value in zip(("RR@10", "nDCG@10"), values, strict=True)}
        content = {"system": system, "test_set": test_set, "measures": measures, **conditions}
        path.write_text(json.dumps({**content, "query_ids": "1a", "qrels": "2b"}))
        os.utime(path, ns=(when, when))


def test_only_what_is_published_is_measured_and_only_there(small):
    plan = small.plan("--", "reproduce_published")
    assert measured(plan) == [
        ("dev", "okapi"),
        ("dev", "published_dot/seed-1/exact"),
        ("other", "published_dot/seed-1/exact"),
    ]
    assert not TRAINS & plan.rules.keys()
    assert small.plan().rules["compare_published"] == 1  # it is one of the tables


def test_a_ladder_needs_its_rungs(small):
    plan = small.plan("--", "results/small/ladders/dot.md")
    assert measured(plan) == [
        ("dev", "dot/seed-1/official"),
        ("dev", "dot/seed-1/rerank"),
        ("dev", "dot_theirs/seed-1/official"),
        ("dev", "published_dot/seed-1/official"),
    ]
    assert plan.trained == ["cross/seed-1", "dot/seed-1", "dot_theirs/seed-1"]
    assert plan.wildcards("fetch_candidates") == [{"reranking": "official", "test_set": "dev"}]
    assert plan.rules["import_candidates"] == 1


def test_candidates_of_ones_own_are_read_where_they_lie(small):
    plan = small.plan("--", "results/small/metrics/other/published_dot/seed-1/official.json")
    assert plan.wildcards("import_candidates") == [{"reranking": "official", "test_set": "other"}]
    assert "fetch_candidates" not in plan.rules and "search_bm25" not in plan.rules


def test_an_ensemble_re_ranks_other_candidates_too(small):
    plan = small.plan("--", "results/small/metrics/other/own/official.json")
    assert plan.wildcards("average_runs") == [{"test_set": "other", "teacher": "own", "reranking": "official"}]
    assert [job["reranking"] for job in plan.wildcards("rerank")] == ["official"]


def test_an_experiment_without_published_numbers_or_ladders_says_so(project):
    for target, key in (("reproduce_published", "published.rows"), ("explain", "ladders")):
        status, text = project.snakemake("--dry-run", "--", target)
        assert status != 0 and f"{key}: missing; name the " in text


def test_a_number_that_changes_compares_anew_and_one_that_is_not_used_does_not(small):
    small.finish()
    assert small.plan().jobs == []
    small.write("numbers.csv", NUMBERS.replace("0.344", "0.347"))
    plan = small.plan()
    assert plan.rules == {"compare_published": 1, "all": 1}
    small.write("numbers.csv", NUMBERS + NUMBERS.splitlines()[1].replace("their_bm25", "another") + "\n")
    assert small.plan().jobs == []


def test_a_depth_or_a_file_of_candidates_re_ranks_anew_what_it_is_about(small):
    config = yaml.safe_load(EXPERIMENT)
    table = {"title": "A", "test_sets": ["other"], "measures": ["RR@10"]}
    rows = [{"label": way, "ranker": "published_dot", "way": way} for way in ("official", "rerank")]
    config["tables"] = {"main": {**table, "rows": rows}}
    small.write("config.yaml", yaml.safe_dump(config, sort_keys=False))
    small.finish()
    assert small.plan().jobs == []
    small.configure({"rerankings.official.depth": 50})
    plan = small.plan()
    assert [job["reranking"] for job in plan.wildcards("rerank")] == ["official"]
    assert plan.rules["import_candidates"] == 1


def test_the_table_of_published_numbers_is_made_of_metrics_files_alone(small):
    small.finish("reproduce_published")
    dot = "published_dot/seed-1/exact"
    write_metrics(small, {("dev", "okapi"): (0.1839, 0.2), ("dev", dot): (0.35, 0.4), ("other", dot): (0.3, 0.412)})
    (small.folder / "results/small/tables/reproduction.csv").unlink()
    status, text = small.snakemake("--cores", "1", "--", "reproduce_published")
    assert status == 0, text
    table = pd.read_csv(small.folder / "results/small/tables/reproduction.csv")
    assert table["system"].tolist() == ["okapi", dot, dot]
    assert table["test_set"].tolist() == ["dev", "dev", "other"]
    assert table["verdict"].tolist() == ["same", "off", "within tolerance"]
    assert table["difference"].tolist() == [-0.0001, 0.006, 0.002]
    assert "Verdicts: same 1, within tolerance 1, off 1," in small.read("results/small/tables/reproduction.md")
    assert small.plan("--", "reproduce_published").jobs == []


def test_no_number_on_a_sample_of_the_passages_is_held_against_a_published_one(small):
    small.configure({"corpora.wiki.sample": {"share": 0.5}})
    small.finish("reproduce_published")
    dot = "published_dot/seed-1/exact"
    write_metrics(small, {("dev", "okapi"): (0.184, 0.2), ("dev", dot): (0.344, 0.4), ("other", dot): (0.3, 0.41)})
    (small.folder / "results/small/tables/reproduction.csv").unlink()
    status, text = small.snakemake("--cores", "1", "--", "reproduce_published")
    assert status == 0, text
    table = pd.read_csv(small.folder / "results/small/tables/reproduction.csv")
    assert set(table["verdict"]) == {"not comparable"} and table["difference"].isna().all()
    assert set(table["reason"]) == {"only a sample of the passages is searched here"}


def test_a_ladder_is_made_of_metrics_files_alone(small):
    small.finish("explain")
    rungs = ["dot/seed-1/rerank", "dot/seed-1/official", "dot_theirs/seed-1/official", "published_dot/seed-1/official"]
    values = [0.300, 0.305, 0.335, 0.343]
    write_metrics(small, {("dev", rung): (value, 0) for rung, value in zip(rungs, values, strict=True)})
    (small.folder / "results/small/ladders/dot.csv").unlink()
    status, text = small.snakemake("--cores", "1", "--", "explain")
    assert status == 0, text
    ladder = pd.read_csv(small.folder / "results/small/ladders/dot.csv")
    assert ladder["rung"].tolist() == ["ours", "candidates", "teacher", "ranker", "published"]
    assert ladder["value"].tolist() == [*values, 0.344]
    assert ladder["difference"].tolist()[1:] == [0.005, 0.03, 0.008, 0.001]
    said = "it is +.0440. Most of it, +.0300 (68%), comes with the teacher's scores."
    assert said in small.read("results/small/ladders/dot.md")


def test_a_file_of_candidates_becomes_a_run_of_the_test_sets_queries(small):
    folder = small.folder / "results/small"
    for path, key, ids in [
        ("corpora/wiki/passages.parquet", "passage_id", ["p1", "p2"]),
        ("test_sets/other/queries.parquet", "query_id", ["q1", "q2"]),
    ]:
        (folder / path).parent.mkdir(parents=True)
        pq.write_table(pa.table({key: ids, "text": ids}), folder / path)
    small.write("own.trec", "q2 Q0 p1 1 2.5 mine\nq2 Q0 p2 2 7.5 mine\nq7 Q0 p2 1 1.0 mine\n")
    target = "results/small/candidates/official/other.trec"
    status, text = small.snakemake("--cores", "1", "--", target)
    assert status == 0, text
    assert small.read(target) == "q2 Q0 p2 1 7.5 official\nq2 Q0 p1 2 2.5 official\n"
    assert "1 lines of other queries are left out" in small.read("results/small/logs/candidates/official/other.log")
