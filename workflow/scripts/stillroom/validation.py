"""Effectiveness on the validation set: re-ranking a fixed list of candidates per query."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stillroom.candidates import judge, run_rows
from stillroom.ranker import Ranker
from stillroom.scoring import score_pairs
from stillroom.token_store import Tokens
from stillroom.tokenization import tokenize_queries


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
        was_training, precision = model.training, model.precision
        model.eval()
        model.precision = torch.float32  # as it will be used
        scores = score_pairs(model, self.queries, passages, self.query_rows, self.passage_rows)
        model.train(was_training)
        model.precision = precision
        return judge(self.run_path, self.qrels_path, scores)


def read_validation(
    tokenizer, *, queries_path: str | Path, qrels_path: str | Path, run_path: str | Path, passages_path: str | Path
) -> Validation:
    """The validation set of a run file of candidates; a passage or query that is unknown stops with its id."""
    query_rows, passage_rows = run_rows(run_path=run_path, queries_path=queries_path, passages_path=passages_path)
    return Validation(tokenize_queries(tokenizer, queries_path), query_rows, passage_rows, run_path, qrels_path)
