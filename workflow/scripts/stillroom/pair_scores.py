"""Scores of training triples by one ranker: every distinct (query, passage) pair once."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from stillroom.candidates import run_rows
from stillroom.files import atomic_path, parts_folder, remove
from stillroom.ranker import load_ranker, model_files
from stillroom.scoring import score_pairs_resumably
from stillroom.token_store import open_tokens
from stillroom.tokenization import tokenize_queries
from stillroom.triples import pair_keys, read_triples

logger = logging.getLogger(__name__)

PAIR_SCORES = pa.schema({"query": pa.int32(), "passage": pa.int32(), "score": pa.float32()})


def score_triples(
    *,
    model_folder: str | Path,
    triples_path: str | Path,
    queries_path: str | Path,
    validation_queries_path: str | Path,
    validation_run_path: str | Path,
    passages_path: str | Path,
    tokens_folder: str | Path,
    triples_scores_path: str | Path,
    validation_scores_path: str | Path,
    threads: int,
    code: str,
) -> None:
    """Write query, passage (row numbers) and score of the triples' distinct pairs and of the validation candidates.

    An interrupted scoring is resumed by the same `code` (a digest) from the same inputs.
    """
    torch.set_num_threads(threads)
    model = load_ranker(model_folder)
    passages = open_tokens(tokens_folder)
    triples = read_triples(triples_path)
    pairs = distinct_pairs(triples.query, triples.positive, triples.negative)
    logger.info("%s distinct pairs in %s triples", f"{len(pairs):,}", f"{len(triples.query):,}")
    query_rows, passage_rows = run_rows(
        run_path=validation_run_path, queries_path=validation_queries_path, passages_path=passages_path
    )
    candidates = np.column_stack([query_rows, passage_rows])
    for path, texts_path, pairs_path, rows in [
        (triples_scores_path, queries_path, triples_path, pairs),
        (validation_scores_path, validation_queries_path, validation_run_path, candidates),
    ]:
        queries = tokenize_queries(model.tokenizer, texts_path)
        inputs = [*model_files(model_folder), Path(tokens_folder) / "ids.bin", texts_path, pairs_path]
        parts = parts_folder(path, inputs, code=code)
        scores = score_pairs_resumably(model, queries, passages, rows[:, 0], rows[:, 1], parts=parts)
        columns = [rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int32), scores]
        with atomic_path(path) as unfinished:
            pq.write_table(pa.table(columns, schema=PAIR_SCORES), unfinished)
        remove(parts)


def distinct_pairs(query: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """(N, 2) distinct (query, passage) rows of the triples, in order: a relevant passage recurs in many triples."""
    keys = np.unique(np.concatenate([pair_keys(query, positive), pair_keys(query, negative)]))
    return np.column_stack([keys >> 32, keys & 0xFFFFFFFF])
