"""What a number was measured on: enough to tell whether it may be compared with a publication's."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

DIGEST_LETTERS = 16


def conditions(*, qrels: pd.DataFrame, passages_path: str | Path, depth: int) -> dict:
    """The passages, the judged queries and their judgements, and the results of the query that has most (`depth`).

    `judgements` are counted by grade, `query_ids` and `qrels` are digests. The cut-off of a measure is in its name.
    """
    judged = set(qrels["query_id"])
    return {
        "passages": pq.read_metadata(passages_path).num_rows,
        "queries": len(judged),
        "judgements": by_grade(qrels["grade"]),
        "query_ids": digest_of_lines(judged),
        "qrels": digest_of_lines(map(" ".join, qrels[["query_id", "passage_id", "grade"]].astype(str).to_numpy())),
        "depth": depth,
    }


def by_grade(grades: Iterable[int]) -> str:
    """How many judgements have each grade: `0:5158 1:1601`."""
    return " ".join(f"{grade}:{count}" for grade, count in sorted(Counter(grades).items()))


def digest_of_lines(lines: Iterable[str]) -> str:
    """sha256 of the lines in the order of their text, the first 16 digits: their own order means nothing."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()[:DIGEST_LETTERS]
