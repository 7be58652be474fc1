"""Training triples as columns: (query, relevant passage, other passage), by row numbers of their files."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

logger = logging.getLogger(__name__)

TRIPLES = pa.schema({"query": pa.int32(), "positive": pa.int32(), "negative": pa.int32()})


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
    table = pq.read_table(triples_path, columns=TRIPLES.names)
    columns = [table[name].to_numpy() for name in table.column_names]
    scores = clusters = None
    if teacher_scores_path:
        teacher = pq.read_table(teacher_scores_path, columns=["pos_score", "neg_score"])
        if len(teacher) != len(table):
            raise ValueError(f"{teacher_scores_path}: expected {len(table):,} rows (triples), found {len(teacher):,}.")
        scores = np.column_stack([teacher["pos_score"].to_numpy(), teacher["neg_score"].to_numpy()])
        if teacher["pos_score"].null_count or teacher["neg_score"].null_count:
            has_score = pc.and_(teacher["pos_score"].is_valid(), teacher["neg_score"].is_valid()).to_numpy()
            columns, scores = [column[has_score] for column in columns], scores[has_score]
            left_out = f"{len(table) - len(scores):,} of {len(table):,}"
            logger.warning("%s: %s triples have no score and are left out", teacher_scores_path, left_out)
    if clusters_path:
        clusters = pc.fill_null(pq.read_table(clusters_path, columns=["cluster"])["cluster"], -1).to_numpy()
    return Triples(*columns, teacher_scores=scores, cluster_of_query=clusters)


def check_known(triples: Triples, queries: int, passages: int, path: str | Path) -> None:
    """Stop when a triple has a row number that its file does not have."""
    for name, rows, count in [
        ("query", triples.query, queries),
        ("positive", triples.positive, passages),
        ("negative", triples.negative, passages),
    ]:
        beyond = np.flatnonzero((rows < 0) | (rows >= count))
        if len(beyond):
            raise ValueError(
                f"{path}: {len(beyond):,} triples have an unknown {name}; the first is triple {beyond[0]:,} with row "
                f"{rows[beyond[0]]:,}, expected a row below {count:,}."
            )


def pair_keys(query: np.ndarray, passage: np.ndarray) -> np.ndarray:
    """One integer per (query, passage) pair, ordered as the pairs are."""
    return (query.astype(np.int64) << 32) | passage.astype(np.int64)
