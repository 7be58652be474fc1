"""faiss indexes of passage vectors, in the layout of Pyserini's FaissSearcher: `index` and `docid` in a folder.

Shape suffixes: Q = queries, P = passages, D = dimensions, K = retrieved passages.
"""

import logging
from pathlib import Path

import faiss
import numpy as np
import pyarrow.parquet as pq

from stillroom.files import atomic_path
from stillroom.log import ProgressMeter
from stillroom.runs import write_run

logger = logging.getLogger(__name__)

BLOCK_QUERIES = 256


def build_index(
    *,
    vectors_path: str | Path,
    passages_path: str | Path,
    factory: str,
    index_folder: str | Path,
    threads: int,
) -> None:
    """Index the vectors for inner products: `Flat` is exact, others are faiss factory strings (`HNSW32`)."""
    faiss.omp_set_num_threads(threads)
    vectors_PD = np.load(vectors_path, mmap_mode="r")
    passage_ids = pq.read_table(passages_path, columns=["passage_id"])["passage_id"]
    if len(passage_ids) != len(vectors_PD):
        raise ValueError(
            f"{vectors_path}: expected {len(passage_ids):,} vectors (passages), found {len(vectors_PD):,}."
        )
    try:
        index = faiss.index_factory(vectors_PD.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise ValueError(f"indexes: {factory!r} is not a faiss factory string such as Flat or HNSW32.") from error
    if not index.is_trained:
        index.train(np.ascontiguousarray(vectors_PD))
    meter = ProgressMeter(total=len(vectors_PD), unit="passages indexed")
    for start in range(0, len(vectors_PD), 65_536):
        block = np.ascontiguousarray(vectors_PD[start : start + 65_536])
        index.add(block)
        meter.advance(len(block))
    meter.finish()
    with atomic_path(index_folder) as folder:
        folder.mkdir()
        faiss.write_index(index, str(folder / "index"))
        (folder / "docid").write_text("".join(f"{passage_id}\n" for passage_id in passage_ids.to_pylist()))


def retrieve(
    *,
    index_folder: str | Path,
    vectors_path: str | Path,
    queries_path: str | Path,
    run_path: str | Path,
    depth: int,
    drop_own_passage: bool,
    tag: str,
    threads: int,
) -> None:
    """Search the index with the queries' vectors and write a TREC run."""
    faiss.omp_set_num_threads(threads)
    index = faiss.read_index(str(Path(index_folder) / "index"))
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
