"""The worker of BM25: Java alone."""

import time
from functools import cache

from stillroom.bm25 import MEMORY, TITLE, batch_search, open_searcher
from stillroom.java import start_java

WARM_UP = ["what is it", "how to make it"] * 10  # Java compiles what has run a few times


def prepare(threads: int) -> None:
    """Start Java."""
    start_java(memory=MEMORY, threads=threads)


@cache
def searcher(index_folder: str, k1: float, b: float):
    """The searcher of an index, warmed up."""
    opened = open_searcher(index_folder, k1, b)
    for query in WARM_UP:
        batch_search(opened, ["warm-up"], [query], 10, fields={}, threads=1)
    return opened


def search(
    index_folder: str, k1: float, b: float, fields: dict[str, float] | None, query: str, depth: int
) -> tuple[list[str], list[float], float]:
    """Ids and scores of the first passages for a query, and the seconds that it took."""
    opened = searcher(index_folder, k1, b)
    weights = {TITLE: fields["title"], "contents": fields["text"]} if fields else {}
    began = time.perf_counter()
    ids, scores = batch_search(opened, ["query"], [query], depth, fields=weights, threads=1)["query"]
    return ids.tolist(), scores.tolist(), time.perf_counter() - began
