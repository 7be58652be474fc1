"""Measures against pytrec_eval and a count by hand."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytrec_eval

from stillroom import runs
from stillroom.measures import measure
from stillroom.runs import Ranking, read_run, write_qrels, write_run

MEASURES = ["RR@10", "nDCG@10", "R@20", "AP@1000", "Judged@10", "nDCG(judged_only=True)@10"]


def measured(folder, rankings, judgements, query_ids, min_relevance=1, measures=MEASURES):
    """The metrics of a run, read back from the file."""
    write_run(folder / "run.trec", rankings, "tag")
    write_qrels(folder / "qrels.txt", judgements)
    pq.write_table(pa.table({"query_id": query_ids, "text": query_ids}), folder / "queries.parquet")
    passage_ids = [f"p{number}" for number in range(100)]
    pq.write_table(pa.table({"passage_id": passage_ids, "text": passage_ids}), folder / "passages.parquet")
    measure(
        run_path=folder / "run.trec",
        qrels_path=folder / "qrels.txt",
        queries_path=folder / "queries.parquet",
        passages_path=folder / "passages.parquet",
        system="bm25",
        test_set="dev",
        measures=measures,
        min_relevance=min_relevance,
        metrics_path=folder / "metrics.json",
    )
    return json.loads((folder / "metrics.json").read_text())


def random_test_set():
    """40 judged queries, of which 5 have no results; scores full of ties; grades from -1 to 3."""
    random = np.random.default_rng(3)
    passage_ids = np.array([f"p{number}" for number in range(100)])
    rankings = [
        Ranking(f"q{number}", random.permutation(passage_ids)[:50], random.integers(0, 9, 50) / 7)
        for number in range(35)
    ]
    judgements = [
        (f"q{number}", passage_id, int(random.integers(-1, 4)))
        for number in range(40)
        for passage_id in random.permutation(passage_ids)[:30]
    ]
    return rankings, judgements, [f"q{number}" for number in range(42)]


def reference(run_path, judgements, min_relevance):
    """The same measures by pytrec_eval; its reciprocal rank has no cut-off, so the run is cut before."""
    qrels, run, first_ten = {}, {}, {}
    for query_id, passage_id, grade in judgements:
        qrels.setdefault(query_id, {})[passage_id] = grade
    for query_id, passage_id, rank, score in read_run(run_path).itertuples(index=False):
        run.setdefault(query_id, {})[passage_id] = score
        if rank <= 10:
            first_ten.setdefault(query_id, {})[passage_id] = score

    def evaluate(name, run, **options):
        found = pytrec_eval.RelevanceEvaluator(qrels, {name}, **options).evaluate(run)
        value = name.replace(".", "_")
        return {query_id: found[query_id][value] if query_id in found else 0.0 for query_id in qrels}

    judged = {
        query_id: np.mean([qrels[query_id].get(passage_id, -1) >= 0 for passage_id in first_ten[query_id]])
        if query_id in first_ten
        else 0.0
        for query_id in qrels
    }
    return {
        "RR@10": evaluate("recip_rank", first_ten, relevance_level=min_relevance),
        "nDCG@10": evaluate("ndcg_cut.10", run),
        "R@20": evaluate("recall.20", run, relevance_level=min_relevance),
        "AP@1000": evaluate("map_cut.1000", run, relevance_level=min_relevance),
        "Judged@10": judged,
        "nDCG(judged_only=True)@10": evaluate("ndcg_cut.10", run, judged_docs_only_flag=True),
    }


def digest(lines):
    """As `sort -u | sha256sum` says, with LC_ALL=C."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()[:16]


@pytest.mark.parametrize("min_relevance", [1, 2])
def test_values_are_those_of_pytrec_eval(min_relevance, tmp_path):
    rankings, judgements, query_ids = random_test_set()
    metrics = measured(tmp_path, rankings, judgements, query_ids, min_relevance)
    for name, by_query in reference(tmp_path / "run.trec", judgements, min_relevance).items():
        found = metrics["measures"][name]
        assert found["by_query"] == pytest.approx(by_query, abs=1e-6), name
        assert found["mean"] == pytest.approx(np.mean(list(by_query.values())), abs=1e-6), name


