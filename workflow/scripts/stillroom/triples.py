"""Training triples as columns: (query, relevant passage, other passage), by row numbers of their files."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillroom.files import workplace
from stillroom.mapped_arrays import mapped_zeros
from stillroom.parquet import open_parquet

logger = logging.getLogger(__name__)

TRIPLES = pa.schema({"query": pa.int32(), "positive": pa.int32(), "negative": pa.int32()})
SCORES = ["pos_score", "neg_score"]
BLOCK_TRIPLES = 1_000_000


@dataclass(frozen=True)
class Triples:
    """T training triples, or groups of such, and what a sampler may know of them."""

    query: np.ndarray  # (T,) rows of queries.parquet
    positive: np.ndarray  # (T,) rows of passages.parquet; of groups with R relevant passages (T, R)
    negative: np.ndarray  # (T,) rows of passages.parquet; of groups with N other passages (T, N)
    teacher_scores: np.ndarray | None = None  # (T, 2) of the relevant and the other passage; of groups (T, R + N)
    cluster_of_query: np.ndarray | None = None  # per row of queries.parquet; -1 = none

    @property
    def margins(self) -> np.ndarray:
        """(T,) the teacher's score of the relevant passage minus that of the other one; of groups of their means."""
        relevant = 1 if self.positive.ndim == 1 else self.positive.shape[1]
        scores = self.teacher_scores
        return scores[:, :relevant].mean(axis=1) - scores[:, relevant:].mean(axis=1)


def read_triples(
    triples_path: str | Path,
    *,
    teacher_scores_path: str | Path | None = None,
    clusters_path: str | Path | None = None,
) -> Triples:
    """The triples of a training set, with a teacher's scores and the queries' clusters where they are given.

    Triples that the teacher has no score for (null) are left out, and their number is logged.
    """
    count = pq.read_metadata(triples_path).num_rows
    columns = np.empty((len(TRIPLES), count), np.int32)
    fill_columns(columns, triples_path, TRIPLES.names)
    scores = clusters = None
    if teacher_scores_path:
        if (found := pq.read_metadata(teacher_scores_path).num_rows) != count:
            raise ValueError(f"{teacher_scores_path}: expected {count:,} rows (triples), found {found:,}.")
        scores = np.empty((count, len(SCORES)), np.float32)
        fill_columns(scores.T, teacher_scores_path, SCORES)
        if (has_no_score := np.isnan(scores).any(axis=1)).any():
            columns, scores = columns[:, ~has_no_score], scores[~has_no_score]
            left_out = f"{count - len(scores):,} of {count:,}"
            logger.warning("%s: %s triples have no score and are left out", teacher_scores_path, left_out)
    if clusters_path:
        clusters = pc.fill_null(pq.read_table(clusters_path, columns=["cluster"])["cluster"], -1).to_numpy()
    return Triples(*columns, teacher_scores=scores, cluster_of_query=clusters)


@contextmanager
def mapped_triples(triples_path: str | Path, output: str | Path) -> Iterator[Triples]:
    """The triples in a file beside an output, memory-mapped: however many they are, they fill no memory."""
    with workplace(output) as folder:
        shape = (len(TRIPLES), pq.read_metadata(triples_path).num_rows)
        columns = mapped_zeros(folder / "triples.npy", np.int32, shape)
        fill_columns(columns, triples_path, TRIPLES.names)
        yield Triples(*columns)


def fill_columns(columns: np.ndarray, path: str | Path, names: list[str]) -> None:
    """Write columns of a Parquet file into the rows of an array (null as NaN), a block at a time."""
    start = 0
    for batch in open_parquet(path).iter_batches(BLOCK_TRIPLES, columns=names):
        for column, name in zip(columns, names, strict=True):
            column[start : start + len(batch)] = batch[name].to_numpy(zero_copy_only=False)
        start += len(batch)


def blocks_of(triples: Triples) -> Iterator[tuple[int, Triples]]:
    """The triples in blocks, each with the number of its first triple."""
    for start in range(0, len(triples.query), BLOCK_TRIPLES):
        rows = slice(start, start + BLOCK_TRIPLES)
        yield start, Triples(triples.query[rows], triples.positive[rows], triples.negative[rows])


def check_known(triples: Triples, queries: int, passages: int, path: str | Path) -> None:
    """Stop when a triple has a row number that its file does not have."""
    for name, count in [("query", queries), ("positive", passages), ("negative", passages)]:
        beyond, first = 0, None
        for start, block in blocks_of(triples):
            rows = getattr(block, name)
            places = np.flatnonzero((rows < 0) | (rows >= count))
            if len(places) and first is None:
                first = start + places[0], rows[places[0]]
            beyond += len(places)
        if beyond:
            raise ValueError(
                f"{path}: {beyond:,} triples have an unknown {name}; the first is triple {first[0]:,} with row "
                f"{first[1]:,}, expected a row below {count:,}."
            )


def pair_keys(query: np.ndarray, passage: np.ndarray) -> np.ndarray:
    """One integer per (query, passage) pair, ordered as the pairs are."""
    return (query.astype(np.int64) << 32) | passage.astype(np.int64)
