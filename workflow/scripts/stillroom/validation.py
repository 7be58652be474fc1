"""Effectiveness on the validation set: re-ranking a fixed list of candidates per query."""

from dataclasses import dataclass
from pathlib import Path

import ir_measures
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from ir_measures import RR, nDCG

from stillroom.ranker import Ranker
from stillroom.runs import read_qrels, read_run
from stillroom.scoring import score_pairs
from stillroom.tokens import Tokens, tokenize_queries

MEASURES = [nDCG @ 10, RR @ 10]


@dataclass(frozen=True)
class Validation:
    """The candidates of the validation queries, by row numbers, and where their judgements are."""

    queries: Tokens
    query_rows: np.ndarray  # (N,) one per candidate, in the order of the run
    passage_rows: np.ndarray  # (N,)
    run_path: str | Path
    qrels_path: str | Path

    def measure(self, model: Ranker, passages: Tokens) -> dict[str, float]:
        """Mean nDCG@10 and RR@10 of the model's order of the candidates."""
        was_training = model.training
        model.eval()
        scores = score_pairs(model, self.queries, passages, self.query_rows, self.passage_rows)
        model.train(was_training)
        return judge(self.run_path, self.qrels_path, scores)


def read_validation(
    tokenizer, *, queries_path: str | Path, qrels_path: str | Path, run_path: str | Path, passages_path: str | Path
) -> Validation:
    """The validation set of a run file of candidates; a passage or query that is unknown stops with its id."""
    query_ids = pq.read_table(queries_path, columns=["query_id"])["query_id"].to_numpy()
    query_rows, passage_rows, _ = run_rows(run_path=run_path, query_ids=query_ids, passages_path=passages_path)
    return Validation(tokenize_queries(tokenizer, queries_path), query_rows, passage_rows, run_path, qrels_path)


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
            f"{path}: {len(unknown):,} of {len(rows):,} {kind} ids are unknown, the first is {unknown[0]!r}; "
            "make the file again from this collection."
        )
    return rows
