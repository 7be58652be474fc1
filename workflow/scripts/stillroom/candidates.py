"""Candidates of queries, in a run file: their row numbers, and how good an order of them is."""

from pathlib import Path

import ir_measures
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from ir_measures import RR, nDCG

from stillroom.runs import read_qrels, read_run

MEASURES = [nDCG @ 10, RR @ 10]


def judge(run_path: str | Path, qrels_path: str | Path, scores: np.ndarray | None = None) -> dict[str, float]:
    """Mean nDCG@10 and RR@10 over the judged queries of a run, with other scores for its lines where given."""
    run = read_run(run_path).rename(columns={"passage_id": "doc_id"})
    if scores is not None:
        run["score"] = scores.astype(np.float64)
    qrels = read_qrels(qrels_path).rename(columns={"passage_id": "doc_id", "grade": "relevance"})
    means = ir_measures.calc_aggregate(MEASURES, qrels, run)
    return {str(measure): float(means[measure]) for measure in MEASURES}


def run_rows(
    *, run_path: str | Path, query_ids: np.ndarray, passages_path: str | Path, depth: int | None = None
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Row numbers of the queries and passages of a run's lines, and those lines; only ranks up to `depth`."""
    run = read_run(run_path)
    if depth is not None:
        run = run[run.groupby("query_id", sort=False).cumcount() < depth].reset_index(drop=True)
    query_rows = rows_of(run["query_id"], query_ids, path=run_path, kind="query")
    passage_ids = pq.read_table(passages_path, columns=["passage_id"])["passage_id"].to_numpy()
    return query_rows, rows_of(run["passage_id"], passage_ids, path=run_path, kind="passage"), run


def rows_of(ids, known_ids: np.ndarray, *, path: str | Path, kind: str) -> np.ndarray:
    """Positions of the ids among the known ones; an unknown id stops with the file's name and the id."""
    rows = pd.Index(known_ids).get_indexer(ids)
    if (rows < 0).any():
        unknown = np.asarray(ids)[rows < 0]
        raise ValueError(
            f"{path}: {len(unknown):,} of {len(rows):,} {kind} ids are unknown, the first is {str(unknown[0])!r}; "
            "make the file again from this collection."
        )
    return rows
