"""Teachers that are score files: the triples that a file brings, and its scores of triples that are there already."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillroom.counts import write_counts
from stillroom.files import atomic_path, workplace
from stillroom.mapped_arrays import mapped_zeros
from stillroom.query_ranges import query_ranges
from stillroom.score_files import ScoredRows, ScoreFile
from stillroom.teacher_scores import write_scores
from stillroom.triples import TRIPLES, Triples, blocks_of, mapped_triples, pair_keys

logger = logging.getLogger(__name__)

SCORED_ROW = np.dtype([("query", "i4"), ("positive", "i4"), ("negative", "i4"), ("scores", "f4", 2)])


def extract_triples(
    *,
    score_file_path: str | Path,
    md5: str | None,
    triples: int | None,
    queries_path: str | Path,
    passages_path: str | Path,
    triples_path: str | Path,
    report_path: str | Path,
) -> None:
    """Write the triples of a score file as row numbers, in its order; the first `triples` of them, if given.

    Rows with an unknown id are left out and counted. The whole file is read, so that the counts are those of the file.
    """
    file = ScoreFile(score_file_path, md5, queries_path, passages_path)
    written = 0
    with atomic_path(triples_path) as path:
        with pq.ParquetWriter(path, TRIPLES) as writer:
            for rows in file.rows():
                left = len(rows.query) if triples is None else triples - written
                columns = [column[:left].astype(np.int32) for column in rows[:3]]
                writer.write_table(pa.table(columns, schema=TRIPLES))
                written += len(columns[0])
        counts = file.counts()
    write_counts([*counts, ("triples", written, file.found["known"])], report_path)


def join_scores(
    *,
    score_file_path: str | Path,
    md5: str | None,
    triples_path: str | Path,
    queries_path: str | Path,
    passages_path: str | Path,
    scores_path: str | Path,
    tsv_path: str | Path,
    report_path: str | Path,
) -> None:
    """Write a score file's scores in the order of the triples; a triple that the file lacks has none (null).

    Training leaves such triples out, and says so. Of a triple that the file has twice, the first row counts.
    """
    file = ScoreFile(score_file_path, md5, queries_path, passages_path)
    with (
        mapped_triples(triples_path, scores_path) as triples,
        mapped_rows(file, tsv_path) as (rows, counts),
        workplace(report_path) as folder,
    ):
        total = len(triples.query)
        scores_T2 = mapped_zeros(folder / "scores.npy", np.float32, (total, 2))
        scored, matched, repeated, contradicting = fill_scores(scores_T2, triples, rows, len(file.passages))
        if not scored:
            raise ValueError(
                f"{score_file_path}: none of the {total:,} triples of {triples_path} has a score; take the triples of "
                "this file (`triples_of` in the config)."
            )
        if scored < total:
            logger.warning("%s of %s triples have no score; training leaves them out", total - scored, total)
        blocks = ((block, scores_T2[start : start + len(block.query)]) for start, block in blocks_of(triples))
        write_scores(blocks, queries_path, passages_path, scores_path=scores_path, tsv_path=tsv_path)
    counts += [
        ("rows with a wanted triple", matched, file.found["known"]),
        ("rows that repeat a triple", repeated, matched),
        ("rows that repeat a triple with other scores", contradicting, matched),
        ("triples with a score", scored, total),
    ]
    write_counts(counts, report_path)


@contextmanager
def mapped_rows(file: ScoreFile, output: str | Path) -> Iterator[tuple[np.ndarray, list]]:
    """The rows of a score file that have known ids, memory-mapped in a file beside an output; and the file's counts."""
    with workplace(output) as folder:
        with open(folder / "rows.bin", "wb") as mapped:
            for block in file.rows():
                rows = np.empty(len(block.query), SCORED_ROW)
                for name, column in zip(SCORED_ROW.names, block, strict=True):
                    rows[name] = column
                mapped.write(rows.tobytes())
        counts = file.counts()
        yield np.memmap(folder / "rows.bin", SCORED_ROW, "r"), counts


def fill_scores(scores_T2: np.ndarray, triples: Triples, rows: np.ndarray, passages: int) -> np.ndarray:
    """Look the triples up among the rows of a score file, one range of queries at a time.

    How many triples have a score; and what `WantedScores.add` counts.
    """
    counts = np.zeros(4, np.int64)
    for of_triples, of_rows in query_ranges(triples.query, rows["query"]):
        if not len(of_triples):
            continue
        columns = (triples.query, triples.positive, triples.negative)
        wanted = WantedScores(Triples(*(column[of_triples] for column in columns)), passages=passages)
        found = rows[of_rows]
        counts[1:] += wanted.add(ScoredRows(*(found[name] for name in SCORED_ROW.names)))
        scores = wanted.of_triples()
        counts[0] += np.count_nonzero(~np.isnan(scores[:, 0]))
        scores_T2[of_triples] = scores
    return counts


class WantedScores:
    """Scores of the distinct triples of a training set, filled in row by row.

    A triple is one integer: the place of its (query, relevant passage) among the distinct ones, times the number of
    passages, plus the other passage. The three row numbers side by side would not fit into 64 bits.
    """

    def __init__(self, triples: Triples, *, passages: int):
        self.passages = passages
        self.pairs = np.unique(pair_keys(triples.query, triples.positive))
        keys = self.keys_of(triples.query, triples.positive, triples.negative)
        self.keys, self.place_of_triple = np.unique(keys, return_inverse=True)
        self.scores = np.full((len(self.keys), 2), np.nan, dtype=np.float32)

    def keys_of(self, query: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
        """The integers of triples, -1 where no triple of the training set has this query and relevant passage."""
        places = find(pair_keys(query, positive), self.pairs)
        return np.where(places < 0, -1, places * self.passages + negative)

    def add(self, rows: ScoredRows) -> tuple[int, int, int]:
        """Keep the scores of wanted triples that have none yet.

        How many rows have a wanted triple, how many of these repeat one, and how many repeat it with other scores.
        """
        places = find(self.keys_of(rows.query, rows.positive, rows.negative), self.keys)
        scores, places = rows.scores[places >= 0], places[places >= 0]
        distinct, first = np.unique(places, return_index=True)
        is_new = np.isnan(self.scores[distinct, 0])
        self.scores[distinct[is_new]] = scores[first[is_new]]
        contradicting = (self.scores[places] != scores).any(axis=1)
        return len(places), len(places) - int(is_new.sum()), int(contradicting.sum())

    def of_triples(self) -> np.ndarray:
        """(T, 2) scores in the order of the triples, NaN where there is none."""
        return self.scores[self.place_of_triple]


def find(wanted: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Places of the wanted values among ascending ones, -1 of a value that is not there."""
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.where(ascending[places] == wanted, places, -1)
