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

    Ids that are plain integers, as MS MARCO's are, are hashed once, as integers; other ones anew for every lookup,
    which is slow for large collections, but keeps no Python objects.
    """

    def __init__(self, known_ids: pa.ChunkedArray):
        self.known_ids = known_ids.combine_chunks()
        numbers = as_numbers(self.known_ids)
        self.numbers = None if numbers.null_count else pd.Index(numbers.to_numpy())

    @classmethod
    def read(cls, path: str | Path, column: str) -> "IdRows":
        """The ids in a column of a Parquet file."""
        return cls(pq.read_table(path, columns=[column])[column])

    def __len__(self) -> int:
        return len(self.known_ids)

    def find(self, ids: pa.Array) -> np.ndarray:
        """The row of every id, -1 of an unknown one."""
        if self.numbers is None:
            return pc.fill_null(pc.index_in(ids, value_set=self.known_ids), -1).to_numpy(zero_copy_only=False)
        return self.numbers.get_indexer(as_numbers(ids).fill_null(-1).to_numpy())

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


def as_numbers(ids: pa.Array) -> pa.Array:
    """The ids as integers, null where an id is not written as one."""
    is_number = pc.match_substring_regex(ids, NUMBER)
    return pc.if_else(is_number, ids, pa.scalar(None, pa.string())).cast(pa.int64())
