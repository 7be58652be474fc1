"""A fixed part of a collection: passages drawn by a digest of their ids, and those that must not be missing."""

import hashlib
from pathlib import Path

import pyarrow.parquet as pq

DIGEST_BYTES = 8


class Sample:
    """Which passages are taken: `passage_id in sample`. Another order, machine or collection draws the same ids."""

    def __init__(self, share: float, seed: int, kept: set[str]):
        self.limit = share * 2 ** (8 * DIGEST_BYTES)
        self.seed, self.kept = seed, kept

    @classmethod
    def read(cls, settings: dict, kept_path: str | Path) -> "Sample":
        """The sample of the config, with the ids in a file."""
        return cls(settings["share"], settings["seed"], set(pq.read_table(kept_path)["passage_id"].to_pylist()))

    def __contains__(self, passage_id: str) -> bool:
        digest = hashlib.sha256(f"{self.seed} {passage_id}".encode()).digest()[:DIGEST_BYTES]
        return int.from_bytes(digest) < self.limit or passage_id in self.kept
