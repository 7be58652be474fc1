"""Run files and qrels: the order that every evaluator agrees on, and errors that name the line."""

import subprocess
import sys

import numpy as np
import pytest
import pytrec_eval

from stillroom import runs
from stillroom.runs import (
    Ranking,
    iter_rankings,
    ordered,
    read_qrels,
    read_run,
    strictly_decreasing,
    write_qrels,
    write_run,
)

ADVERSARIAL = {
    "equal": [1.5] * 50,
    "zero of both signs": [0.0, -0.0, 0.0, -0.0],
    "denormal": [3e-45, 1e-45, 1e-45, 0.0, -1e-45, -1e-45],
    "huge": [3.4028235e38, 3.4028235e38, 3.4028234e38, -1e38, -1e38],
    "gaps of 1e-7 at 20": list(20 - 1e-7 * np.arange(1000)),
    "gaps of 1e-9 around 0": list(1e-9 * np.arange(50, -50, -1)),
    "a tie that runs into its successors": [2.0] * 20
    + [float(np.nextafter(np.float32(2), np.float32(0)))] * 20
    + [1.9],
}


def passage_ids(count):
    return np.array([f"p{number}" for number in range(count)])


@pytest.mark.parametrize("scores", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_scores_decrease_strictly_after_parsing_as_float32(scores, tmp_path):
    write_run(tmp_path / "run.trec", [Ranking("q", passage_ids(len(scores)), np.array(scores))], "tag")
    words = [line.split() for line in (tmp_path / "run.trec").read_text().split("\n")[:-1]]
    parsed = np.array([word[4] for word in words]).astype(np.float32)
    assert len(parsed) == len(scores)
    assert (parsed[1:] < parsed[:-1]).all()
    assert [int(word[3]) for word in words] == list(range(1, len(scores) + 1))


def test_the_smallest_change_is_made_and_only_where_needed():
    scores = np.array([3.0, 3.0, 3.0, 2.5, 0.0, 0.0, -1.0, -1.0], dtype=np.float32)
    expected = scores.copy()
    for place in range(1, len(scores)):  # the rule as one would write it down
        if expected[place] >= expected[place - 1]:
            expected[place] = np.nextafter(expected[place - 1], np.float32(-np.inf))
    assert strictly_decreasing(scores).tolist() == expected.tolist()


def test_distinct_float32_scores_come_back_bit_for_bit(tmp_path):
    scores = np.unique(np.random.default_rng(1).normal(size=2000).astype(np.float32) * np.float32(1e3))
    write_run(tmp_path / "run.trec", [Ranking("q", passage_ids(len(scores)), scores)], "tag")
    assert read_run(tmp_path / "run.trec")["score"].to_numpy(np.float32).tolist() == scores[::-1].tolist()


def test_the_order_of_candidates_does_not_matter():
    random = np.random.default_rng(2)
    ids, scores = passage_ids(500), random.integers(0, 5, 500).astype(np.float32)
    first = ordered("q", ids, scores)
    for _ in range(5):
        shuffled = random.permutation(500)
        again = ordered("q", ids[shuffled], scores[shuffled])
        assert again.passage_ids.tolist() == first.passage_ids.tolist()
        assert again.scores.tolist() == first.scores.tolist()


def test_ties_follow_neither_the_ids_nor_the_seed_of_the_process():
    code = (
        "import numpy as np; from stillroom.runs import ordered;"
        "print(*ordered('q', [f'p{n}' for n in range(50)], np.zeros(50)).passage_ids)"
    )
    orders = {
        subprocess.check_output(
            [sys.executable, "-c", code],
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        for seed in ("1", "2")
    }
    assert len(orders) == 1
    order = orders.pop().split()
    assert order not in (sorted(order), sorted(order, reverse=True), passage_ids(50).tolist())


def test_trec_eval_keeps_the_written_order(tmp_path):
    ids = passage_ids(30)
    write_run(tmp_path / "run.trec", [Ranking("q", ids, np.full(30, 0.1))], "tag")
    run = read_run(tmp_path / "run.trec")
    for rank, passage_id in enumerate(run["passage_id"], 1):
        evaluator = pytrec_eval.RelevanceEvaluator({"q": {passage_id: 1}}, {"recip_rank"})
        found = evaluator.evaluate({"q": dict(zip(run["passage_id"], run["score"], strict=True))})
        assert found["q"]["recip_rank"] == pytest.approx(1 / rank)


def test_a_run_is_cut_at_its_depth_and_a_query_without_passages_has_no_line(tmp_path):
    rankings = [
        Ranking("q1", passage_ids(9), np.arange(9)),
        Ranking("q2", [], []),
        Ranking("q3", ["p1"], [0.5]),
    ]
    write_run(tmp_path / "run.trec", rankings, "bm25", depth=2)
    assert (tmp_path / "run.trec").read_text() == "q1 Q0 p8 1 8 bm25\nq1 Q0 p7 2 7 bm25\nq3 Q0 p1 1 0.5 bm25\n"


@pytest.mark.parametrize(
    ("ids", "scores", "message"),
    [
        (["p1", "p2"], [1.0, np.nan], "query q: found NaN as the score of p2, expected a number"),
        (["p1", "p2", "p1"], [3.0, 2.0, 1.0], "query q: found passage p1 twice, expected it once"),
        (["p1", "p2"], [1.0], "query q: found 1 scores for 2 passages"),
        (["p1"], [1e39], "query q: found a score beyond float32"),
        (["p 1"], [1.0], 'the passage_id "p 1", expected a word without space'),
        ([""], [1.0], 'the passage_id "", expected a word'),
    ],
)
def test_what_cannot_be_ranked_is_refused_and_leaves_no_file(ids, scores, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_run(tmp_path / "run.trec", [Ranking("q", ids, scores)], "tag")
    assert not list(tmp_path.iterdir())


def test_a_query_that_is_ranked_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="two rankings of query q, expected one"):
        write_run(tmp_path / "run.trec", [Ranking("q", ["p1"], [1.0]), Ranking("q", ["p2"], [1.0])], "tag")


@pytest.mark.parametrize(
    "text",
    ["q Q0 p\u0085x 1 2.5 tag\nNA Q0 p2 1 -1e-3 tag\n", "q\tQ0  p\u0085x 1 2.5 tag\r\nNA Q0 p2 1 -1e-3 tag"],
)
def test_runs_of_others_are_read_whatever_space_parts_their_columns(text, tmp_path):
    (tmp_path / "run.trec").write_bytes(text.encode())
    assert read_run(tmp_path / "run.trec").values.tolist() == [
        ["q", "p\u0085x", 1, 2.5],
        ["NA", "p2", 1, -0.001],
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "q Q0 p2 2 0.5",
            r"line 2: found 5 columns \('q Q0 p2 2 0.5'\), expected 6: query_id Q0 passage_id rank",
        ),
        ("q Q0  2 0.5 tag", "line 2: found 5 columns"),
        ("", "line 2: found 0 columns"),
        ("q Q0 p2 second 0.5 tag", 'line 2: found "second" as rank, expected a whole number'),
        ("q Q0 p2 2 high tag", 'line 2: found "high" as score, expected a finite number'),
        ("q Q0 p2 2 nan tag", 'line 2: found "nan" as score, expected a finite number'),
        ("q Q0 p2 2 inf tag", 'line 2: found "inf" as score, expected a finite number'),
        ("q Q0 p1 2 0.5 tag", "line 2: found query q, passage p1 again, expected it once"),
    ],
)
def test_a_malformed_line_of_a_run_is_named(line, message, tmp_path):
    (tmp_path / "run.trec").write_text(f"q Q0 p1 1 1.0 tag\n{line}\nq Q0 p3 3 0.1 tag\n")
    with pytest.raises(ValueError, match=r"run\.trec, " + message):
        read_run(tmp_path / "run.trec")


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "run.trec").write_bytes(b"q Q0 p\xff 1 1.0 tag\n")
    with pytest.raises(ValueError, match=r"line 1: found .* as passage_id, expected UTF-8 text"):
        read_run(tmp_path / "run.trec")


