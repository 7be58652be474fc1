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
from stillroom.settings import EncoderSettings
from stillroom.tokens import Tokens, tokenize_texts

MEASURES = [nDCG @ 10, RR @ 10]


@dataclass(frozen=True)
class Candidates:
    """Candidates of the validation queries by row numbers, with the ids and judgements that measures need."""

    queries: Tokens
    query_rows: np.ndarray  # (N,) one per candidate
    passage_rows: np.ndarray  # (N,)
    run: pd.DataFrame  # query_id, doc_id, score: the first stage's
    qrels: pd.DataFrame  # query_id, doc_id, relevance

    def measure(self, scores: np.ndarray | None = None) -> dict[str, float]:
        """Mean nDCG@10 and RR@10 when the candidates are ordered by these scores, or by the first stage's."""
        run = self.run if scores is None else self.run.assign(score=scores.astype(np.float64))
        means = ir_measures.calc_aggregate(MEASURES, self.qrels, run)
        return {str(measure): float(means[measure]) for measure in MEASURES}


def read_candidates(
    *,
    queries_path: str | Path,
    qrels_path: str | Path,
    run_path: str | Path,
    passages_path: str | Path,
    encoder: EncoderSettings,
) -> Candidates:
    """The candidates of a run file; a passage or query that the collection lacks stops with its id."""
    queries = pq.read_table(queries_path, columns=["query_id", "text"])
    query_rows, passage_rows, run = run_rows(
        run_path=run_path, query_ids=queries["query_id"].to_numpy(), passages_path=passages_path
    )
    qrels = read_qrels(qrels_path).rename(columns={"passage_id": "doc_id", "grade": "relevance"})
    run = run.rename(columns={"passage_id": "doc_id"})[["query_id", "doc_id", "score"]]
    tokens = tokenize_texts(encoder, queries["text"].to_pylist())
    return Candidates(tokens, query_rows, passage_rows, run, qrels)


def run_rows(
    *, run_path: str | Path, query_ids: np.ndarray, passages_path: str | Path
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Row numbers of a run's queries and passages, and the run itself."""
    run = read_run(run_path)
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


def validate(model: Ranker, candidates: Candidates, passages: Tokens) -> dict[str, float]:
    """Mean nDCG@10 and RR@10 of the model's order of the candidates."""
    was_training = model.training
    model.eval()
    scores = score_pairs(model, candidates.queries, passages, candidates.query_rows, candidates.passage_rows)
    model.train(was_training)
    return candidates.measure(scores)
