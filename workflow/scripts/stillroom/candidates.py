"""Candidates of queries, in a run file: their row numbers, and how good an order of them is."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import ir_measures
import numpy as np
import pandas as pd
from ir_measures import RR, nDCG

from stillroom.id_rows import IdRows
from stillroom.runs import Ranking, iter_rankings, read_qrels, read_run

MEASURES = [nDCG @ 10, RR @ 10]


def judge(run_path: str | Path, qrels_path: str | Path, scores: np.ndarray | None = None) -> dict[str, float]:
    """Mean nDCG@10 and RR@10 over the judged queries of a run, with other scores for its lines where given."""
    run = read_run(run_path).rename(columns={"passage_id": "doc_id"})
    if scores is not None:
        run["score"] = scores.astype(np.float64)
    qrels = read_qrels(qrels_path).rename(columns={"passage_id": "doc_id", "grade": "relevance"})
    means = ir_measures.calc_aggregate(MEASURES, qrels, run)
    return {str(measure): float(means[measure]) for measure in MEASURES}


def iter_candidates(run_path: str | Path, depth: int | None = None) -> Iterator[pd.DataFrame]:
    """The lines of a run in blocks of whole queries; only the first `depth` of each query."""
    for lines in iter_rankings(run_path):
        yield lines if depth is None else lines[lines.groupby("query_id", sort=False).cumcount() < depth]


def run_rows(
    *, run_path: str | Path, queries_path: str | Path, passages_path: str | Path, depth: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """int32 row numbers of the queries and of the passages of a run's lines; only the first `depth` of each query."""
    queries, passages = IdRows.read(queries_path, "query_id"), IdRows.read(passages_path, "passage_id")
    blocks = [np.empty((2, 0), np.int32)]
    for lines in iter_candidates(run_path, depth):
        query_rows = queries.find_all(lines["query_id"], path=run_path, kind="query")
        passage_rows = passages.find_all(lines["passage_id"], path=run_path, kind="passage")
        blocks.append(np.stack([query_rows, passage_rows]).astype(np.int32))
    query_rows, passage_rows = np.concatenate(blocks, axis=1)
    return query_rows, passage_rows


def with_scores(candidates: Iterable[pd.DataFrame], scores: np.ndarray) -> Iterator[Ranking]:
    """The rankings of blocks of candidates, with other scores for their lines."""
    start = 0
    for lines in candidates:
        scored = lines.assign(score=scores[start : start + len(lines)])
        start += len(lines)
        for query_id, rows in scored.groupby("query_id", sort=False):
            yield Ranking(query_id, rows["passage_id"].to_numpy(), rows["score"].to_numpy())
