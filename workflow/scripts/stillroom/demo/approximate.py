"""The worker of approximate indexes: faiss alone.

Shape suffixes: Q = queries (one), D = dimensions, K = passages found.
"""

import time
from functools import lru_cache

import faiss
import numpy as np

from stillroom.index_factory import check_metric, set_parameters

INDEXES_KEPT = 8


def prepare(threads: int) -> None:
    """Search in so many threads."""
    faiss.omp_set_num_threads(threads)


@lru_cache(maxsize=INDEXES_KEPT)
def index_of(index_path: str, parameters: tuple[tuple[str, int], ...]) -> faiss.Index:
    """An index with what is set for searching, warmed up."""
    index = faiss.read_index(index_path)
    check_metric(index, index_path)
    set_parameters(index, dict(parameters))
    index.search(np.ones((1, index.d), np.float32), 1)
    return index


def search(
    index_path: str, parameters: dict[str, int], vectors_QD: np.ndarray, depth: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Rows and scores of the first passages, and the seconds that it took."""
    index = index_of(index_path, tuple(parameters.items()))
    began = time.perf_counter()
    scores_QK, rows_QK = index.search(vectors_QD, min(depth, index.ntotal))
    found = rows_QK[0] >= 0  # may be fewer than asked for
    return rows_QK[0][found], scores_QK[0][found], time.perf_counter() - began
