"""BM25 as Pyserini does it: Anserini's index and searcher from Pyserini's own Java archive.

The Java classes are called directly; Pyserini's thin wrappers around them import torch, which takes eight
seconds per job. Analysis, index options and scores are those of Pyserini's published regressions.
"""

import json
import logging
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from stillroom.files import atomic_path
from stillroom.java import start_java
from stillroom.log import ProgressMeter, duration
from stillroom.parquet import open_parquet
from stillroom.runs import Ranking, write_run

logger = logging.getLogger(__name__)

MEMORY = "2g"
BUFFER_MB = 512  # of that, for passages not yet written; Anserini's default of 4,096 would overflow it
PASSAGES_PER_FILE = 50_000  # a thread of the indexer takes a file at a time
QUERIES_PER_BLOCK = 200  # 200 queries of 1,000 hits are some 50 MB of Java objects
MOST_TERMS = 1_024  # per query: Lucene's default
JAVA_SPACE = "".join(map(chr, range(0x21)))  # what String.trim() takes off; Anserini drops what is then empty


def index_passages(*, passages_path: str | Path, index_folder: str | Path, threads: int) -> None:
    """Build the Lucene index of all passages; no positions, vectors or texts, as is Pyserini's default."""
    began = time.monotonic()
    start_java(memory=MEMORY, threads=threads)
    with atomic_path(index_folder) as unfinished:
        # Beside the index: the texts of MS MARCO (3.5 GB) overflow many a temporary folder.
        with tempfile.TemporaryDirectory(dir=unfinished.parent) as collection:
            passages, empty = write_json_collection(passages_path, Path(collection))
            logger.info("indexing; Lucene does some 20,000 passages per second and thread")
            build_index(Path(collection), unfinished, threads)
        indexed = count_indexed(unfinished)
        if indexed != passages - empty:
            raise ValueError(
                f"{index_folder}: expected {passages - empty:,} passages in the index, found {indexed:,};"
                " messages of the indexer stand above on the terminal."
            )
    if empty:
        logger.warning("%s of %s passages are empty and not in the index", f"{empty:,}", f"{passages:,}")
    logger.info("indexed %s passages in %s", f"{indexed:,}", duration(time.monotonic() - began))


def write_json_collection(passages_path: str | Path, folder: Path) -> tuple[int, int]:
    """Write the passages as Anserini's JsonCollection; the number of all and of the empty ones among them."""
    passages = open_parquet(passages_path)
    empty = 0
    meter = ProgressMeter(total=passages.metadata.num_rows, unit="passages read")
    batches = passages.iter_batches(PASSAGES_PER_FILE, columns=["passage_id", "text"])
    for number, batch in enumerate(batches):
        with open(folder / f"{number:06d}.jsonl", "w", encoding="utf-8") as file:
            texts = batch["text"].to_pylist()
            for passage_id, text in zip(batch["passage_id"].to_pylist(), texts, strict=True):
                empty += not text.strip(JAVA_SPACE)
                file.write(json.dumps({"id": passage_id, "contents": text}) + "\n")
        meter.advance(len(batch))
    meter.finish()
    return meter.done, empty


def build_index(collection: Path, index_folder: Path, threads: int) -> None:
    """Run Anserini's indexer. It reports its failures on the terminal only: count what it made."""
    from jnius import autoclass

    settings = {
        "-collection": "JsonCollection",
        "-generator": "DefaultLuceneDocumentGenerator",
        "-input": collection,
        "-index": index_folder,
        "-threads": threads,
        "-memoryBuffer": BUFFER_MB,
    }
    words = [str(word) for setting in settings.items() for word in setting]
    autoclass("io.anserini.index.IndexCollection").main([*words, "-quiet"])


def count_indexed(index_folder: Path) -> int:
    """The number of passages in a Lucene index."""
    from jnius import autoclass

    reader = autoclass("io.anserini.index.IndexReaderUtils").getReader(str(index_folder))
    count = reader.numDocs()
    reader.close()
    return count


