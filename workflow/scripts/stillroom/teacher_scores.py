"""Teacher scores of training triples: the mean of the scores of one or more rankers."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from stillroom.candidates import judge
from stillroom.files import atomic_path, workplace, write_json
from stillroom.id_rows import read_ids
from stillroom.mapped_arrays import mapped_zeros
from stillroom.parquet import open_parquet
from stillroom.triples import BLOCK_TRIPLES, Triples, blocks_of, mapped_triples, pair_keys

logger = logging.getLogger(__name__)

TEACHER_SCORES = pa.schema(
    {
        "pos_score": pa.float32(),
        "neg_score": pa.float32(),
        "query_id": pa.string(),
        "pos_id": pa.string(),
        "neg_id": pa.string(),
    }
)


def average_scores(
    *,
    teacher: str,
    triples_scores_paths: list[str],
    validation_scores_paths: list[str],
    triples_path: str | Path,
    queries_path: str | Path,
    passages_path: str | Path,
    validation_run_path: str | Path,
    validation_qrels_path: str | Path,
    scores_path: str | Path,
    tsv_path: str | Path,
    measures_path: str | Path,
) -> None:
    """Write the mean raw scores in the order of the triples, as parquet and in the authors' TSV columns.

    The published ensemble is such a mean (Hofstätter et al. 2020, arXiv:2010.02666; the authors' score files have
    the columns pos_score, neg_score, query_id, pos_id, neg_id). The teacher's own validation measures are written
    beside BM25's: a teacher that orders worse than BM25 teaches little.
    """
    with mapped_triples(triples_path, scores_path) as triples, mean_scores(triples_scores_paths, tsv_path) as pairs:

        def scored():
            for _, block in blocks_of(triples):
                columns = [pair_keys(block.query, passages) for passages in (block.positive, block.negative)]
                yield block, np.column_stack([look_up(wanted, *pairs, triples_path) for wanted in columns])

        write_scores(scored(), queries_path, passages_path, scores_path=scores_path, tsv_path=tsv_path)
    report_quality(teacher, validation_scores_paths, validation_run_path, validation_qrels_path, measures_path)


def write_scores(
    scored: Iterable[tuple[Triples, np.ndarray]],
    queries_path: str | Path,
    passages_path: str | Path,
    *,
    scores_path: str | Path,
    tsv_path: str | Path,
) -> None:
    """Write blocks of T triples with scores_T2 in their order, as parquet and as TSV in the published files' columns.

    A triple without scores (NaN) has none in the parquet (null) and is not in the TSV.
    """
    query_ids, passage_ids = read_ids(queries_path, "query_id"), read_ids(passages_path, "passage_id")
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    total = finite = 0
    with (
        atomic_path(tsv_path) as unfinished_tsv,
        atomic_path(scores_path) as unfinished,
        pyarrow.csv.CSVWriter(unfinished_tsv, TEACHER_SCORES, write_options=options) as tsv,
        pq.ParquetWriter(unfinished, TEACHER_SCORES) as parquet,
    ):
        for triples, scores_T2 in scored:
            ids = [(query_ids, triples.query), (passage_ids, triples.positive), (passage_ids, triples.negative)]
            columns = [
                *(pa.array(scores, from_pandas=True) for scores in scores_T2.T),
                *(known.take(pa.array(rows)).cast(pa.string()) for known, rows in ids),
            ]
            table = pa.table(columns, schema=TEACHER_SCORES)
            parquet.write_table(table)
            tsv.write_table(table.drop_null())
            total, finite = total + len(scores_T2), finite + np.isfinite(scores_T2[:, 0]).sum()
    logger.info("%s triples, %s with scores", f"{total:,}", f"{finite:,}")


@contextmanager
def mean_scores(paths: list[str], output: str | Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pair keys, ascending, and the mean of their scores, memory-mapped; all files must hold the same pairs."""
    count = pq.read_metadata(paths[0]).num_rows
    with workplace(output) as folder:
        keys = mapped_zeros(folder / "keys.npy", np.int64, (count,))
        means = mapped_zeros(folder / "means.npy", np.float64, (count,))
        for path in paths:
            is_same, start = pq.read_metadata(path).num_rows == count, 0
            for batch in open_parquet(path).iter_batches(BLOCK_TRIPLES) if is_same else ():
                rows = slice(start, start + len(batch))
                found = pair_keys(batch["query"].to_numpy(), batch["passage"].to_numpy())
                if path == paths[0]:
                    keys[rows] = found
                is_same &= np.array_equal(keys[rows], found)
                means[rows] += batch["score"].to_numpy()
                start += len(batch)
            if not is_same:
                raise ValueError(f"{path}: the pairs differ from those of {paths[0]}; score the triples again.")
        means /= len(paths)
        check_finite(means, paths)
        yield keys, means


def check_finite(means: np.ndarray, paths: list[str]) -> None:
    """Stop where a score is no number."""
    starts = range(0, len(means), BLOCK_TRIPLES)
    if count := sum(np.count_nonzero(~np.isfinite(means[start : start + BLOCK_TRIPLES])) for start in starts):
        raise ValueError(f"{', '.join(map(str, paths))}: {count:,} scores are not finite; train the ranker anew.")


def look_up(wanted: np.ndarray, keys: np.ndarray, scores: np.ndarray, path: str | Path) -> np.ndarray:
    """The float32 scores of the wanted pairs; a pair without a score stops."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    missing = keys[places] != wanted
    if missing.any():
        raise ValueError(f"{path}: {missing.sum():,} pairs have no teacher score; score the triples again.")
    return scores[places].astype(np.float32)


def report_quality(
    teacher: str,
    scores_paths: list[str],
    run_path: str | Path,
    qrels_path: str | Path,
    measures_path: str | Path,
) -> None:
    """Write the teacher's measures on the validation candidates beside the first stage's; warn when they are lower."""
    scores = np.mean([pq.read_table(path)["score"].to_numpy().astype(np.float64) for path in scores_paths], axis=0)
    measures = {"teacher": judge(run_path, qrels_path, scores), "first_stage": judge(run_path, qrels_path)}
    own, first = measures["teacher"]["nDCG@10"], measures["first_stage"]["nDCG@10"]
    log = logger.warning if own < first else logger.info
    verdict = "below" if own < first else "not below"
    log("teacher %s: validation nDCG@10 %.4f, %s its first stage's %.4f", teacher, own, verdict, first)
    write_json(measures_path, measures)
