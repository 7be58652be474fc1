"""What an index costs: the time of building it, and of searching it for single queries.

Shape suffixes: Q = queries, D = dimensions.
"""

import logging
from pathlib import Path

import faiss
import numpy as np

from stillroom.files import write_json
from stillroom.indexes import BLOCK_PASSAGES, filled_index, open_index, search
from stillroom.timing import cpu_name, evenly, median_seconds
from stillroom.vectors import open_vectors

logger = logging.getLogger(__name__)


def measure_index(
    *,
    vectors_path: str | Path,
    factory: str,
    ef_construction: int | None,
    threads: int,
    index: str,
    efficiency_path: str | Path,
) -> None:
    """Write how long the training and filling of an index take in memory, as JSON.

    The vectors are mapped, and read once before, so that as many as the machine has room for are in its memory.
    """
    vectors_PD = open_vectors(vectors_path)
    for start in range(0, len(vectors_PD), BLOCK_PASSAGES):
        vectors_PD[start : start + BLOCK_PASSAGES].max()
    seconds, _ = median_seconds(
        lambda vectors: filled_index(vectors, factory, ef_construction, threads), [vectors_PD], warm_up=False
    )
    result = {
        "index": index,
        "factory": factory,
        "passages": vectors_PD.shape[0],
        "dimensions": vectors_PD.shape[1],
        "device": cpu_name(),
        "threads": threads,
        "build_seconds": seconds,
    }
    logger.info("%s built in %.3f s", index, seconds)
    write_json(efficiency_path, result)


def measure_search(
    *,
    index_folder: str | Path,
    vectors_path: str | Path,
    depth: int,
    drop_own_passage: bool,
    parameters: dict[str, int],
    queries: int,
    threads: int,
    system: str,
    test_set: str,
    efficiency_path: str | Path,
) -> None:
    """Write how long a search with the vector of one query takes, as JSON; as deep as the run of the same system."""
    index = open_index(index_folder, parameters)
    faiss.omp_set_num_threads(threads)
    vectors_QD = np.load(vectors_path, mmap_mode="r")
    singles = np.split(vectors_QD[(rows := evenly(queries, len(vectors_QD)))], len(rows))
    seconds, _ = median_seconds(lambda vector: search(index, vector, depth + drop_own_passage), singles)
    result = {
        "system": system,
        "test_set": test_set,
        "queries": len(singles),
        "depth": depth,
        "device": cpu_name(),
        "threads": threads,
        "milliseconds": 1000 * seconds,
    }
    logger.info("%s: %.3f ms for a query", system, result["milliseconds"])
    write_json(efficiency_path, result)