def search(
    *,
    index_folder: str | Path,
    queries_path: str | Path,
    run_path: str | Path,
    k1: float,
    b: float,
    depth: int,
    threads: int,
    tag: str,
    drop_own_passage: bool,
) -> None:
    """Write the run of the first `depth` passages of every query.

    With `drop_own_passage` the passage whose id is the query's own is left out (Pyserini's --remove-query):
    in ArguAna the queries are themselves passages of the collection. Scores come rounded to four digits,
    and equal ones ordered by passage id and set apart by 1e-6: Anserini's own rule for ties.
    """
    start_java(memory=MEMORY, threads=threads)
    queries = pq.read_table(queries_path, columns=["query_id", "text"]).to_pydict()
    searcher = open_searcher(index_folder, k1, b)
    rankings = search_blocks(searcher, queries["query_id"], queries["text"], depth, threads, drop_own_passage)
    logger.info("searching with k1 = %g, b = %g to depth %s", k1, b, f"{depth:,}")
    write_run(run_path, log_without_hits(rankings), tag)
    searcher.close()


def open_searcher(index_folder: str | Path, k1: float, b: float):
    """Anserini's SimpleSearcher, the class behind Pyserini's LuceneSearcher."""
    from jnius import autoclass

    searcher = autoclass("io.anserini.search.SimpleSearcher")(str(index_folder))
    searcher.set_bm25(k1, b)
    return searcher


def search_blocks(
    searcher, query_ids: list[str], texts: list[str], depth: int, threads: int, drop_own_passage: bool
) -> Iterator[Ranking]:
    """The rankings of all queries, in their order, block by block: this bounds memory and shows progress."""
    meter = ProgressMeter(total=len(query_ids), unit="queries searched")
    hits = depth + 1 if drop_own_passage else depth
    for start in range(0, len(query_ids), QUERIES_PER_BLOCK):
        block = slice(start, start + QUERIES_PER_BLOCK)
        found = batch_search(searcher, query_ids[block], texts[block], hits, threads)
        for query_id in query_ids[block]:
            passage_ids, scores = found[query_id]
            kept = passage_ids != query_id if drop_own_passage else slice(None)
            yield Ranking(query_id, passage_ids[kept][:depth], scores[kept][:depth])
        meter.advance(len(found))
    meter.finish()


def batch_search(
    searcher, query_ids: list[str], texts: list[str], hits: int, threads: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Passage ids and scores per query id, searched in parallel."""
    from jnius import JavaException, autoclass

    array_list = autoclass("java.util.ArrayList")
    java_ids, java_texts = array_list(), array_list()
    for query_id, text in zip(query_ids, texts, strict=True):
        java_ids.add(query_id)
        java_texts.add(text)
    try:
        found = searcher.batch_search(java_texts, java_ids, hits, threads)
    except JavaException as error:
        raise RuntimeError(
            f"Lucene failed on one of the queries {query_ids[0]} to {query_ids[-1]} (it takes at most"
            f" {MOST_TERMS:,} different terms per query): {error.innermessage}."
        ) from error
    return {entry.getKey(): as_arrays(entry.getValue()) for entry in found.entrySet().toArray()}


def as_arrays(hits) -> tuple[np.ndarray, np.ndarray]:
    """Passage ids and scores of Java's hits."""
    passage_ids = np.array([hit.docid for hit in hits], dtype=object)
    return passage_ids, np.array([hit.score for hit in hits], dtype=np.float32)


def log_without_hits(rankings: Iterator[Ranking]) -> Iterator[Ranking]:
    """The same rankings; afterwards, the number of those without any passage is in the log."""
    without = total = 0
    for ranking in rankings:
        total += 1
        without += len(ranking.passage_ids) == 0
        yield ranking
    if without:
        logger.warning("%d of %d queries have no hit; they count as 0 in all measures", without, total)
