"""Score files in the published format: a teacher's scores of triples, which are named by their ids.

Tab separated, no header, gzipped or not: pos_score, neg_score, query_id, pos_id, neg_id (the record 4068216 at Zenodo,
of Hofstätter et al. 2020, arXiv:2010.02666). They are read in blocks: the published ones have 40 million rows.
"""

import gzip
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from stillroom.downloads import md5_of
from stillroom.id_rows import IdRows

logger = logging.getLogger(__name__)

SCORES = ["pos_score", "neg_score"]
IDS = ["query_id", "pos_id", "neg_id"]
BLOCK_BYTES = 1 << 26  # about 1.4 million rows of the published files
LARGEST = float(np.finfo(np.float32).max)
NUMBER = re.compile(r" *-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)? *", re.ASCII)


class ScoredRows(NamedTuple):
    """Rows of a score file whose ids are known: row numbers of queries.parquet and passages.parquet, and scores."""

    query: np.ndarray  # (N,)
    positive: np.ndarray  # (N,)
    negative: np.ndarray  # (N,)
    scores: np.ndarray  # (N, 2) of the relevant and the other passage


class ScoreFile:
    """A score file beside the queries and passages that it is about; counts what it reads."""

    def __init__(self, path: str | Path, md5: str | None, queries_path: str | Path, passages_path: str | Path):
        if md5 is not None and (found := md5_of(path)) != md5:
            raise ValueError(f"{path}: the md5 is {found}, expected {md5}; correct it or get the file again.")
        self.path = path
        self.queries = IdRows.read(queries_path, "query_id")
        self.passages = IdRows.read(passages_path, "passage_id")
        self.found = Counter()
        self.first_unknown = None  # ids of the first row that has an unknown one

    def rows(self) -> Iterator[ScoredRows]:
        """The rows in order, a block at a time, without those of which an id is unknown."""
        for block in read_blocks(self.path):
            query = self.queries.find(block["query_id"])
            positive, negative = np.split(self.passages.find(pa.concat_arrays([block["pos_id"], block["neg_id"]])), 2)
            no_query, no_passage = query < 0, (positive < 0) | (negative < 0)
            known = ~(no_query | no_passage)
            self.found.update(
                rows=len(query), no_query=no_query.sum(), no_passage=no_passage.sum(), known=np.count_nonzero(known)
            )
            if self.first_unknown is None and not known.all():
                self.first_unknown = ", ".join(block[name][int(known.argmin())].as_py() for name in IDS)
            logger.info("%s rows read", f"{self.found['rows']:,}")
            scores = np.column_stack([block[name].to_numpy() for name in SCORES])
            yield ScoredRows(query[known], positive[known], negative[known], scores[known])

    def counts(self) -> list[tuple[str, int, int]]:
        """What was found in the whole file; one that is about other queries or passages stops."""
        rows, known = self.found["rows"], self.found["known"]
        if not known:
            raise ValueError(
                f"{self.path}: none of the {rows:,} rows has a known query and known passages, the first has the ids "
                f"{self.first_unknown}; take a file that is about this collection."
            )
        if known < rows:
            logger.warning(
                "%s: %s of %s rows have an unknown id and are left out, the first has %s",
                self.path, f"{rows - known:,}", f"{rows:,}", self.first_unknown,
            )  # fmt: skip
        return [
            ("rows with an unknown query", int(self.found["no_query"]), rows),
            ("rows with an unknown passage", int(self.found["no_passage"]), rows),
            ("rows with known ids", known, rows),
        ]


def read_blocks(path: str | Path) -> Iterator[pa.RecordBatch]:
    """The rows of a score file in blocks; a malformed row stops with the number of its line."""
    types = {**dict.fromkeys(SCORES, pa.float32()), **dict.fromkeys(IDS, pa.string())}
    with pa.input_stream(path, compression="gzip" if is_gzip(path) else None) as stream:
        try:
            with pyarrow.csv.open_csv(
                stream,
                pyarrow.csv.ReadOptions(column_names=list(types), block_size=BLOCK_BYTES),
                pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False),
                pyarrow.csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
            ) as blocks:
                for block in blocks:
                    if not all(pc.all(pc.is_finite(block[name])).as_py() for name in SCORES):
                        raise pa.ArrowInvalid("a score is not finite")
                    yield block
        except pa.ArrowInvalid as error:
            raise ValueError(f"{path}: {malformed_line(path) or error}.") from error
        except OSError as error:
            raise ValueError(f"{path}: the file is damaged or incomplete ({error}); get it again.") from error


def malformed_line(path: str | Path) -> str | None:
    """What is wrong with the first line that is no row, found line by line; None if nothing is."""
    number = 0
    with gzip.open(path) if is_gzip(path) else open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                fields = line.decode().rstrip("\r\n").split("\t")
            except UnicodeDecodeError:
                return f"line {number:,}: found other bytes, expected text in UTF-8"
            if len(fields) != len(SCORES + IDS):
                wanted = f"{len(SCORES + IDS)} columns ({', '.join(SCORES + IDS)})"
                return f"line {number:,}: found {len(fields)} column{'s'[: len(fields) > 1]}, expected {wanted}"
            for name, field in zip(SCORES, fields, strict=False):
                if not is_number(field):
                    return f"line {number:,}: found {name} {field!r}, expected a number"
    return None if number else "found no row"


def is_number(field: str) -> bool:
    """Whether a text is a number that a float32 can hold."""
    return bool(NUMBER.fullmatch(field)) and abs(float(field)) <= LARGEST


def is_gzip(path: str | Path) -> bool:
    """Whether a file is gzipped, whatever its name is."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"
