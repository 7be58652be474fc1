"""Parquet files that are read in blocks of rows."""

from pathlib import Path

import pyarrow.parquet as pq


def open_parquet(path: str | Path) -> pq.ParquetFile:
    """A file whose `iter_batches` reads a block when it is asked for; by default Arrow reads whole columns at once."""
    return pq.ParquetFile(path, pre_buffer=False)
