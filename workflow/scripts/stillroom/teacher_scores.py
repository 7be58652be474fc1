"""Teacher scores of training triples: the mean of the scores of one or more rankers."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from stillroom.candidates import judge
from stillroom.files import atomic_path, write_json
from stillroom.triples import Triples, pair_keys, read_triples

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
BATCH_TRIPLES = 1_000_000


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
    triples = read_triples(triples_path)
    keys, scores = mean_scores(triples_scores_paths)
    pairs = [pair_keys(triples.query, passages) for passages in (triples.positive, triples.negative)]
    scores_T2 = np.column_stack([look_up(wanted, keys, scores, triples_path) for wanted in pairs])
    report_quality(teacher, validation_scores_paths, validation_run_path, validation_qrels_path, measures_path)
    write_scores(triples, scores_T2, queries_path, passages_path, scores_path=scores_path, tsv_path=tsv_path)


def write_scores(
    triples: Triples,
    scores_T2: np.ndarray,
    queries_path: str | Path,
    passages_path: str | Path,
    *,
    scores_path: str | Path,
    tsv_path: str | Path,
) -> None:
    """Write the scores of T triples in their order, as parquet and as TSV in the columns of the published files.

    A triple without scores (NaN) has none in the parquet (null) and is not in the TSV.
    """
    query_ids = pq.read_table(queries_path, columns=["query_id"])["query_id"]
    passage_ids = pq.read_table(passages_path, columns=["passage_id"])["passage_id"]
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with (
        atomic_path(tsv_path) as unfinished_tsv,
        atomic_path(scores_path) as unfinished,
        pyarrow.csv.CSVWriter(unfinished_tsv, TEACHER_SCORES, write_options=options) as tsv,
        pq.ParquetWriter(unfinished, TEACHER_SCORES) as parquet,
    ):
        for start in range(0, len(scores_T2), BATCH_TRIPLES):
            rows = slice(start, start + BATCH_TRIPLES)
            columns = [
                *(pa.array(scores, from_pandas=True) for scores in scores_T2[rows].T),
                query_ids.take(triples.query[rows]),
                passage_ids.take(triples.positive[rows]),
                passage_ids.take(triples.negative[rows]),
            ]
            table = pa.table(columns, schema=TEACHER_SCORES)
            parquet.write_table(table)
            tsv.write_table(table.drop_null())
    logger.info("%s triples, %s with scores", f"{len(scores_T2):,}", f"{np.isfinite(scores_T2[:, 0]).sum():,}")


def mean_scores(paths: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Pair keys and the mean of their scores; all files must hold the same pairs."""
    tables = [pq.read_table(path) for path in paths]
    keys = [pair_keys(table["query"].to_numpy(), table["passage"].to_numpy()) for table in tables]
    for path, other in zip(paths[1:], keys[1:], strict=True):
        if not np.array_equal(keys[0], other):
            raise ValueError(f"{path}: the pairs differ from those of {paths[0]}; score the triples again.")
    means = np.mean([table["score"].to_numpy().astype(np.float64) for table in tables], axis=0)
    if not np.isfinite(means).all():
        count = np.count_nonzero(~np.isfinite(means))
        raise ValueError(f"{', '.join(map(str, paths))}: {count:,} scores are not finite; train the ranker anew.")
    return keys[0], means


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
