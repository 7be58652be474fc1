"""Training triples from BM25 candidates."""

import logging

import numpy as np
import pyarrow.parquet as pq
import pytest

from stillroom import runs
from stillroom.collections.datasets import id_digest
from stillroom.runs import write_qrels, write_run
from stillroom.triple_sources import sample_triples

PASSAGE_IDS = [f"p{number}" for number in range(40)]
RELEVANT = {"q1": ["p1"], "q2": ["p2", "p3", "p4"], "q3": ["p5"]}
JUDGED_NOT_RELEVANT = {"q1": ["p6", "p7"], "q2": ["p8"]}


def candidates_of(query_id):
    return np.random.default_rng(len(query_id) + ord(query_id[-1])).permutation(PASSAGE_IDS)[:30]


@pytest.fixture
def sample(tmp_path, write_texts):
    """A function that samples triples of some queries and returns them as ids."""

    def sample(query_ids=("q1", "q2", "q3"), candidates=None, **options):
        candidates = {name: candidates_of(name) for name in query_ids} if candidates is None else candidates
        qrels = [(name, passage, 1) for name in query_ids for passage in RELEVANT.get(name, [])]
        qrels += [(name, passage, 0) for name in query_ids for passage in JUDGED_NOT_RELEVANT.get(name, [])]
        write_qrels(tmp_path / "qrels.txt", qrels)
        ranked = [(name, np.array(found), np.arange(len(found), 0, -1.0)) for name, found in candidates.items()]
        write_run(tmp_path / "run.trec", ranked, "bm25")
        write_texts(tmp_path / "queries.parquet", "query_id", {name: "text" for name in query_ids})
        write_texts(tmp_path / "passages.parquet", "passage_id", {name: "text" for name in PASSAGE_IDS})
        sample_triples(
            **{
                "candidates_path": tmp_path / "run.trec",
                "queries_path": tmp_path / "queries.parquet",
                "qrels_path": tmp_path / "qrels.txt",
                "passages_path": tmp_path / "passages.parquet",
                "per_query": 6,
                "per_relevant": 1,
                "among": "all",
                "triples": None,
                "triples_path": tmp_path / "triples.parquet",
            }
            | options
        )
        rows = pq.read_table(tmp_path / "triples.parquet")
        assert rows.column_names == ["query", "positive", "negative"]
        return [
            (query_ids[row["query"]], PASSAGE_IDS[row["positive"]], PASSAGE_IDS[row["negative"]])
            for row in rows.to_pylist()
        ]

    return sample


def of_query(triples, query_id):
    return [triple for triple in triples if triple[0] == query_id]


def test_negatives_are_unjudged_candidates_each_drawn_once(sample):
    triples = sample()
    for query_id in RELEVANT:
        own = of_query(triples, query_id)
        negatives = [negative for _, _, negative in own]
        assert len(own) == len(set(negatives)) == 6
        judged = {*RELEVANT[query_id], *JUDGED_NOT_RELEVANT.get(query_id, [])}
        assert set(negatives) <= set(candidates_of(query_id)) - judged


def test_relevant_passages_take_turns(sample):
    assert [positive for _, positive, _ in of_query(sample(), "q2")] == ["p2", "p3", "p4", "p2", "p3", "p4"]
    assert {positive for _, positive, _ in of_query(sample(), "q1")} == {"p1"}


def test_relevant_passages_take_turns_after_several_negatives_each(sample):
    alone, together = of_query(sample(), "q2"), of_query(sample(per_relevant=2), "q2")
    assert [positive for _, positive, _ in together] == ["p2", "p2", "p3", "p3", "p4", "p4"]
    assert [negative for _, _, negative in together] == [negative for _, _, negative in alone]
    uneven = of_query(sample(per_relevant=4), "q2")
    first, second = uneven[0][1], uneven[4][1]
    assert [positive for _, positive, _ in uneven] == [first] * 4 + [second] * 2
    assert {first, second} < {"p2", "p3", "p4"}


def test_relevant_passages_that_get_a_turn_are_drawn_and_all_are_as_likely(sample, monkeypatch):
    from scipy.stats import chisquare

    names = [f"a{number}" for number in range(300)]
    for name in names:
        monkeypatch.setitem(RELEVANT, name, PASSAGE_IDS[:6])
    found = dict.fromkeys(names, PASSAGE_IDS[10:20])
    triples = sample(tuple(names), candidates=found, per_query=4, per_relevant=2)
    drawn = [{positive for _, positive, _ in triples[start : start + 4]} for start in range(0, len(triples), 4)]
    assert all(len(pair) == 2 for pair in drawn)
    assert chisquare([sum(passage in pair for pair in drawn) for passage in PASSAGE_IDS[:6]]).pvalue > 0.001


