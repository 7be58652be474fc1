"""Where ir_datasets keeps what it downloads: its objects hold each other, and at the end of each chain is a file."""

from collections.abc import Iterator
from pathlib import Path

import ir_datasets
from ir_datasets.util.download import Download
from ir_datasets.util.fileio import Cache


def downloads_behind(source, seen: set[int] | None = None) -> Iterator[Download]:
    """Every download that an object of ir_datasets reads, unless what is made from it is there already."""
    seen = set() if seen is None else seen
    if id(source) in seen or (isinstance(source, Cache) and source.path(force=False).exists()):
        return
    seen.add(id(source))
    if isinstance(source, Download):
        yield source
        return
    is_object = type(source).__module__.startswith("ir_datasets.") and hasattr(source, "__dict__")
    parts = vars(source).values() if is_object else source if isinstance(source, list | tuple) else ()
    for part in parts:
        yield from downloads_behind(part, seen)


def place_of(download: Download) -> Path | None:
    """Where a download is kept: in its own place or, if it has none, under its md5; None if it has neither."""
    local = local_copy(download)
    if download._cache_path is None or local.exists():
        return local if download.expected_md5 else None
    return Path(download._cache_path)


def local_copy(download: Download) -> Path:
    """Where ir_datasets looks for files that somebody has brought."""
    return ir_datasets.util.home_path() / "downloads" / str(download.expected_md5)


def use_local_copies(dataset: ir_datasets.Dataset) -> None:
    """Let downloads without a place of their own be read where they lie; ir_datasets does so for large ones only."""
    for download in downloads_behind(dataset):
        if download._cache_path is None and local_copy(download).exists():
            download._path = str(local_copy(download))
