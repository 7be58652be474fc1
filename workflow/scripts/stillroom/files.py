"""Outputs that appear whole or not at all."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends well and removed when it fails.

    The block writes a file there or makes a folder; an older file or folder at `path` is replaced, and stays
    untouched on failure. Beside, not in the system's temporary folder: a rename is atomic on one disk only.
    The file keeps its name within a hidden folder, because some libraries choose the format by the suffix.
    The folder's name is fixed, so that a rerun clears what a killed job left; Snakemake sees to it that only
    one job at a time makes an output.
    """
    path = Path(path)
    workplace = path.parent / f".{path.name}.part"
    remove(workplace)
    workplace.mkdir(parents=True)
    unfinished = workplace / path.name
    try:
        yield unfinished
        if not unfinished.exists():
            raise FileNotFoundError(f"{path}: nothing was written, expected a file or a folder.")
        if path.is_dir() or unfinished.is_dir():  # a folder can only be renamed to a free name
            remove(path)
        unfinished.replace(path)
    finally:
        remove(workplace)


def remove(path: str | Path) -> None:
    """Remove a file, a link or a whole folder, if it is there."""
    path = Path(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def digest(path: str | Path) -> str:
    """sha256 of a file's content, the first 16 digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