def test_a_query_with_few_candidates_has_few_triples(sample):
    few = {"q1": ["p1", "p6", "p20", "p21"], "q2": candidates_of("q2")}
    triples = sample(("q1", "q2"), candidates=few)
    assert {negative for _, _, negative in of_query(triples, "q1")} == {"p20", "p21"}
    assert len(of_query(triples, "q2")) == 6


@pytest.mark.parametrize("per_query", [1, 4, 17])
def test_as_many_per_query_as_asked_for(per_query, sample):
    triples = sample(per_query=per_query)
    assert [len(of_query(triples, query_id)) for query_id in RELEVANT] == [per_query] * 3


def test_the_draw_is_repeatable_and_no_other_query_changes_it(sample):
    alone, together = sample(("q2",)), sample(("q3", "q2", "q1"))
    assert alone == of_query(together, "q2")
    assert together == sample(("q3", "q2", "q1"))


def test_queries_draw_differently_from_equal_candidates(sample):
    same = {name: PASSAGE_IDS[10:] for name in ("q1", "q3")}
    triples = sample(("q1", "q3"), candidates=same)
    assert [triple[2] for triple in of_query(triples, "q1")] != [triple[2] for triple in of_query(triples, "q3")]


def test_all_candidates_are_as_likely(sample, monkeypatch):
    """Over many queries, each of ten candidates is drawn about as often."""
    from scipy.stats import chisquare

    names = [f"a{number}" for number in range(120)]
    for name in names:
        monkeypatch.setitem(RELEVANT, name, ["p1"])
    triples = sample(tuple(names), candidates={name: PASSAGE_IDS[10:20] for name in names}, per_query=2)
    counts = [sum(negative == passage for _, _, negative in triples) for passage in PASSAGE_IDS[10:20]]
    assert chisquare(counts).pvalue > 0.001


def test_queries_without_a_relevant_passage_or_an_unjudged_candidate_are_counted(sample, caplog):
    caplog.set_level(logging.INFO)
    found = {"q1": candidates_of("q1"), "q2": ["p2", "p8"], "q9": candidates_of("q9")}
    triples = sample(("q1", "q2", "q3", "q9"), candidates=found)  # q3 has no candidates, q9 no relevant passage
    assert {query_id for query_id, _, _ in triples} == {"q1"}
    assert "6 triples of 1 queries" in caplog.text
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning == "3 queries have no triple: no relevant passage, or no unjudged candidate"


def test_negatives_may_be_drawn_among_what_is_relevant_for_other_queries(sample):
    triples = sample(among="relevant", candidates=dict.fromkeys(RELEVANT, PASSAGE_IDS))
    relevant = {passage for passages in RELEVANT.values() for passage in passages}
    for query_id, own in RELEVANT.items():
        assert {negative for _, _, negative in of_query(triples, query_id)} == relevant - set(own)


def test_a_number_of_triples_is_a_draw_of_queries_by_their_ids(sample):
    names = ("q1", "q2", "q3")
    drawn = sorted(names, key=id_digest)
    assert drawn != sorted(drawn)
    whole = sample(names)
    by_draw = [triple for name in drawn for triple in whole if triple[0] == name]
    for number in (1, 5, len(whole) - 1, len(whole), 10 * len(whole)):
        assert sample(names, triples=number) == by_draw[:number]


def test_no_triple_at_all_ends_in_one_sentence(sample):
    with pytest.raises(ValueError, match=r"run\.trec: no query has a triple"):
        sample(("q1",), candidates={"q1": ["p1", "p6"]})


def test_a_candidate_of_another_corpus_stops(sample):
    with pytest.raises(ValueError, match=r"run\.trec: 6 of 6 passage ids are unknown, the first is 'x\d'"):
        sample(("q1",), candidates={"q1": [f"x{number}" for number in range(6)]})


def test_neither_blocks_nor_the_order_of_the_candidates_change_the_triples(sample, monkeypatch):
    names = ("q3", "q1", "q2")
    whole = sample(names)
    assert [query_id for query_id, *_ in whole] == ["q3"] * 6 + ["q1"] * 6 + ["q2"] * 6
    monkeypatch.setattr(runs, "BLOCK_BYTES", 100)
    other_order = {name: candidates_of(name) for name in ("q1", "q2", "q3")}
    assert sample(names, candidates=other_order) == whole
    assert sample(names, candidates=other_order, triples=7) == sample(names, triples=7)


def test_candidates_of_an_unknown_query_stop(sample):
    with pytest.raises(ValueError, match=r"run\.trec: .* query ids are unknown, the first is 'q2'"):
        sample(("q1",), candidates={name: candidates_of(name) for name in ("q1", "q2")})
