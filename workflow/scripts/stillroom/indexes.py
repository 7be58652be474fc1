"""faiss indexes of passage vectors, in the layout of Pyserini's FaissSearcher: `index` and `docid` in a folder.

Shape suffixes: Q = queries, P = passages, D = dimensions, K = retrieved passages.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pyarrow.parquet as pq

from stillroom.files import atomic_path
from stillroom.index_factory import (
    check_metric,
    clusters_of,
    is_graph,
    new_index,
    prepare_training,
    set_parameters,
)
from stillroom.log import ProgressMeter
from stillroom.runs import write_run

logger = logging.getLogger(__name__)

BLOCK_PASSAGES = 65_536
BLOCK_QUERIES = 256
VECTORS_PER_CLUSTER = 39  # that a k-means should learn from, as faiss advises


def build_index(
    *,
    vectors_path: str | Path,
    passages_path: str | Path,
    factory: str,
    ef_construction: int | None,
    index_folder: str | Path,
    threads: int,
) -> None:
    """Index the vectors for inner products: `Flat` is exact, others are faiss factory strings (`HNSW32`)."""
    vectors_PD = np.load(vectors_path, mmap_mode="r")
    passage_ids = pq.read_table(passages_path, columns=["passage_id"])["passage_id"]
    if len(passage_ids) != len(vectors_PD):
        raise ValueError(
            f"{vectors_path}: expected {len(passage_ids):,} vectors (passages), found {len(vectors_PD):,}."
        )
    meter = ProgressMeter(total=len(vectors_PD), unit="passages indexed")
    index = filled_index(vectors_PD, factory, ef_construction, threads, meter.advance)
    meter.finish()
    if (clusters := clusters_of(index)) * VECTORS_PER_CLUSTER > len(vectors_PD):
        learnt = f"{clusters:,} clusters of {len(vectors_PD):,} passages"
        logger.warning("%s: %s, faiss advises %d passages for each", factory, learnt, VECTORS_PER_CLUSTER)
    with atomic_path(index_folder) as folder:
        folder.mkdir()
        faiss.write_index(index, str(folder / "index"))
        (folder / "docid").write_text("".join(f"{passage_id}\n" for passage_id in passage_ids.to_pylist()))


def filled_index(
    vectors_PD: np.ndarray,
    factory: str,
    ef_construction: int | None,
    threads: int,
    advance: Callable[[int], None] = lambda added: None,
) -> faiss.Index:
    """The index of all vectors, trained on them where it has something to learn; the same at every call.

    faiss draws what is random from fixed seeds. Graphs of passages grow in one thread: several would link them in
    whatever order they were ready, as they do in a graph of cells (`IVF65536_HNSW32`), which so differs each time.
    `advance` is told how many vectors have been added.
    """
    faiss.omp_set_num_threads(threads)
    index = new_index(factory, vectors_PD.shape[1])
    if ef_construction is not None:
        set_parameters(index, {"ef_construction": ef_construction})
    if clusters_of(index) > len(vectors_PD):
        clusters, passages = f"{clusters_of(index):,} clusters", f"{len(vectors_PD):,} passages"
        raise ValueError(f"{factory!r} learns {clusters}, expected as many vectors or more, found {passages}.")
    try:
        if not index.is_trained:
            prepare_training(index)
            index.train(np.ascontiguousarray(vectors_PD))
        if is_graph(index):
            faiss.omp_set_num_threads(1)
        for start in range(0, len(vectors_PD), BLOCK_PASSAGES):
            block = np.ascontiguousarray(vectors_PD[start : start + BLOCK_PASSAGES])
            index.add(block)
            advance(len(block))
    except RuntimeError as error:
        reason = str(error).rpartition(": ")[2].rstrip(".")
        raise ValueError(f"faiss cannot make {factory!r} of {len(vectors_PD):,} passages: {reason}.") from error
    return index


def open_index(index_folder: str | Path, parameters: dict[str, int]) -> faiss.Index:
    """An index as it was written, with what is set for searching, such as `{"nprobe": 4}`."""
    index = faiss.read_index(str(Path(index_folder) / "index"))
    check_metric(index, str(index_folder))
    set_parameters(index, parameters)
    return index


def retrieve(
    *,
    index_folder: str | Path,
    vectors_path: str | Path,
    queries_path: str | Path,
    run_path: str | Path,
    depth: int,
    drop_own_passage: bool,
    parameters: dict[str, int],
    tag: str,
    threads: int,
) -> None:
    """Search the index with the queries' vectors and write a TREC run."""
    faiss.omp_set_num_threads(threads)
    index = open_index(index_folder, parameters)
    passage_ids = np.array((Path(index_folder) / "docid").read_text().split("\n")[:-1])
    query_ids = pq.read_table(queries_path, columns=["query_id"])["query_id"].to_pylist()
    vectors_QD = np.load(vectors_path)
    if len(query_ids) != len(vectors_QD):
        raise ValueError(f"{vectors_path}: expected {len(query_ids):,} vectors (queries), found {len(vectors_QD):,}.")

    def ranked():
        meter = ProgressMeter(total=len(query_ids), unit="queries searched")
        for start in range(0, len(query_ids), BLOCK_QUERIES):
            block = slice(start, start + BLOCK_QUERIES)
            scores_QK, rows_QK = search(index, vectors_QD[block], depth + drop_own_passage)
            for query_id, scores, rows in zip(query_ids[block], scores_QK, rows_QK, strict=True):
                kept = rows >= 0  # an approximate index may find fewer than asked for
                if drop_own_passage:
                    kept &= passage_ids[rows] != query_id
                yield query_id, passage_ids[rows[kept]], scores[kept]
            meter.advance(len(scores_QK))
        meter.finish()

    write_run(run_path, ranked(), tag, depth=depth)


def search(index: faiss.Index, vectors_QD: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """scores_QK and rows_QK of the passages with the largest inner products; row -1 = none found."""
    return index.search(np.ascontiguousarray(vectors_QD), min(depth, index.ntotal))
