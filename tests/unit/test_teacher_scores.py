"""Averaged teacher scores, in the columns of the published files."""

import csv
import json
import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillroom.runs import Ranking, write_qrels, write_run
from stillroom.teacher_scores import average_scores

# Row numbers: query, relevant passage, other passage; in no order, one triple twice.
QUERY, POSITIVE, NEGATIVE = [1, 0, 1, 0, 1], [3, 0, 3, 0, 3], [0, 2, 4, 1, 0]
PAIRS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 3), (1, 4)]
ONE, TWO = [1.0, 2.0, 3.0, -4.0, 5.5, 6.0], [0.5, -2.0, 3.0, 8.0, 0.25, 100.0]
SCORES = pa.schema({"query": pa.int32(), "passage": pa.int32(), "score": pa.float32()})
VALIDATION = [("v1", ["a", "b", "c"]), ("v2", ["e", "d", "a"])]  # the first stage has the relevant passage second


def write_scores(path, pairs, scores):
    """One ranker's scores of pairs of row numbers."""
    query, passage = zip(*pairs, strict=True)
    pq.write_table(pa.table([query, passage, scores[: len(pairs)]], schema=SCORES), path)
    return path


@pytest.fixture
def teacher_inputs(tmp_path, write_texts, write_triples):
    """The files of the triples above and of the validation candidates."""
    rankings = [Ranking(query_id, np.array(ids), np.array([3.0, 2, 1])) for query_id, ids in VALIDATION]
    write_run(tmp_path / "run.trec", rankings, "first")
    write_qrels(tmp_path / "qrels.txt", [("v1", "b", 1), ("v2", "d", 1)])
    passages = {name: f"text {name}" for name in "abcde"}
    return {
        "triples_path": write_triples(tmp_path / "triples.parquet", QUERY, POSITIVE, NEGATIVE),
        "queries_path": write_texts(tmp_path / "queries.parquet", "query_id", {"q'0": "first", "q1": "second"}),
        "passages_path": write_texts(tmp_path / "passages.parquet", "passage_id", passages),
        "validation_run_path": tmp_path / "run.trec",
        "validation_qrels_path": tmp_path / "qrels.txt",
    }


@pytest.fixture
def average(teacher_inputs, tmp_path):
    """A function that averages one or two rankers' scores of the triples and of the validation candidates."""

    def average(pairs=(PAIRS, PAIRS), validation=((0, 9, 0, 0, 9, 0),)):
        rankers = zip("12", pairs, (ONE, TWO), strict=False)
        average_scores(
            **teacher_inputs,
            teacher="both",
            triples_scores_paths=[write_scores(tmp_path / f"{n}.parquet", *scored) for n, *scored in rankers],
            validation_scores_paths=[
                write_scores(tmp_path / f"v{n}.parquet", PAIRS, scores) for n, scores in enumerate(validation)
            ],
            scores_path=tmp_path / "scores.parquet",
            tsv_path=tmp_path / "scores.tsv",
            measures_path=tmp_path / "measures.json",
        )
        return tmp_path

    return average


def test_the_files_hold_the_mean_of_the_raw_scores_in_the_order_of_the_triples(average):
    folder = average()
    expected = [
        (2.875, 2.0, "q1", "d", "a"),  # (5.5 + .25) / 2, (-4 + 8) / 2
        (0.75, 3.0, "q'0", "a", "c"),
        (2.875, 53.0, "q1", "d", "e"),
        (0.75, 0.0, "q'0", "a", "b"),
        (2.875, 2.0, "q1", "d", "a"),
    ]
    table = pq.read_table(folder / "scores.parquet")
    assert table.column_names == ["pos_score", "neg_score", "query_id", "pos_id", "neg_id"]
    assert [tuple(row.values()) for row in table.to_pylist()] == expected
    with open(folder / "scores.tsv", newline="") as file:
        lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [(float(line[0]), float(line[1]), *line[2:]) for line in lines] == expected


def test_one_teachers_scores_are_its_own(average):
    folder = average(pairs=(PAIRS,))
    assert pq.read_table(folder / "scores.parquet")["pos_score"].to_pylist() == [5.5, 1.0, 5.5, 1.0, 5.5]


def test_a_pair_without_a_score_stops(average):
    with pytest.raises(
        ValueError, match=r"triples\.parquet: 1 pairs have no teacher score; score the triples again\.$"
    ):
        average(pairs=(PAIRS[:5],))
    with pytest.raises(ValueError, match=r"triples\.parquet: 2 pairs have no teacher score"):
        average(pairs=([pair for pair in PAIRS if pair != (0, 0)],))  # the relevant passage of two triples


def test_scores_that_are_no_numbers_stop(average, monkeypatch):
    monkeypatch.setitem(globals(), "ONE", [*ONE[:5], float("nan")])
    with pytest.raises(ValueError, match=r"1\.parquet: 1 scores are not finite; train the ranker anew\.$"):
        average(pairs=(PAIRS,))


def test_batches_make_no_difference(average, monkeypatch):
    for module in ("triples", "teacher_scores"):
        monkeypatch.setattr(f"stillroom.{module}.BLOCK_TRIPLES", 2)
    test_the_files_hold_the_mean_of_the_raw_scores_in_the_order_of_the_triples(average)


def test_rankers_with_different_pairs_stop(average):
    with pytest.raises(
        ValueError, match=r"2\.parquet: the pairs differ from those of .*1\.parquet; score the triples again\.$"
    ):
        average(pairs=(PAIRS, PAIRS[:5]))


def test_a_teacher_above_its_first_stage_is_reported_without_a_warning(average, caplog):
    caplog.set_level(logging.INFO)
    measures = json.loads((average() / "measures.json").read_text())
    second = 1 / np.log2(3)
    assert measures["teacher"] == {"nDCG@10": 1.0, "RR@10": 1.0}
    assert measures["first_stage"] == pytest.approx({"nDCG@10": second, "RR@10": 0.5})
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    assert "teacher both: validation nDCG@10 1.0000, not below its first stage's 0.6309" in caplog.text


def test_a_teacher_below_its_first_stage_is_warned_of(average, caplog):
    average(validation=((5, -7, 4, 5, -8, 4), (5, -5, 4, 5, -9, 4)))  # the relevant passages come last
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning == "teacher both: validation nDCG@10 0.5000, below its first stage's 0.6309"


def test_a_teacher_as_good_as_its_first_stage_is_not_warned_of(average, caplog):
    average(validation=((2, 3, 1, 2, 3, 1),))
    average(validation=((3, 2, 1, 3, 2, 1),))  # the first stage's own order
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]