def test_qrels_come_back_as_written(tmp_path):
    judgements = [("q1", "p1", 3), ("q1", "p2", 0), ("NA", "p1", -1)]
    write_qrels(tmp_path / "qrels.txt", judgements)
    assert (tmp_path / "qrels.txt").read_text() == "q1 0 p1 3\nq1 0 p2 0\nNA 0 p1 -1\n"
    assert [tuple(row) for row in read_qrels(tmp_path / "qrels.txt").values.tolist()] == judgements


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q 0 p2", "line 2: found 3 columns"),
        ("q 0 p2 1.5", 'line 2: found "1.5" as grade, expected a whole number'),
        ("q 0 p1 2", "line 2: found query q, passage p1 again, expected it once"),
    ],
)
def test_a_malformed_line_of_qrels_is_named(line, message, tmp_path):
    (tmp_path / "qrels.txt").write_text(f"q 0 p1 1\n{line}\n")
    with pytest.raises(ValueError, match=r"qrels\.txt, " + message):
        read_qrels(tmp_path / "qrels.txt")


def test_a_pair_that_is_judged_twice_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="query q, passage p1 again"):
        write_qrels(tmp_path / "qrels.txt", [("q", "p1", 1), ("q", "p1", 1)])


def some_run(path):
    """A run of 40 queries with 0 to 30 passages each."""
    random = np.random.default_rng(7)
    rankings = [
        Ranking(f"q{number}", random.permutation(passage_ids(50))[:length], random.normal(size=length))
        for number, length in enumerate(random.integers(0, 30, 40))
    ]
    write_run(path, rankings, "tag")
    return path


