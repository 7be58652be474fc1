"""Candidates of queries, in a run file: their row numbers, and how good an order of them is."""

from pathlib import Path

import ir_measures
import numpy as np
import pandas as pd
from ir_measures import RR, nDCG

from stillroom.id_rows import IdRows
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
    *, run_path: str | Path, queries_path: str | Path, passages_path: str | Path, depth: int | None = None
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Row numbers of the queries and passages of a run's lines, and those lines; only ranks up to `depth`."""
    run = read_run(run_path)
    if depth is not None:
        run = run[run.groupby("query_id", sort=False).cumcount() < depth].reset_index(drop=True)
    queries, passages = IdRows.read(queries_path, "query_id"), IdRows.read(passages_path, "passage_id")
    query_rows = queries.find_all(run["query_id"], path=run_path, kind="query")
    return query_rows, passages.find_all(run["passage_id"], path=run_path, kind="passage"), run
