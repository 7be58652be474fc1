"""Candidates from files: TREC runs, and MS MARCO's lists of candidates, which have no order.

The lists are lines `query_id passage_id query passage`, parted by tabs, in any order (`top1000.dev`). Both come plain,
with gzip, or as the only file of a .tar.gz.
"""

import gzip
import logging
import tarfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO
from urllib.parse import urlparse

import numpy as np
import pyarrow as pa

from stillroom.downloads import fetch_file, md5_of, terms_of
from stillroom.id_rows import IdRows
from stillroom.runs import Ranking, finite, write_run

logger = logging.getLogger(__name__)

LINES_PER_BLOCK = 100_000
HEADERS_OF = {"msmarco.z22.web.core.windows.net": {"X-Ms-Version": "2019-12-12"}}  # as ir_datasets asks for its files
GZIP_MAGIC = b"\x1f\x8b"
FORMATS = "`query_id Q0 passage_id rank score tag`, or query_id, passage_id, query and passage parted by tabs"
Candidate = tuple[str, str, float | None]  # query_id, passage_id, score


def fetch_candidates(*, url: str, md5: str | None, path: str | Path) -> None:
    """Download a file of candidates, and say under which terms it comes."""
    for terms in terms_of(url):
        logger.warning("%s", terms)
    fetch_file(url=url, md5=md5, path=path, headers=HEADERS_OF.get(urlparse(url).hostname))


def import_candidates(
    *,
    candidates_path: str | Path,
    md5: str | None,
    queries_path: str | Path,
    depth: int,
    run_path: str | Path,
    tag: str,
) -> None:
    """Write a file's candidates of the queries of a test set as a TREC run.

    Lists without an order get descending scores in the order of their lines; since it means nothing, the first `depth`
    of a longer list would be any, and it is refused. Candidates of other queries are left out and counted.
    """
    if md5 and (found := md5_of(candidates_path)) != md5:
        raise ValueError(f"{candidates_path}: the md5 is {found}, expected {md5}; correct it or bring the right file.")
    queries = IdRows.read(queries_path, "query_id")
    rows, passage_ids, scores, others = read_candidates(candidates_path, queries)
    if not len(rows):
        raise ValueError(
            f"{candidates_path}: found no candidate of a query of {queries_path}, expected those of this test set."
        )
    counts = np.bincount(rows, minlength=len(queries))
    if scores is None and counts.max() > depth:
        raise ValueError(
            f"{candidates_path}: found {counts.max():,} candidates of one query without an order, expected at most the "
            f"depth, {depth:,}: the first so many would be any."
        )
    write_run(run_path, rankings(queries.known_ids, rows, passage_ids, scores), tag, depth)
    logger.info("%s candidates of %s queries", f"{len(rows):,}", f"{np.count_nonzero(counts):,}")
    if others:
        logger.warning("%s lines of other queries are left out", f"{others:,}")
    if missing := np.count_nonzero(counts == 0):
        logger.warning("%s queries have no candidates, which counts as 0", f"{missing:,}")


def read_candidates(path: str | Path, queries: IdRows) -> tuple[np.ndarray, pa.ChunkedArray, np.ndarray | None, int]:
    """Of the lines with a known query, its row, the passage id and the score, if any; the number of other lines."""
    rows, scores, blocks, others = array("i"), array("d"), [], 0
    with opened(path) as lines:
        candidates = parsed(lines, path)
        while block := list(islice(candidates, LINES_PER_BLOCK)):
            found = queries.find(pa.array([query_id for query_id, _, _ in block], pa.string()))
            kept = [candidate for candidate, row in zip(block, found, strict=True) if row >= 0]
            rows.extend(found[found >= 0].tolist())
            blocks.append(pa.array([passage_id for _, passage_id, _ in kept], pa.string()))
            scores.extend(score for _, _, score in kept if score is not None)
            others += len(block) - len(kept)
    passage_ids = pa.chunked_array(blocks, pa.string())
    return np.array(rows), passage_ids, np.array(scores) if len(scores) else None, others


def rankings(
    query_ids: pa.Array, rows: np.ndarray, passage_ids: pa.ChunkedArray, scores: np.ndarray | None
) -> Iterator[Ranking]:
    """The candidates of each query that has some, in the order of the queries."""
    order = np.argsort(rows, kind="stable")
    starts = np.flatnonzero(np.diff(rows[order], prepend=-1))
    for places in np.split(order, starts[1:]):
        of_query = np.arange(len(places), 0, -1) if scores is None else scores[places]
        yield Ranking(query_ids[rows[places[0]]].as_py(), passage_ids.take(places).to_numpy(), of_query)


@contextmanager
def opened(path: str | Path) -> Iterator[IO[bytes]]:
    """The lines of a file, unpacked as its first bytes say."""
    with open(path, "rb") as file:
        is_packed = file.read(2) == GZIP_MAGIC
    if not is_packed:
        with open(path, "rb") as file:
            yield file
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            names = [member.name for member in archive if member.isfile()]
            if len(names) != 1:
                raise ValueError(f"{path}: found {len(names)} files in the archive, expected one.")
            yield archive.extractfile(names[0])
    else:
        with gzip.open(path) as file:
            yield file


def parsed(lines: Iterable[bytes], path: str | Path) -> Iterator[Candidate]:
    """The candidates of a file, whose first line says which format it has."""
    lines = iter(lines)
    first = next(lines, b"")
    parse = parse_listed if first.count(b"\t") == 3 else parse_ranked
    for number, line in enumerate(chain([first], lines), 1):
        try:
            yield parse(line)
        except ValueError:
            text = line.decode(errors="replace").strip()
            found = f"{text[:60]}…" if len(text) > 60 else text
            raise ValueError(f"{path}, line {number}: found {found!r}, expected, as in line 1, {FORMATS}.") from None


def parse_listed(line: bytes) -> Candidate:
    """One line of MS MARCO's lists; its texts are those of the collection, and not read."""
    query_id, passage_id, _, _ = line.split(b"\t", 3)
    return query_id.decode(), passage_id.decode(), None


def parse_ranked(line: bytes) -> Candidate:
    """One line of a TREC run; evaluators ignore ranks, and so does this."""
    query_id, _, passage_id, _, score, _ = line.split()
    return query_id.decode(), passage_id.decode(), finite(score)
