"""What figures show, as far as the config says."""

from pathlib import Path

import pytest
import yaml

from stillroom.config_check import check_config
from stillroom.config_figures import (
    batch_settings,
    cluster_figures,
    cost_figures,
    cost_settings,
    gain_figures,
    gain_settings,
    margin_figures,
    rankers_behind,
    score_figures,
    score_settings,
    trained_behind,
    what_runs,
)

ROOT = Path(__file__).parents[2]


def config_of(file, **changes):
    """The checked config of an experiment, with some sections replaced."""
    config = yaml.safe_load((ROOT / file).read_text("utf-8")) | changes
    return check_config(config, ROOT / "workflow/schemas/config.schema.yaml")


@pytest.fixture(scope="module")
def default():
    return config_of("config.yaml")


@pytest.fixture(scope="module")
def grid():
    return config_of("experiments/pydocs_grid.yaml")


@pytest.fixture(scope="module")
def msmarco():
    return config_of("experiments/msmarco.yaml")


def test_rankers_are_those_of_the_tables_and_what_they_learn_from_with_their_seeds():
    rankers = {
        name: {
            "architecture": "bert_dot",
            "encoder": "minilm",
            "loss": "margin_mse",
            "teacher": teacher,
            "training": "short",
        }
        for name, teacher in {"student": "by_cat", "idle": "by_cat"}.items()
    }
    cat = {"architecture": "bert_cat", "encoder": "minilm", "loss": "ranknet", "training": "short"}
    row = {"label": "Student", "ranker": "student", "way": "exact"}
    config = config_of(
        "config.yaml",
        rankers={"plain": {"architecture": "bert_dot", "encoder": "minilm"}, "cat": cat, **rankers},
        teachers={"by_cat": {"average": ["cat"]}},
        seeds=[3, 4],
        clusterings={},
        length_tables={},
        tables={"main": {"title": "A", "test_sets": ["dev"], "measures": ["RR@10"], "rows": [row]}},
        search_tables={
            "search": {"title": "A", "test_set": "dev", "ranker": "plain", "measures": ["RR@10"], "reference": "exact",
                       "rows": [{"label": "A", "index": "exact"}]}
        },
    )  # fmt: skip
    assert rankers_behind(config) == {"plain": [3], "cat": [3], "student": [3, 4]}
    assert trained_behind(config) == {"cat": [3], "student": [3, 4]}
    assert what_runs(config)["learns_from"] == {"plain": [], "cat": [], "student": ["cat"]}
    assert gain_figures(config) == []  # nothing to compare with


def test_gains_are_those_of_all_rows_against_the_first_bm25(default):
    assert gain_figures(default) == [("main", "dev"), ("main", "graded")]
    settings = gain_settings(default, "main", "graded")
    assert settings["baseline"] == {"label": "BM25", "system": "bm25"}
    assert settings["measure"] == "RR@10"
    labels = [row["label"] for row in default["tables"]["main"]["rows"]]
    assert [row["label"] for row in settings["rows"]] == labels[1:]
    assert settings["rows"][-1]["systems"] == ["tas_b/seed-1/exact"]


def test_scores_are_those_of_a_teachers_rankers_then_of_its_students_re_ranking_where_they_do(default):
    assert score_figures(default) == ["cat_and_colbert"]
    settings = score_settings(default, "cat_and_colbert")
    assert (settings["test_set"], settings["training_set"], settings["depth"]) == ("dev", "triples", 20)
    assert [(row["role"], row["system"]) for row in settings["rows"]] == [
        ("teacher", "bert_cat/seed-1/rerank"),
        ("teacher", "colbert/seed-1/rerank"),
        ("student", "bert_dot_margin_mse/seed-1/rerank"),
        ("student", "tas_b/seed-1/exact"),
    ]
    # a search returns cosines; re-ranking has divided them already
    assert [row["temperature"] for row in settings["rows"]] == [1, 1, 1, 0.08]


def test_batches_and_clusters_are_those_of_the_rankers_that_the_tables_need(default, grid, msmarco):
    assert margin_figures(default) == {("cat_and_colbert", "topics"): "tas_b"}
    expected = {"training_set": "triples", "batch_size": 16, "positives": 1, "negatives": 1}
    assert batch_settings(default, "cat_and_colbert", "topics") == expected
    assert cluster_figures(default) == {"topics": [16]}
    assert cluster_figures(msmarco) == {"topics": [32, 96, 256]}
    assert (margin_figures(grid), cluster_figures(grid)) == ({}, {})


def test_rankers_stand_at_the_latency_of_their_own_architecture_and_encoder(default, grid, msmarco):
    assert cost_figures(default) == {}
    assert cost_figures(grid) == {"efficiency": "main"}
    settings = cost_settings(grid, "efficiency")
    places = {point["systems"][0].split("/")[0]: (point["label"], point["timed"]) for point in settings["points"]}
    assert places["cat6"] == ("BERT_CAT, 6 layers", "cat6/seed-1/rerank")
    assert places["cat3_t2"] == ("BERT_CAT", "cat3/seed-1/rerank")
    assert places["dpr_t1"] == ("DPR", "dpr/seed-1/rerank")
    assert "cat2" not in places and len(places) == 19
    assert settings["teachers"] == ["no teacher", "teacher t1", "teacher t2"]
    assert (settings["test_sets"], settings["measure"]) == (["graded", "dev"], "nDCG@10")

    assert cost_figures(msmarco) == {"efficiency": "architectures"}
    labels = {point["label"] for point in cost_settings(msmarco, "efficiency")["points"]}
    assert labels == {row["label"] for row in msmarco["efficiency_tables"]["efficiency"]["rows"]}


@pytest.mark.parametrize(
    "file", ["config.yaml", *sorted(f"experiments/{path.name}" for path in (ROOT / "experiments").glob("*.yaml"))]
)
def test_every_experiment_has_figures_of_what_it_has(file):
    config = config_of(file)
    for name, test_set in gain_figures(config):
        assert gain_settings(config, name, test_set)["rows"]
    for teacher in score_figures(config):
        settings = score_settings(config, teacher)
        assert "student" in {row["role"] for row in settings["rows"]}
        runs = {
            f"{row['ranker']}/{row['way']}"
            for table in config["tables"].values()
            for row in table["rows"]
            if "ranker" in row
        }
        assert {f"{row['system'].split('/')[0]}/{row['way']}" for row in settings["rows"]} <= runs
    for name in cost_figures(config):
        assert cost_settings(config, name)["points"]
    for teacher, clustering in margin_figures(config):
        assert batch_settings(config, teacher, clustering)["batch_size"] in cluster_figures(config)[clustering]
