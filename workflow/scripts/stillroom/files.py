"""Outputs that appear whole or not at all."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
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


def parts_folder(output: str | Path, inputs: Iterable[str | Path], **facts) -> Path:
    """A hidden folder beside an output for what an interrupted step has done already, made if it is not there.

    Its name is a digest of the contents of the inputs and of further facts (settings, the code): parts that were
    made from anything else are not found, so they cannot be mixed in.
    """
    known = json.dumps([*map(digest, inputs), facts], sort_keys=True)
    folder = Path(output).parent / f".{Path(output).name}-{hashlib.sha256(known.encode()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_parts(output: str | Path) -> None:
    """Remove what steps have kept for an output that is finished; and that of other inputs or code."""
    for folder in Path(output).parent.glob(f".{Path(output).name}-*"):
        remove(folder)


@contextmanager
def workplace(output: str | Path) -> Iterator[Path]:
    """A hidden folder beside an output for what a step keeps on disk while it runs, so as not to fill the memory."""
    folder = Path(output).parent / f".{Path(output).name}.work"
    remove(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove(folder)


def link_or_copy(path: str | Path, name: Path) -> None:
    """A second name for a file; where the file system has none, a copy."""
    try:
        name.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, name)


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


def write_json(path: str | Path, content) -> None:
    """A JSON file, whole or not at all."""
    with atomic_path(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_json(path: str | Path, default=None):
    """The content of a JSON file; the default, where one is given and there is no file."""
    path = Path(path)
    if default is not None and not path.exists():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: this file is missing.") from None
    except ValueError as error:
        raise ValueError(f"{path}: not JSON, {error}.") from None
