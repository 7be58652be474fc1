"""Passages for people to read, looked up in the Parquet file that all steps share."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from stillroom.id_rows import IdRows
from stillroom.parquet import open_parquet

GROUPS_KEPT = 32  # row groups of 10,000 passages, some 4 MB each


class Passage(NamedTuple):
    """One passage."""

    passage_id: str
    text: str


class Passages:
    """The passages of a corpus; in memory are the row groups that were read last, and the ids once one is looked up."""

    def __init__(self, path: str | Path):
        self.path, self.file = path, open_parquet(path)
        metadata = self.file.metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.group = lru_cache(maxsize=GROUPS_KEPT)(self.read_group)

    def __len__(self) -> int:
        return int(self.starts[-1])

    @cached_property
    def ids(self) -> IdRows:
        """The rows of all ids."""
        return IdRows.read(self.path, "passage_id")

    def read_group(self, group: int) -> pa.Table:
        """Ids and texts of one row group."""
        return self.file.read_row_group(group, columns=["passage_id", "text"])

    def at(self, rows: Sequence[int]) -> list[Passage]:
        """The passages of some rows."""
        groups = np.searchsorted(self.starts, rows, side="right") - 1
        return [
            self.one(group, int(row - self.starts[group])) for row, group in zip(rows, groups.tolist(), strict=True)
        ]

    def one(self, group: int, row: int) -> Passage:
        """The passage of a row within a row group."""
        table = self.group(group)
        return Passage(table["passage_id"][row].as_py(), table["text"][row].as_py())
