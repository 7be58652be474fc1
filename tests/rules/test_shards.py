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


@pytest.fixture
def joined(cut):
    """The same when all is done: the shards are not kept."""
    cut.finish()
    for path in (cut.folder / "results" / "pydocs").rglob("shards"):
        shutil.rmtree(path)
    return cut


def test_shards_are_made_again_only_with_what_they_were_joined_to(joined):
    assert joined.plan().jobs == []
    vectors = min((joined.folder / "results" / "pydocs").glob("embeddings/**/passages.faiss"))
    vectors.unlink()
    plan = joined.plan("--", str(vectors.relative_to(joined.folder)))
    assert plan.rules == {"encode_shard": 3, "join_vectors": 1}


def test_an_edit_of_the_encoding_makes_all_shards_again(joined):
    joined.append(joined.library("encoding"), "X = 1")
    plan = joined.plan()
    assert plan.rules["encode_shard"] == 3 * plan.rules["join_vectors"] > 0
    assert "score_shard" not in plan.rules
    assert plan.trained == ["tas_b/seed-1"]  # by clusters of encoded queries


def test_another_precision_encodes_scores_and_reranks_again(joined):
    joined.configure({"inference": {"precision": "bf16"}})
    plan = joined.plan()
    assert {"encode_queries", "rerank", "encode_shard", "score_shard"} <= plan.changed().keys()
    assert {"join_vectors", "join_pair_scores"} <= plan.rules.keys()
    assert "train_ranker" not in plan.changed()
