"""Passages for people to read, looked up in the Parquet file that all steps share."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stillroom.id_rows import IdRows
from stillroom.parquet import open_parquet

GROUPS_KEPT = 32  # row groups of 10,000 texts, some 4 MB each


class Passage(NamedTuple):
    """One passage."""

    passage_id: str
    text: str


class Passages:
    """The passages of a corpus: ids in memory, of the texts only the row groups that were read last."""

    def __init__(self, path: str | Path):
        self.file = open_parquet(path)
        self.ids = IdRows.read(path, "passage_id")
        metadata = self.file.metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.texts = lru_cache(maxsize=GROUPS_KEPT)(self.read_texts)

    def __len__(self) -> int:
        return len(self.ids)

    def read_texts(self, group: int):
        """The texts of one row group."""
        return self.file.read_row_group(group, columns=["text"])["text"]

    def at(self, rows: Sequence[int]) -> list[Passage]:
        """The passages of some rows."""
        groups = np.searchsorted(self.starts, rows, side="right") - 1
        found = zip(rows, groups.tolist(), strict=True)
        return [
            Passage(self.ids.known_ids[int(row)].as_py(), self.texts(group)[int(row - self.starts[group])].as_py())
            for row, group in found
        ]