def test_blocks_of_queries_make_no_difference(tmp_path, monkeypatch):
    inputs = random_test_set()
    together = measured(tmp_path, *inputs)
    monkeypatch.setattr(runs, "BLOCK_BYTES", 2_000)
    assert len(list(runs.iter_rankings(tmp_path / "run.trec"))) > 10
    assert measured(tmp_path, *inputs) == together


def test_the_file_says_what_was_measured_and_what_is_missing(tmp_path):
    rankings, judgements, query_ids = random_test_set()
    metrics = measured(tmp_path, rankings, judgements, query_ids, min_relevance=2)
    assert list(metrics["measures"]) == MEASURES
    del metrics["measures"]
    judged = [(query_id, passage_id, grade) for query_id, passage_id, grade in judgements if grade >= 0]
    by_grade = [f"{grade}:{sum(found == grade for _, _, found in judged)}" for grade in range(4)]
    assert metrics == {
        "system": "bm25",
        "test_set": "dev",
        "min_relevance": 2,
        "passages": 100,
        "queries": 40,
        "judgements": " ".join(by_grade),
        "query_ids": digest({query_id for query_id, _, _ in judged}),
        "qrels": digest(f"{query_id} {passage_id} {grade}" for query_id, passage_id, grade in judged),
        "depth": 50,
        "queries_without_judgements": 2,
        "queries_without_results": 5,
    }


def test_a_query_without_results_counts_as_zero(tmp_path):
    metrics = measured(tmp_path, [Ranking("q1", ["p1"], [1.0])], [("q1", "p1", 1), ("q2", "p1", 1)], ["q1", "q2", "q3"])
    for name in MEASURES:
        assert metrics["measures"][name] == {"mean": 0.5, "by_query": {"q1": 1.0, "q2": 0.0}}


def test_an_empty_run_is_zero_everywhere(tmp_path):
    metrics = measured(tmp_path, [], [("q1", "p1", 1)], ["q1"])
    assert all(found["mean"] == 0 for found in metrics["measures"].values())
    assert metrics["depth"] == 0


def test_the_order_of_judgements_means_nothing_and_each_of_them_counts(tmp_path):
    rankings, judgements, query_ids = random_test_set()
    first = measured(tmp_path, rankings, judgements, query_ids)
    assert measured(tmp_path, rankings[::-1], judgements[::-1], query_ids)["qrels"] == first["qrels"]
    place = next(place for place, (_, _, grade) in enumerate(judgements) if grade == 2)
    changed = [*judgements[:place], (*judgements[place][:2], 3), *judgements[place + 1 :]]
    other = measured(tmp_path, rankings, changed, query_ids)
    assert other["qrels"] != first["qrels"] and other["query_ids"] == first["query_ids"]
    fewer = measured(tmp_path, rankings, judgements[30:], query_ids)
    assert fewer["query_ids"] != first["query_ids"]


def test_grade_minus_one_is_no_judgement(tmp_path):
    rankings = [Ranking("q1", ["p1", "p2", "p3"], [3.0, 2.0, 1.0])]
    with_it = measured(tmp_path, rankings, [("q1", "p1", -1), ("q1", "p2", 1)], ["q1"])
    without = measured(tmp_path, rankings, [("q1", "p2", 1)], ["q1"])
    assert with_it == without
    assert with_it["measures"]["Judged@10"]["mean"] == pytest.approx(1 / 3)


def test_a_run_of_another_test_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"run\.trec: the run has 1 queries .*not in the test set .*q9"):
        measured(tmp_path, [Ranking("q9", ["p1"], [1.0])], [("q1", "p1", 1)], ["q1"])


def test_judgements_of_another_test_set_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"qrels\.txt: the qrels has 1 queries .*not in the test set .*q9"):
        measured(tmp_path, [], [("q9", "p1", 1)], ["q1"])


@pytest.mark.parametrize("name", ["MRR10", "nDCG@x", "RR@"])
def test_an_unknown_measure_is_named(name, tmp_path):
    with pytest.raises(ValueError, match=f'found the measure "{name}", expected ir_measures notation'):
        measured(tmp_path, [], [("q1", "p1", 1)], ["q1"], measures=[name])
