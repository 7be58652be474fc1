"""Indexes against brute force, and the folder as Pyserini reads it."""

import json
import os
import subprocess
import sys

import faiss
import numpy as np
import pytest

from stillroom.indexes import build_index, retrieve
from stillroom.runs import read_run

RANDOM = np.random.default_rng(6)
PASSAGES = RANDOM.normal(size=(700, 24)).astype(np.float32) * RANDOM.uniform(0.5, 2, (700, 1)).astype(np.float32)
QUERIES = RANDOM.normal(size=(300, 24)).astype(np.float32)  # more than one block
PASSAGE_IDS = [f"p-{number}" for number in RANDOM.permutation(700)]
ROW_OF = {name: row for row, name in enumerate(PASSAGE_IDS)}


@pytest.fixture
def index(tmp_path, write_vectors):
    """A function that indexes vectors of passages."""

    def index(factory="Flat", vectors=PASSAGES, ids=PASSAGE_IDS):
        files = write_vectors(tmp_path, "passages", ids, vectors)
        build_index(**files, factory=factory, index_folder=tmp_path / "index", threads=1)
        return tmp_path / "index"

    return index


@pytest.fixture
def search(tmp_path, write_vectors):
    """A function that searches an index and reads the run."""

    def search(index_folder, depth, query_ids=None, vectors=QUERIES, drop_own_passage=False):
        query_ids = query_ids or [f"q{number}" for number in range(len(vectors))]
        retrieve(
            **write_vectors(tmp_path, "queries", query_ids, vectors),
            index_folder=index_folder,
            run_path=tmp_path / "run.trec",
            depth=depth,
            drop_own_passage=drop_own_passage,
            tag="exact",
            threads=1,
        )
        return read_run(tmp_path / "run.trec")

    return search


def brute_force(query_vector, depth, without=None):
    """The best passages of one query by a matrix product."""
    scores = PASSAGES.astype(np.float64) @ query_vector.astype(np.float64)
    ranking = [row for row in np.argsort(-scores) if PASSAGE_IDS[row] != without][:depth]
    return [PASSAGE_IDS[row] for row in ranking], scores[ranking]


@pytest.mark.parametrize("depth", [1, 50, 1000])
def test_the_exact_index_returns_what_brute_force_returns(depth, index, search):
    run = search(index(), depth, vectors=QUERIES[: 300 if depth < 100 else 30])
    assert run["query_id"].nunique() == (300 if depth < 100 else 30)
    for number, (query_id, found) in enumerate(run.groupby("query_id", sort=False)):
        _, scores = brute_force(QUERIES[number], depth)
        assert query_id == f"q{number}"
        assert found["score"].to_numpy() == pytest.approx(scores, rel=1e-4, abs=1e-4)
        rows = [ROW_OF[passage_id] for passage_id in found["passage_id"]]  # near ties may be in either order
        assert found["score"].to_numpy() == pytest.approx(PASSAGES[rows] @ QUERIES[number], rel=1e-4, abs=1e-4)
        assert len(set(rows)) == min(depth, 700)


def test_a_querys_own_passage_is_dropped_and_the_depth_kept(index, search):
    query_ids = [*PASSAGE_IDS[:150], *(f"q{number}" for number in range(150))]
    vectors = np.concatenate([PASSAGES[:150] * 3, QUERIES[:150]])  # a passage is nearly always its own best match
    run = search(index(), 20, query_ids=query_ids, vectors=vectors, drop_own_passage=True)
    for number, (query_id, found) in enumerate(run.groupby("query_id", sort=False)):
        assert found["passage_id"].tolist() == brute_force(vectors[number], 20, without=query_id)[0]
    kept = search(index(), 20, query_ids=query_ids, vectors=vectors)
    assert (kept["query_id"] == kept["passage_id"]).sum() > 100


def test_an_approximate_index_finds_most_and_may_find_fewer(index, search):
    exact = search(index(), 10).groupby("query_id")["passage_id"].agg(set)
    approximate = search(index("HNSW16"), 10).groupby("query_id")["passage_id"].agg(set)
    assert np.mean([len(exact[name] & approximate[name]) / 10 for name in exact.index]) > 0.8
    inverted = search(index("IVF32,Flat"), 500)  # trained; one list of 32 is looked into
    sizes = inverted.groupby("query_id").size()
    assert sizes.max() < 500 and sizes.min() > 0


def test_an_unknown_factory_ends_in_one_sentence(index):
    with pytest.raises(ValueError, match=r"^indexes: 'Flatt' is not a faiss factory string such as Flat or HNSW32\.$"):
        index("Flatt")


def test_vectors_of_another_number_of_texts_stop(index, search):
    with pytest.raises(ValueError, match=r"passages\.npy: expected 700 vectors \(passages\), found 699\.$"):
        index(vectors=PASSAGES[:699])
    with pytest.raises(ValueError, match=r"queries\.npy: expected 2 vectors \(queries\), found 300\.$"):
        search(index(), 10, query_ids=["q1", "q2"])


def test_the_folder_holds_ids_in_the_order_of_the_rows(index):
    folder = index()
    assert (folder / "docid").read_bytes() == "".join(f"{name}\n" for name in PASSAGE_IDS).encode()
    stored = faiss.read_index(str(folder / "index"))
    assert stored.ntotal == 700 and stored.metric_type == faiss.METRIC_INNER_PRODUCT
    assert np.array_equal(stored.reconstruct_n(0, 700), PASSAGES)


PYSERINI = """
import json, sys
import numpy as np
from stillroom.java import start_java
start_java()
from pyserini.encode import QueryEncoder
from pyserini.search.faiss import FaissSearcher
class Given(QueryEncoder):
    def __init__(self):
        pass
    def encode(self, query, **options):
        return vectors[int(query)]
vectors = np.load(sys.argv[2])
searcher = FaissSearcher(sys.argv[1], Given())
print(json.dumps([[(hit.docid, float(hit.score)) for hit in searcher.search(str(row), k=7)] for row in range(5)]))
"""


@pytest.mark.slow  # Pyserini imports everything it may ever need, and starts Java
def test_pyserini_opens_the_folder_and_finds_the_same(index, tmp_path):
    np.save(tmp_path / "some.npy", QUERIES[:5])
    done = subprocess.run(
        [sys.executable, "-c", PYSERINI, str(index()), str(tmp_path / "some.npy")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for query, hits in zip(QUERIES, json.loads(done.stdout.splitlines()[-1]), strict=False):
        ids, scores = brute_force(query, 7)
        assert [name for name, _ in hits] == ids
        assert [score for _, score in hits] == pytest.approx(list(scores), rel=1e-4)
