"""Audits: every count of a hand-made training set, and queries that must not be shared."""

import csv
import json
import logging

import pytest

from stillroom.audit import audit_triples, check_overlap
from stillroom.runs import write_qrels

QUERY_TEXTS = {"q0": "one", "q1": " \t", "q2": "three", "q3": "never used"}
PASSAGE_TEXTS = {"a": "Whole.", "b": "", "c": "cut off, ", "d": "cut ofé", "e": " ", "f": "x"}  # e, f: not used
TRIPLES = [  # query, relevant, other
    (0, 0, 1),
    (0, 0, 1),  # again
    (0, 0, 2),  # the other is judged relevant
    (1, 3, 3),  # the same twice
    (2, 1, 0),
    (2, 1, 2),  # the other is judged, but not relevant
]


@pytest.fixture
def audit(tmp_path, write_texts, write_triples):
    """A function that audits triples of the texts above and returns check → (count, of)."""

    def audit(triples=TRIPLES):
        write_texts(tmp_path / "queries.parquet", "query_id", QUERY_TEXTS)
        write_texts(tmp_path / "passages.parquet", "passage_id", PASSAGE_TEXTS)
        write_triples(tmp_path / "triples.parquet", *zip(*triples, strict=True))
        judgements = [("q0", "a", 1), ("q0", "c", 2), ("q2", "c", 0), ("q1", "a", 1), ("q0", "gone", 1), ("q7", "b", 1)]
        write_qrels(tmp_path / "qrels.txt", judgements)
        audit_triples(
            triples_path=tmp_path / "triples.parquet",
            queries_path=tmp_path / "queries.parquet",
            qrels_path=tmp_path / "qrels.txt",
            passages_path=tmp_path / "passages.parquet",
            audit_path=tmp_path / "audit.csv",
        )
        with open(tmp_path / "audit.csv", newline="") as file:
            return {row["check"]: (int(row["count"]), int(row["of"])) for row in csv.DictReader(file)}

    return audit


def test_every_count_of_a_hand_made_example(audit):
    assert audit() == {
        "triples": (6, 6),
        "queries with triples": (3, 4),
        "distinct passages used": (4, 6),
        "duplicate triples": (1, 6),
        "positive = negative": (1, 6),
        "negative is judged relevant": (1, 6),
        "empty queries": (1, 4),
        "empty passages used": (1, 4),
        "passages used that end within a sentence": (2, 4),
    }


def test_blocks_make_no_difference(audit, monkeypatch):
    together = audit()
    for name in (
        "triples.BLOCK_TRIPLES",
        "query_ranges.BLOCK_ROWS",
        "query_ranges.ROWS_PER_RANGE",
        "audit.BATCH_TEXTS",
    ):
        monkeypatch.setattr(f"stillroom.{name}", 2)
    assert audit() == together
    with pytest.raises(ValueError, match="2 triples have an unknown query; the first is triple 3 with row 9, expected"):
        audit([*TRIPLES[:3], (9, 0, 0), (0, 0, 0), (8, 0, 0)])


def test_nothing_odd_is_counted_as_nothing(audit):
    found = audit(triples=[(0, 0, 3), (2, 0, 5)])
    assert {check: count for check, (count, _) in found.items() if count} == {
        "triples": 2,
        "queries with triples": 2,
        "distinct passages used": 3,
        "empty queries": 1,
        "passages used that end within a sentence": 2,
    }


def test_a_triple_beyond_its_files_stops(audit):
    with pytest.raises(
        ValueError, match=r"triples\.parquet: 1 triples have an unknown negative; the first is triple 1 "
    ):
        audit(triples=[(0, 0, 3), (2, 0, 6)])


@pytest.fixture
def overlap(tmp_path, write_texts):
    """A function that checks test queries against training and validation queries."""

    def overlap(test, training, validation):
        for name, texts in [("test", test), ("training", training), ("validation", validation)]:
            write_texts(tmp_path / f"{name}.parquet", "query_id", texts)
        check_overlap(
            test_queries_path=tmp_path / "test.parquet",
            learning_queries_paths=[str(tmp_path / "training.parquet"), str(tmp_path / "validation.parquet")],
            overlap_path=tmp_path / "overlap.json",
        )
        return list(json.loads((tmp_path / "overlap.json").read_text()).values())

    return overlap


@pytest.mark.parametrize("where", ["training", "validation"])
def test_a_test_query_that_was_learnt_from_stops(where, overlap, tmp_path):
    test = {"7": "what is a monad", "8": "why", "9": "who"}
    learnt = {"training": {"1": "x"}, "validation": {"2": "y"}}
    learnt[where] |= {"8": "why", "9": "who"}
    sentence = rf"test\.parquet: 2 test queries are also in .*{where}\.parquet, the first is '8'; leave them out"
    with pytest.raises(ValueError, match=sentence):
        overlap(test, **learnt)
    assert not (tmp_path / "overlap.json").exists()


def test_equal_numbers_of_different_data_sets_and_equal_texts_may_be(overlap, caplog):
    caplog.set_level(logging.WARNING)
    found = overlap({"1": "What is a monad ", "2": "why"}, {"1": "who", "5": "what is a monad"}, {"2": "where"})
    assert found == [
        {"queries": 2, "test_queries_with_equal_text": 1},
        {"queries": 1, "test_queries_with_equal_text": 0},
    ]
    assert len(caplog.records) == 1 and "1 of 2 test queries have the text of a query in" in caplog.text
