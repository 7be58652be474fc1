"""The embedded collection `pydocs`: docstrings of the installed libraries, as files and as ir_datasets ids.

A passage is the first words of what a docstring says below its summary; the query for it is the summary. See
`relations` for what counts as related, `splits` for the judgements.
"""

import functools
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ir_datasets
from ir_datasets.formats import JsonlDocs, JsonlQueries, TrecQrels
from ir_datasets.indices import DEFAULT_DOCSTORE_OPTIONS
from ir_datasets.util import BaseDownload

from stillroom.collections import docstring_text, docstrings, relations, splits, twins
from stillroom.collections.docstrings import LIBRARIES, library_folder, library_versions, read_documented
from stillroom.collections.relations import read_passages
from stillroom.collections.splits import SPLITS, Candidates, Collection, candidates, select

logger = logging.getLogger(__name__)

DEFAULT, LARGE = "pydocs", "pydocs-large"
PASSAGES = {DEFAULT: 4_000, LARGE: None}
QUERIES = {
    DEFAULT: {"train": 1_600, "validation": 200, "dev": 200, "graded": 100},
    LARGE: {"train": 4_700, "validation": 700, "dev": 700, "graded": 250},
}
DESCRIPTION_FILE = "pydocs.json"
MODULES = (docstrings, docstring_text, twins, relations, splits)
RELEVANCE = {1: "the described object"}
GRADES = {3: "the described object", 2: "the same method on a sibling class", 1: "named under See Also"}


def build_pydocs(folder: str | Path) -> None:
    """Write the files of both collections and their description; the folder appears complete or not."""
    began = time.monotonic()
    versions = library_versions()
    logger.info("building pydocs from the docstrings of %s", ", ".join(map(" ".join, versions.items())))
    objects = [found for name, _ in LIBRARIES for found in read_documented(name, library_folder(name))]
    found = candidates(read_passages(objects))
    logger.info("found %s passages in %s components", f"{len(found.passages):,}", f"{len(found.component_sizes):,}")
    with new_folder(Path(folder)) as unfinished:
        for name in (DEFAULT, LARGE):
            write_collection(unfinished / name, select(found, sizes=QUERIES[name], passages=PASSAGES[name]))
        write_json(unfinished / DESCRIPTION_FILE, describe(unfinished, versions, found))
    logger.info("wrote %s in %.0f s", folder, time.monotonic() - began)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one to write into, renamed at the end; one that is there is replaced."""
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_collection(folder: Path, collection: Collection) -> None:
    """Write passages, queries and qrels in formats that ir_datasets reads."""
    folder.mkdir()
    passages = ({"doc_id": passage.passage_id, "text": passage.text} for passage in collection.passages)
    write_lines(folder / "passages.jsonl", map(json_line, passages))
    for split, queries in collection.queries.items():
        lines = (json_line({"query_id": query.query_id, "text": query.text}) for query in queries)
        write_lines(folder / f"{split}.queries.jsonl", lines)
        qrels = (
            f"{query.query_id} 0 {passage_id} {relevance}"
            for query in queries
            for passage_id, relevance in query.judgements.items()
        )
        write_lines(folder / f"{split}.qrels.txt", qrels)


def describe(folder: Path, versions: dict[str, str], found: Candidates) -> dict:
    """What pydocs was made of, how much there is, and one digest over all its files."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {
        "libraries": versions,
        "lines": {name: len((folder / name).read_bytes().split(b"\n")) - 1 for name in files},
        "components": len(found.component_sizes),
        "largest_components": found.component_sizes[:5],
        "sha256": digest((name.encode(), (folder / name).read_bytes()) for name in files),
    }


def digest(parts: Iterator[tuple[bytes, bytes]]) -> str:
    """One SHA-256 over named contents, in their order."""
    whole = hashlib.sha256()
    for name, content in parts:
        whole.update(name + b" " + hashlib.sha256(content).digest())
    return whole.hexdigest()


def json_line(record: dict) -> str:
    return json.dumps(record, ensure_ascii=False)


def write_lines(path: Path, lines: Iterator[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def write_json(path: Path, record: dict) -> None:
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8", newline="\n")


@functools.cache
def version_key() -> str:
    """Short digest of what pydocs depends on: the libraries' versions and the code that reads them."""
    sources = [Path(module.__file__) for module in MODULES] + [Path(__file__)]
    versions = json.dumps(library_versions()).encode()
    return digest([(b"versions", versions), *((path.name.encode(), path.read_bytes()) for path in sources)])[:12]


def pydocs_folder() -> Path:
    """Where ir_datasets keeps the pydocs of the installed library versions."""
    return ir_datasets.util.home_path() / "pydocs" / version_key()


class PydocsFile(BaseDownload):
    """A file of pydocs, built on first use as others are downloaded. The caller locks ir_datasets' folder."""

    def __init__(self, collection: str, name: str):
        self.collection, self.name = collection, name

    def path(self, force=True) -> Path:
        """Where the file lies; it is built unless `force` is false, ir_datasets' word for "only tell me"."""
        folder = pydocs_folder()
        if force and not (folder / DESCRIPTION_FILE).exists():
            build_pydocs(folder)
        return folder / self.collection / self.name

    @contextmanager
    def stream(self):
        """The file, open for reading bytes."""
        with self.path().open("rb") as file:
            yield file


class PydocsPassages(JsonlDocs):
    """The passages; nothing touches the disk or the libraries' versions before they are read."""

    def __init__(self, collection: str):
        self.collection = collection
        super().__init__(PydocsFile(collection, "passages.jsonl"), namespace="pydocs", lang="en", docstore_path="")

    def docs_store(self, field="doc_id", options=DEFAULT_DOCSTORE_OPTIONS):
        """A store to look passages up by id, beside their file."""
        self._docstore_path = f"{self.docs_path(force=False)}.pklz4"
        return super().docs_store(field, options)

    def docs_count(self) -> int:
        """How many passages there are, by the description written with them."""
        path = self.docs_path()
        description = json.loads((path.parent.parent / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        return description["lines"][f"{self.collection}/{path.name}"]


def register_pydocs() -> None:
    """Make `ir_datasets.load` know pydocs, pydocs-large and their splits (pydocs/dev); twice is once."""
    for name in (DEFAULT, LARGE):
        if name in set(ir_datasets.registry):
            continue
        passages = PydocsPassages(name)
        ir_datasets.registry.register(name, ir_datasets.Dataset(passages))
        for split in SPLITS:
            queries = JsonlQueries(PydocsFile(name, f"{split}.queries.jsonl"), lang="en")
            qrels = TrecQrels(PydocsFile(name, f"{split}.qrels.txt"), GRADES if split == "graded" else RELEVANCE)
            ir_datasets.registry.register(f"{name}/{split}", ir_datasets.Dataset(passages, queries, qrels))
