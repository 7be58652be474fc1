"""Corpora and training sets that are cut into shards."""

import shutil

import pytest


@pytest.fixture
def cut(project):
    """The default experiment with its corpus in three shards and its triples in two."""
    config = project.config()
    (corpus,), (training_set,) = config["corpora"], config["training_sets"]
    project.configure({f"corpora.{corpus}.shards": 3, f"training_sets.{training_set}.shards": 2})
    return project


def test_every_shard_is_a_job_and_one_more_joins_them(cut, project):
    sharded = cut.plan().rules
    cut.configure({"corpora": {name: {**block, "shards": 1} for name, block in cut.config()["corpora"].items()}})
    sets = cut.config()["training_sets"]
    cut.configure({"training_sets": {name: {**block, "shards": 1} for name, block in sets.items()}})
    whole = cut.plan().rules
    assert sharded.pop("encode_shard") == 3 * whole["encode_passages"]
    assert sharded.pop("score_shard") == 2 * whole["score_triples"]
    renamed = {"join_vectors": "encode_passages", "join_pair_scores": "score_triples"}
    assert {renamed.get(rule, rule): jobs for rule, jobs in sharded.items()} == whole


def test_shards_are_not_kept_and_made_again_with_what_they_were_joined_to(cut):
    cut.finish()
    folder = cut.folder / "results" / "pydocs"
    shards = [path for path in folder.rglob("shards") if "logs" not in path.parts and "benchmarks" not in path.parts]
    for path in shards:
        shutil.rmtree(path)
    assert cut.plan().jobs == []
    vectors = sorted(folder.glob("embeddings/**/passages.faiss"))[0]
    vectors.unlink()
    plan = cut.plan("--", str(vectors.relative_to(cut.folder)))
    assert plan.rules == {"encode_shard": 3, "join_vectors": 1}


def test_an_edit_of_the_encoding_makes_all_shards_again(cut):
    cut.finish()
    for path in (cut.folder / "results" / "pydocs").rglob("shards"):
        shutil.rmtree(path)
    cut.append(cut.library("encoding"), "X = 1")
    rules = cut.plan().rules
    assert rules["encode_shard"] == 3 * rules["join_vectors"] > 0
    assert "score_shard" not in rules and "train_ranker" not in rules


def test_another_precision_encodes_scores_and_reranks_again(cut):
    cut.finish()
    cut.configure({"inference": {"precision": "bf16"}})
    changed = cut.plan().changed()
    assert {"encode_queries", "rerank", "join_vectors", "join_pair_scores"} <= changed.keys()
    assert "train_ranker" not in changed
