"""Token ids of many texts: memory-mapped for passages, in plain memory for queries.

The ids are kept untruncated and without special tokens, so every length limit and every architecture shares them.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np


class Tokens:
    """A sequence of token id arrays, one per text: `ids` end to end, text i from offsets[i] to offsets[i + 1]."""

    def __init__(self, ids: np.ndarray, offsets: np.ndarray):
        self.ids, self.offsets = ids, offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    def take(self, rows: Iterable[int]) -> list[np.ndarray]:
        """The token ids of some texts, in the order of the rows."""
        return [self[row] for row in rows]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per text."""
        return np.diff(self.offsets)


def open_tokens(folder: str | Path) -> Tokens:
    """The token store in a folder, memory-mapped."""
    folder = Path(folder)
    facts = json.loads((folder / "tokens.json").read_text())
    offsets = np.load(folder / "offsets.npy", mmap_mode="r")
    expected, found = (
        int(offsets[-1]),
        (folder / "ids.bin").stat().st_size // np.dtype(facts["dtype"]).itemsize,
    )
    if found != expected:
        raise ValueError(f"{folder / 'ids.bin'}: expected {expected:,} token ids, found {found:,}; delete the folder.")
    if not expected:  # an empty file cannot be mapped
        return Tokens(np.empty(0, facts["dtype"]), offsets)
    return Tokens(np.memmap(folder / "ids.bin", dtype=facts["dtype"], mode="r"), offsets)
