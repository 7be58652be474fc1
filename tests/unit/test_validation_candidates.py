"""Validation candidates: what an index finds, and after it every relevant passage."""

import logging

import numpy as np
import pytest

from stillroom.indexes import build_index
from stillroom.runs import Ranking, iter_rankings, read_run, write_qrels, write_run
from stillroom.validation_candidates import retrieve_validation_candidates, with_relevant

RANDOM = np.random.default_rng(9)
PASSAGES = RANDOM.normal(size=(50, 8)).astype(np.float32)
QUERIES = RANDOM.normal(size=(4, 8)).astype(np.float32)
BEST = np.argsort(-(QUERIES @ PASSAGES.T), axis=1)  # passage numbers by query, best first


@pytest.fixture
def candidates(tmp_path, write_vectors):
    """A function from judgements and depth to the passage ids by query, in the order of the run."""
    files = write_vectors(tmp_path, "passages", [f"p{number}" for number in range(50)], PASSAGES)
    build_index(**files, factory="Flat", ef_construction=None, index_folder=tmp_path / "index", threads=1)

    def candidates(judgements, depth):
        write_qrels(
            tmp_path / "qrels.txt", [(f"q{query}", f"p{passage}", grade) for query, passage, grade in judgements]
        )
        retrieve_validation_candidates(
            **write_vectors(tmp_path, "queries", [f"q{number}" for number in range(4)], QUERIES),
            index_folder=tmp_path / "index",
            qrels_path=tmp_path / "qrels.txt",
            run_path=tmp_path / "run.trec",
            depth=depth,
            parameters={},
            tag="dot",
            threads=1,
        )
        assert {path.name for path in tmp_path.iterdir()} >= {"run.trec"}
        assert not (tmp_path / ".run.trec.part").exists()
        run = read_run(tmp_path / "run.trec")
        assert (run.groupby("query_id")["score"].diff().dropna() < 0).all()
        return run.groupby("query_id", sort=False)["passage_id"].agg(list).to_dict()

    return candidates


def test_what_was_found_comes_first_and_then_the_relevant_passages_that_were_not(candidates, caplog):
    caplog.set_level(logging.INFO)
    judgements = [
        (0, BEST[0, 2], 1),
        (1, BEST[1, 30], 1),
        (2, BEST[2, 40], 3),
        (2, BEST[2, 45], 1),
        (2, BEST[2, 46], 0),
    ]
    found = candidates(judgements, depth=5)
    first = [[f"p{number}" for number in BEST[query, :5]] for query in range(4)]
    assert list(found) == ["q0", "q1", "q2", "q3"]
    assert found["q0"] == first[0]  # it was among them
    assert found["q1"] == [*first[1], f"p{BEST[1, 30]}"]
    assert found["q2"][:5] == first[2]
    assert set(found["q2"][5:]) == {f"p{BEST[2, 40]}", f"p{BEST[2, 45]}"}  # grade 0 is not relevant
    assert found["q3"] == first[3]  # nothing is judged
    assert "3 of 4 relevant passages were not found and are added" in caplog.text


def test_judgements_of_other_queries_add_nothing(candidates):
    assert set(candidates([(7, 3, 1)], depth=2)) == {"q0", "q1", "q2", "q3"}


def test_a_depth_of_the_whole_collection_finds_every_passage_itself(candidates):
    found = candidates([(0, BEST[0, 49], 1)], depth=1000)
    assert found["q0"] == [f"p{number}" for number in BEST[0]]


def test_rankings_are_matched_with_queries_of_which_some_have_none(tmp_path):
    write_run(tmp_path / "run", [Ranking(name, ["p1", "p2"], [2.0, 1.0]) for name in ("q1", "q3", "q4")], "dot")
    relevant_of = {"q0": ["p9"], "q1": ["p2"], "q3": ["p8", "p1"], "q5": ["p3"]}
    ranked = with_relevant([f"q{number}" for number in range(6)], iter_rankings(tmp_path / "run"), relevant_of)
    found = {query_id: passage_ids.tolist() for query_id, passage_ids, _ in ranked}
    assert found == {
        "q0": ["p9"],
        "q1": ["p1", "p2"],
        "q2": [],
        "q3": ["p1", "p2", "p8"],
        "q4": ["p1", "p2"],
        "q5": ["p3"],
    }
