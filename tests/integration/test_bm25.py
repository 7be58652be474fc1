"""BM25 against its formula and against Pyserini's published numbers.

Java starts once, in one process of its own: it must not meet torch or faiss of other tests.
"""

import json
import logging
import math
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillroom.bm25 import log_without_hits, write_json_collection
from stillroom.measures import measure
from stillroom.runs import Ranking, read_run, write_qrels

DATASETS = Path(__file__).parents[3] / "shared" / "data" / "ir_datasets_home"

# Text, and the terms that Lucene's English analysis leaves: no stop words, stems of Porter.
# Below 40 terms Lucene stores lengths exactly.
PASSAGES = {
    "p1": ("The cat sat on the mat near the cat door.", "cat sat mat near cat door"),
    "p2": ("A dog and two cats drank from a bowl of milk.", "dog two cat drank from bowl milk"),
    "p3": ("Milk, milk and more milk!", "milk milk more milk"),
    "p4": ("", ""),
    "p5": ("It rained until the garden pond was full", "rain until garden pond full"),
    "p6": ("There was not a dog in the garden; that dog had found the door", "dog garden dog had found door"),
    "p7": ("This is it.", ""),
    "q1": ("A cat", "cat"),
    "p8": (" \t\n", ""),
    "p9": ("naïve \U0001f600 \u2028 garden\u0085", "naïv \U0001f600 garden"),
}
# The first words of some texts, and their terms.
TITLES = {"p2": ("A dog", "dog"), "p3": ("Milk,", "milk"), "p6": ("There was", ""), "p9": ("naïve", "naïv")}
EMPTY = ["p4", "p8"]  # not in the index; p7 is, without a term
QUERIES = {
    "q1": ("the cat", "cat"),
    "q2": ("milk for cats and dogs", "milk cat dog"),
    "q3": ("garden, garden door?", "garden garden door"),
    "q4": ("zebra", "zebra"),
    "q5": ("", ""),
    "q6": ("naïve \U0001f600", "naïv \U0001f600"),
}
K1, B = 1.2, 0.75

WORK = """
import sys
from stillroom.bm25 import index_passages, search
folder, *corpora = sys.argv[1:]
for corpus, k1, b, depth in (words.split(",") for words in corpora):
    path = f"{folder}/{corpus}"
    for name, fields in (("index", False), ("two", True)):
        index_passages(
            passages_path=f"{path}/passages.parquet", index_folder=f"{path}/{name}", fields=fields, threads=2
        )
    both, heavy = {"title": 1.0, "text": 1.0}, {"title": 2.5, "text": 0.5}
    for run, drop, fields in (
        ("kept", False, None), ("dropped", True, None), ("fields", True, both), ("heavy", False, heavy)
    ):
        search(
            index_folder=f"{path}/two" if fields else f"{path}/index",
            fields=fields,
            queries_path=f"{path}/queries.parquet",
            run_path=f"{path}/{run}.trec",
            k1=float(k1),
            b=float(b),
            depth=int(depth),
            threads=2,
            tag="bm25",
            drop_own_passage=drop,
        )
print("torch" in sys.modules)
"""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """A folder with an index and runs of the small corpus and, where its data lies at hand, of nfcorpus."""
    folder = tmp_path_factory.mktemp("bm25")
    titles = {key: text for key, (text, _) in TITLES.items()}
    write_corpus(folder / "small", texts_of(PASSAGES), texts_of(QUERIES), titles)
    work = [f"small,{K1},{B},3"]
    if (DATASETS / "beir" / "nfcorpus").is_dir():
        write_nfcorpus(folder)
        work.append("nfcorpus,0.9,0.4,1000")
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(folder), *work],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "imported_torch").write_text(done.stdout.split()[-1])
    return folder


def texts_of(entries):
    return {key: text for key, (text, _) in entries.items()}


def write_corpus(folder, passages, queries, titles):
    folder.mkdir()
    for name, key, entries in (("passages", "passage_id", passages), ("queries", "query_id", queries)):
        table = pa.table({"text": list(entries.values()), key: list(entries)})
        if name == "passages":
            table = table.append_column("title", [[titles.get(key, "") for key in entries]])
        pq.write_table(table, folder / f"{name}.parquet")


