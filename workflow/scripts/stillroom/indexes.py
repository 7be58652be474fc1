"""faiss indexes of passage vectors, in the layout of Pyserini's FaissSearcher: `index` and `docid` in a folder.

Shape suffixes: Q = queries, P = passages, D = dimensions, K = retrieved passages.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import torch
from pyarrow import csv

from stillroom.best_device import best_device
from stillroom.devices import claim_gpus
from stillroom.exact_search import search_exactly
from stillroom.files import atomic_path, link_or_copy
from stillroom.gpu_memory import memory_checked
from stillroom.id_rows import one_array, read_ids
from stillroom.index_factory import (
    check_metric,
    clusters_of,
    is_graph,
    new_index,
    prepare_training,
    set_parameters,
)
from stillroom.log import ProgressMeter
from stillroom.parquet import open_parquet
from stillroom.runs import Ranking, write_run
from stillroom.vectors import is_vectors, open_vectors

logger = logging.getLogger(__name__)

BLOCK_PASSAGES = 65_536
BLOCK_QUERIES = 256
VECTORS_PER_CLUSTER = 39  # that a k-means should learn from, as faiss advises
MOST_PER_CLUSTER = 256  # that faiss's k-means learns from
TRAINING_BYTES = 1 << 33  # of the vectors that an index learns from
SEED = 1234  # of their draw, as in faiss's k-means


def build_index(
    *,
    vectors_path: str | Path,
    passages_path: str | Path,
    factory: str,
    ef_construction: int | None,
    index_folder: str | Path,
    threads: int,
) -> None:
    """Index the vectors for inner products: `Flat` is exact, others are faiss factory strings (`HNSW32`).

    The exact index is the file of the vectors, by a second name.
    """
    vectors_PD = open_vectors(vectors_path)
    passages = open_parquet(passages_path)
    if (count := passages.metadata.num_rows) != len(vectors_PD):
        raise ValueError(f"{vectors_path}: expected {count:,} vectors (passages), found {len(vectors_PD):,}.")
    with atomic_path(index_folder) as folder:
        folder.mkdir()
        if factory == "Flat":
            link_or_copy(vectors_path, folder / "index")
        else:
            meter = ProgressMeter(total=len(vectors_PD), unit="passages indexed")
            index = filled_index(vectors_PD, factory, ef_construction, threads, meter.advance)
            meter.finish()
            warn_of_few_vectors(index, factory, len(vectors_PD))
            faiss.write_index(index, str(folder / "index"))
        with open(folder / "docid", "w", encoding="utf-8") as file:
            for batch in passages.iter_batches(BLOCK_PASSAGES, columns=["passage_id"]):
                file.writelines(f"{passage_id}\n" for passage_id in batch["passage_id"].to_pylist())


def warn_of_few_vectors(index: faiss.Index, factory: str, passages: int) -> None:
    """Say where a k-means learnt from fewer vectors than it should."""
    clusters = clusters_of(index)
    learnt = min(passages, training_size(index))
    if clusters * VECTORS_PER_CLUSTER > learnt:
        found = f"{clusters:,} clusters of {learnt:,} passages"
        logger.warning("%s: %s, faiss advises %d passages for each", factory, found, VECTORS_PER_CLUSTER)


def filled_index(
    vectors_PD: np.ndarray,
    factory: str,
    ef_construction: int | None,
    threads: int,
    advance: Callable[[int], None] = lambda added: None,
) -> faiss.Index:
    """The index of all vectors, trained on them, or on a sample, where it has something to learn; always the same.

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
            index.train(training_sample(vectors_PD, training_size(index)))
        if is_graph(index):
            faiss.omp_set_num_threads(1)
        for start in range(0, len(vectors_PD), BLOCK_PASSAGES):
            block = np.array(vectors_PD[start : start + BLOCK_PASSAGES])
            index.add(block)
            advance(len(block))
    except RuntimeError as error:
        reason = str(error).rpartition(": ")[2].rstrip(".")
        raise ValueError(f"faiss cannot make {factory!r} of {len(vectors_PD):,} passages: {reason}.") from error
    return index


