"""BM25 beside bare Anserini, started from its command line: indexing, and searching to depth 1,000.

Ours begins with passages.parquet and ends with an index or a run; Anserini with the JSON that it reads.
"""

import os
import subprocess
import time
from pathlib import Path

import made_up
import pyarrow.parquet as pq

PASSAGES, QUERIES, DEPTH = 100_000, 1_000, 1_000
K1, B = 0.9, 0.4
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def prepare(folder: Path, scale: float) -> None:
    from stillroom.bm25 import write_json_collection

    made_up.write_passages(folder / "passages.parquet", round(PASSAGES * scale))
    made_up.write_queries(folder / "queries.parquet", max(1, round(QUERIES * scale)))
    (folder / "json").mkdir()
    write_json_collection(folder / "passages.parquet", folder / "json", fields=False)
    queries = pq.read_table(folder / "queries.parquet").to_pydict()
    lines = (f"{name}\t{text}\n" for name, text in zip(queries["query_id"], queries["text"], strict=True))
    (folder / "queries.tsv").write_text("".join(lines), encoding="utf-8")


def prepare_index(folder: Path, scale: float) -> None:
    prepare(folder, scale)
    index(folder)


def index(folder: Path) -> tuple[int, float]:
    from stillroom.bm25 import index_passages

    began = time.perf_counter()
    paths = {"passages_path": folder / "passages.parquet", "index_folder": folder / "index"}
    index_passages(**paths, fields=False, threads=THREADS)
    return passages(folder), time.perf_counter() - began


def index_with_peer(folder: Path) -> tuple[int, float]:
    began = time.perf_counter()
    anserini(
        "io.anserini.index.IndexCollection",
        {
            "collection": "JsonCollection",
            "generator": "DefaultLuceneDocumentGenerator",
            "input": folder / "json",
            "index": folder / "peer",
            "threads": THREADS,
            "memoryBuffer": 512,
        },
    )
    return passages(folder), time.perf_counter() - began


def search(folder: Path) -> tuple[int, float]:
    from stillroom.bm25 import search

    began = time.perf_counter()
    search(
        index_folder=folder / "index",
        queries_path=folder / "queries.parquet",
        run_path=folder / "ours.trec",
        k1=K1,
        b=B,
        fields=None,
        depth=DEPTH,
        threads=THREADS,
        tag="bm25",
        drop_own_passage=False,
    )
    return queries(folder), time.perf_counter() - began


def search_with_peer(folder: Path) -> tuple[int, float]:
    began = time.perf_counter()
    anserini(
        "io.anserini.search.SearchCollection",
        {
            "index": folder / "index",
            "topics": folder / "queries.tsv",
            "topicReader": "TsvString",
            "output": folder / "peer.trec",
            "hits": DEPTH,
            "parallelism": THREADS,
            "bm25": "",
            "bm25.k1": K1,
            "bm25.b": B,
        },
    )
    return queries(folder), time.perf_counter() - began


def anserini(program: str, settings: dict) -> None:
    """Run a program of Anserini with the runtime and the memory that ours has."""
    from stillroom.java import anserini_jar, find_java, java_options

    home, version = find_java()
    words = [word for name, value in settings.items() for word in (f"-{name}", str(value)) if word]
    options = java_options(version, "2g", THREADS)
    command = [str(home / "bin" / "java"), *options, "-cp", str(anserini_jar()), program, *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def passages(folder: Path) -> int:
    return pq.read_metadata(folder / "passages.parquet").num_rows


def queries(folder: Path) -> int:
    return pq.read_metadata(folder / "queries.parquet").num_rows


def index_difference(folder: Path, scale: float) -> dict:
    """The difference of the numbers of passages in both indexes."""
    from stillroom.bm25 import count_indexed
    from stillroom.java import start_java

    start_java()
    return {"difference": abs(count_indexed(folder / "index") - count_indexed(folder / "peer"))}


def run_difference(folder: Path, scale: float) -> dict:
    """The largest difference of a score at the same rank; Anserini prints four digits."""
    from stillroom.runs import read_run

    ours, peer = (
        read_run(folder / f"{side}.trec").sort_values(["query_id", "score"], ignore_index=True)
        for side in ("ours", "peer")
    )
    if not ours["query_id"].equals(peer["query_id"]):
        return {"difference": 1.0}
    return {"difference": float((ours["score"] - peer["score"]).abs().max())}


STAGES = {
    "index BM25": {
        "prepare": prepare,
        "ours": index,
        "peer": index_with_peer,
        "difference": index_difference,
        "tolerance": 0.0,
        "peer_name": "Anserini",
        "unit": "passages/s",
    },
    "search BM25": {
        "prepare": prepare_index,
        "ours": search,
        "peer": search_with_peer,
        "difference": run_difference,
        "tolerance": 2e-3,
        "peer_name": "Anserini",
        "unit": "queries/s",
    },
}
