"""Rows that belong to queries, taken apart by ranges of queries, of which each fits into memory."""

from collections.abc import Iterator

import numpy as np

BLOCK_ROWS = 1_000_000  # looked at, at a time
ROWS_PER_RANGE = 2_000_000


def query_ranges(*query_columns: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Of every column of query numbers, which may be memory-mapped, the rows of one range of queries after another.

    A range has about ROWS_PER_RANGE rows in all columns together, or one query; rows stay in their order.
    """
    counts = np.zeros(1 + max((int(block.max()) for _, block in blocks(query_columns)), default=-1), np.int64)
    for _, block in blocks(query_columns):
        counts += np.bincount(block, minlength=len(counts))
    number = (counts.cumsum() - counts) // ROWS_PER_RANGE  # of the range of each query
    for chosen in np.unique(number[counts > 0]):
        low, high = np.searchsorted(number, [chosen, chosen + 1])
        yield [rows_between(column, low, high) for column in query_columns]


def rows_between(query_column: np.ndarray, low: int, high: int) -> np.ndarray:
    """The rows of the queries from `low` to before `high`."""
    found = [start + np.flatnonzero((block >= low) & (block < high)) for start, block in blocks([query_column])]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def blocks(query_columns: list[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of all columns, each with the number of its first row."""
    for column in query_columns:
        for start in range(0, len(column), BLOCK_ROWS):
            yield start, column[start : start + BLOCK_ROWS]