def training_size(index: faiss.Index) -> int:
    """How many vectors an index learns from at most: as many as faiss's k-means uses, and no more than fit in."""
    fitting = TRAINING_BYTES // (4 * index.d)
    return min(fitting, MOST_PER_CLUSTER * clusters_of(index)) if clusters_of(index) else fitting


def training_sample(vectors_PD: np.ndarray, size: int) -> np.ndarray:
    """All vectors in memory, or so many of them, drawn at random and kept in their order."""
    if len(vectors_PD) <= size:
        return np.array(vectors_PD)
    return vectors_PD[np.sort(np.random.default_rng(SEED).choice(len(vectors_PD), size, replace=False))]


def open_index(index_folder: str | Path, parameters: dict[str, int]) -> faiss.Index:
    """An index as it was written, with what is set for searching, such as `{"nprobe": 4}`."""
    index = faiss.read_index(str(Path(index_folder) / "index"))
    check_metric(index, str(index_folder))
    set_parameters(index, parameters)
    return index


def read_passage_ids(index_folder: str | Path) -> pa.LargeStringArray:
    """The ids of an index's passages, in the order of its rows."""
    table = csv.read_csv(
        Path(index_folder) / "docid",
        csv.ReadOptions(column_names=["passage_id"]),
        csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False),
        csv.ConvertOptions(column_types={"passage_id": pa.string()}, null_values=[], strings_can_be_null=False),
    )
    return one_array(table["passage_id"])


@memory_checked("exact search needs 1 GB of it: end what else uses this GPU, or hide it (CUDA_VISIBLE_DEVICES=)")
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
    passage_ids = read_passage_ids(index_folder)
    query_ids = read_ids(queries_path, "query_id")
    vectors_QD = np.load(vectors_path, mmap_mode="r")
    if len(query_ids) != len(vectors_QD):
        raise ValueError(f"{vectors_path}: expected {len(query_ids):,} vectors (queries), found {len(vectors_QD):,}.")
    found = search_blocks(index_folder, vectors_QD, depth + drop_own_passage, parameters, threads)

    def ranked():
        meter = ProgressMeter(total=len(query_ids), unit="queries searched")
        start = 0
        for scores_QK, rows_QK in found:
            block = query_ids.slice(start, len(rows_QK)).to_pylist()
            for query_id, scores, rows in zip(block, scores_QK, rows_QK, strict=True):
                is_found = rows >= 0  # an approximate index may find fewer than asked for
                ids, scores = passage_ids.take(rows[is_found]).to_numpy(zero_copy_only=False), scores[is_found]
                others = ids != query_id if drop_own_passage else slice(None)
                yield Ranking(query_id, ids[others], scores[others])
            start += len(block)
            meter.advance(len(block))
        meter.finish()

    write_run(run_path, ranked(), tag, depth=depth)


def search_blocks(
    index_folder: str | Path, vectors_QD: np.ndarray, depth: int, parameters: dict[str, int], threads: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """scores_QK and rows_QK for one block of queries after another; row -1 = none found.

    An exact index is not loaded: its vectors are read in blocks, which are compared on a GPU where there is one.
    """
    index_path = Path(index_folder) / "index"
    if is_vectors(index_path):
        claim_gpus()
        torch.set_num_threads(threads)
        yield from search_exactly(open_vectors(index_path), vectors_QD, depth, best_device())
        return
    faiss.omp_set_num_threads(threads)
    index = open_index(index_folder, parameters)
    for start in range(0, len(vectors_QD), BLOCK_QUERIES):
        yield search(index, vectors_QD[start : start + BLOCK_QUERIES], depth)


def search(index: faiss.Index, vectors_QD: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """scores_QK and rows_QK of the passages with the largest inner products; row -1 = none found."""
    return index.search(np.ascontiguousarray(vectors_QD), min(depth, index.ntotal))