@pytest.mark.parametrize("block_bytes", [1, 100, 3000, 1 << 20])
@pytest.mark.parametrize("space", [" ", "\t"])
def test_blocks_of_a_run_hold_whole_queries_and_together_all_lines(block_bytes, space, tmp_path, monkeypatch):
    path = some_run(tmp_path / "run.trec")
    path.write_text(path.read_text().replace(" ", space))
    expected = read_run(path)
    monkeypatch.setattr(runs, "BLOCK_BYTES", block_bytes)
    blocks = list(iter_rankings(path))
    assert all(list(block.index) == list(range(len(block))) for block in blocks)
    queries = [query_id for block in blocks for query_id in block["query_id"].unique()]
    assert queries == expected["query_id"].unique().tolist()
    assert [row for block in blocks for row in block.values.tolist()] == expected.values.tolist()
    assert len(blocks) == {1: len(queries), 1 << 20: 2}.get(block_bytes, len(blocks))  # the last query comes alone
    assert read_run(path).equals(expected)


def test_an_empty_run_has_no_blocks(tmp_path):
    (tmp_path / "run.trec").touch()
    assert list(iter_rankings(tmp_path / "run.trec")) == []


@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["q1 Q0 p1 1 3 t", "q2 Q0 p1 1 3 t", "q1 Q0 p2 2 2 t"],
            "line 3: found query q1 again after another one, expected all lines of a query together; sort the run",
        ),
        (["q1 Q0 p1 1 3 t", "q2 Q0 p1 1 3 t", "q2 Q0 p1 2 2 t"], "line 3: found query q2, passage p1 again"),
        (["q1 Q0 p1 1 3 t", "q2 Q0 p1 1 3 t", "q3 Q0 p1 1 high t"], 'line 3: found "high" as score'),
    ],
)
def test_what_is_wrong_in_any_block_is_named_by_its_line(lines, message, block_bytes, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "BLOCK_BYTES", block_bytes)
    (tmp_path / "run.trec").write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(ValueError, match=r"run\.trec, " + message):
        list(iter_rankings(tmp_path / "run.trec"))
