"""Row numbers of ids, looked up millions at a time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

NUMBER = r"^(0|[1-9][0-9]{0,17})$"  # the one way to write an integer of 64 bits that is not negative


class IdRows:
    """The rows of the known ids.

    Ids that are plain integers, as MS MARCO's are, are hashed once, as integers, and not at all where they count the
    rows; other ones are hashed anew for every lookup, which is slow for large collections, but keeps no Python objects.
    """

    def __init__(self, known_ids: pa.Array | pa.ChunkedArray):
        self.known_ids = one_array(known_ids)
        numbers = as_numbers(self.known_ids)
        self.are_numbers = not numbers.null_count
        self.hashed = None
        if self.are_numbers and not np.array_equal(numbers, np.arange(len(numbers))):
            self.hashed = pd.Index(numbers.to_numpy())

    @classmethod
    def read(cls, path: str | Path, column: str) -> "IdRows":
        """The ids in a column of a Parquet file."""
        return cls(read_ids(path, column))

    def __len__(self) -> int:
        return len(self.known_ids)

    def find(self, ids: pa.Array) -> np.ndarray:
        """The row of every id, -1 of an unknown one."""
        if not self.are_numbers:
            rows = pc.index_in(ids.cast(pa.large_string()), value_set=self.known_ids)
            return pc.fill_null(rows, -1).to_numpy(zero_copy_only=False)
        numbers = as_numbers(ids).fill_null(-1).to_numpy()
        if self.hashed is None:
            return np.where(numbers < len(self), numbers, -1)
        return self.hashed.get_indexer(numbers)

    def find_all(self, ids: Sequence[str], *, path: str | Path, kind: str) -> np.ndarray:
        """The row of every id; an unknown one stops with the name of the file that the ids are from."""
        rows = self.find(pa.array(ids, pa.string()))
        if (rows < 0).any():
            unknown = [name for name, row in zip(ids, rows, strict=True) if row < 0]
            raise ValueError(
                f"{path}: {len(unknown):,} of {len(rows):,} {kind} ids are unknown, the first is {str(unknown[0])!r}; "
                "make the file again from this collection."
            )
        return rows


def read_ids(path: str | Path, column: str) -> pa.LargeStringArray:
    """A column of ids as one array."""
    return one_array(pq.read_table(path, columns=[column])[column])


def one_array(ids: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """The ids in one piece, which is quick to take from; with offsets of 64 bits, since those of 32 end at 2 GB."""
    ids = ids.cast(pa.large_string())
    return ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids


def as_numbers(ids: pa.Array) -> pa.Array:
    """The ids as integers, null where an id is not written as one."""
    is_number = pc.match_substring_regex(ids, NUMBER)
    return pc.if_else(is_number, ids, pa.scalar(None, ids.type)).cast(pa.int64())