def write_nfcorpus(folder):
    """Texts as ir_datasets joins them, title first. Its folder is copied, because it writes into it."""
    shutil.copytree(DATASETS / "beir" / "nfcorpus", folder / "datasets" / "beir" / "nfcorpus")
    code = (
        "import ir_datasets, json, sys; test = ir_datasets.load('beir/nfcorpus/test'); json.dump(["
        "{doc.doc_id: doc.default_text() for doc in test.docs_iter()},"
        "{doc.doc_id: doc.title for doc in test.docs_iter()},"
        "{query.query_id: query.default_text() for query in test.queries_iter()},"
        "[[qrel.query_id, qrel.doc_id, qrel.relevance] for qrel in test.qrels_iter()]], sys.stdout)"
    )
    environment = {**os.environ, "IR_DATASETS_HOME": str(folder / "datasets")}
    passages, titles, queries, judgements = json.loads(
        subprocess.check_output([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    )
    write_corpus(folder / "nfcorpus", passages, queries, titles)
    write_qrels(folder / "nfcorpus" / "qrels.txt", judgements)


def bm25_formula(query_id, passage_id):
    """Lucene's BM25: Robertson's without the factor k1 + 1; a query term counts as often as it stands."""
    lengths = {key: len(terms.split()) for key, (_, terms) in PASSAGES.items() if terms}
    mean_length = np.mean(list(lengths.values()))
    counts = Counter(PASSAGES[passage_id][1].split())
    score = 0.0
    for term in QUERIES[query_id][1].split():
        found_in = sum(term in terms.split() for _, terms in PASSAGES.values())
        idf = math.log(1 + (len(lengths) - found_in + 0.5) / (found_in + 0.5))
        score += idf * counts[term] / (counts[term] + K1 * (1 - B + B * lengths[passage_id] / mean_length))
    return score


def by_query(run_path):
    run = read_run(run_path)
    return {
        query_id: dict(zip(lines["passage_id"], lines["score"], strict=True))
        for query_id, lines in run.groupby("query_id")
    }


def expected_scores(query_id):
    """The scores of all passages that share a term with the query, best first."""
    candidates = [passage_id for passage_id, (_, terms) in PASSAGES.items() if terms]
    scores = {passage_id: bm25_formula(query_id, passage_id) for passage_id in candidates}
    return dict(sorted(((key, score) for key, score in scores.items() if score), key=lambda item: -item[1]))


def test_scores_are_those_of_the_formula(corpora):
    found = by_query(corpora / "small" / "kept.trec")
    for query_id in QUERIES:
        expected = dict(list(expected_scores(query_id).items())[:3])
        assert list(found.get(query_id, {})) == list(expected)
        # Anserini rounds to four digits and lowers ties by 1e-6.
        assert found.get(query_id, {}) == pytest.approx(expected, abs=6e-5)


def test_only_the_querys_own_passage_is_dropped_and_the_depth_stays(corpora):
    kept, dropped = (by_query(corpora / "small" / f"{name}.trec") for name in ("kept", "dropped"))
    assert "q1" in kept["q1"]
    others = [passage_id for passage_id in expected_scores("q1") if passage_id != "q1"]
    assert list(dropped["q1"]) == others[:3]
    assert {key: found for key, found in kept.items() if key != "q1"} == {
        key: found for key, found in dropped.items() if key != "q1"
    }


def test_the_depth_is_kept_and_a_query_without_hits_has_no_line(corpora):
    found = by_query(corpora / "small" / "kept.trec")
    assert max(map(len, found.values())) == 3
    assert set(found) == set(QUERIES) - {"q4", "q5"}


def test_bm25_does_without_torch(corpora):
    assert (corpora / "imported_torch").read_text() == "False"


def test_nothing_is_left_beside_the_index(corpora):
    names = {path.name for path in (corpora / "small").iterdir()}
    runs = {"kept.trec", "dropped.trec", "fields.trec", "heavy.trec"}
    assert names == {"passages.parquet", "queries.parquet", "index", "two"} | runs


def field_formula(query_id, terms_of, passage_id):
    """As `bm25_formula` on one field: passages without a term in it count nowhere."""
    lengths = {key: len(terms.split()) for key, terms in terms_of.items() if terms}
    counts = Counter(terms_of.get(passage_id, "").split())
    score = 0.0
    for term in QUERIES[query_id][1].split():
        found_in = sum(term in terms.split() for terms in terms_of.values())
        idf = math.log(1 + (len(lengths) - found_in + 0.5) / (found_in + 0.5))
        length = lengths.get(passage_id, 0) / np.mean(list(lengths.values()))
        score += idf * counts[term] / (counts[term] + K1 * (1 - B + B * length))
    return score


@pytest.mark.parametrize(("run", "weights"), [("fields", (1.0, 1.0)), ("heavy", (2.5, 0.5))])
def test_two_fields_have_the_weighted_sum_of_their_scores(run, weights, corpora):
    titles = {key: terms for key, (_, terms) in TITLES.items()}
    bodies = {key: " ".join(terms.split()[len(titles.get(key, "").split()) :]) for key, (_, terms) in PASSAGES.items()}
    found = by_query(corpora / "small" / f"{run}.trec")
    for query_id in QUERIES:
        scores = {
            key: weights[0] * field_formula(query_id, titles, key) + weights[1] * field_formula(query_id, bodies, key)
            for key in PASSAGES
            if key not in EMPTY and not (run == "fields" and key == query_id)
        }
        best = sorted(((key, score) for key, score in scores.items() if score), key=lambda item: -item[1])[:3]
        assert found.get(query_id, {}) == pytest.approx(dict(best), abs=6e-5)


@pytest.mark.parametrize(("run", "ndcg", "recall"), [("kept", 0.3218, 0.2457), ("fields", 0.3254, 0.2500)])
def test_nfcorpus_reaches_the_published_numbers(run, ndcg, recall, corpora):
    """Pyserini's regressions for BEIR's nfcorpus, flat (title and text as one field) and multifield."""
    folder = corpora / "nfcorpus"
    if not folder.is_dir():
        pytest.skip("the data of beir/nfcorpus is not at hand")
    measure(
        run_path=folder / f"{run}.trec",
        qrels_path=folder / "qrels.txt",
        queries_path=folder / "queries.parquet",
        passages_path=folder / "passages.parquet",
        system="bm25",
        test_set="nfcorpus",
        measures=["nDCG@10", "R@100"],
        min_relevance=1,
        metrics_path=folder / "metrics.json",
    )
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["queries"] == 323
    assert metrics["measures"]["nDCG@10"]["mean"] == pytest.approx(ndcg, abs=0.0005)
    assert metrics["measures"]["R@100"]["mean"] == pytest.approx(recall, abs=0.0005)


def test_passages_are_streamed_into_files_and_empty_ones_counted(tmp_path):
    write_corpus(tmp_path / "small", texts_of(PASSAGES), texts_of(QUERIES), {})
    (tmp_path / "json").mkdir()
    counts = write_json_collection(tmp_path / "small" / "passages.parquet", tmp_path / "json", fields=False)
    assert counts == (len(PASSAGES), len(EMPTY))
    texts = [file.read_text(encoding="utf-8") for file in sorted((tmp_path / "json").iterdir())]
    lines = [json.loads(line) for text in texts for line in text.split("\n")[:-1]]
    assert {line["id"]: line["contents"] for line in lines} == texts_of(PASSAGES)


def test_queries_without_hits_are_counted_in_the_log(caplog):
    caplog.set_level(logging.INFO)
    rankings = [Ranking("q1", ["p1"], [1.0]), Ranking("q2", [], []), Ranking("q3", [], [])]
    assert list(log_without_hits(iter(rankings))) == rankings
    assert "2 of 3 queries have no hit; they count as 0 in all measures" in caplog.text
