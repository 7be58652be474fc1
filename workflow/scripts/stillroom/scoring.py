"""Scores of (query, passage) pairs, each distinct passage represented once."""

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from stillroom.data_parallel import process_count, process_number, total
from stillroom.log import ProgressMeter
from stillroom.ranker import Ranker
from stillroom.split_ranker import SplitRanker
from stillroom.token_store import Tokens

logger = logging.getLogger(__name__)

BLOCK_PAIRS = 1_024  # scored between two saves of a resumable scoring


def score_pairs(
    model: Ranker, queries: Tokens, passages: Tokens, query_rows: np.ndarray, passage_rows: np.ndarray
) -> np.ndarray:
    """float32 scores of the pairs (query_rows[i], passage_rows[i]); several processes share the blocks."""
    scores = np.zeros(len(query_rows), dtype=np.float32)
    for rows in islice(blocks(passage_rows), process_number(), None, process_count()):
        scores[rows] = score_block(model, queries, passages, query_rows[rows], passage_rows[rows])
    return total(scores, model.device)


def score_pairs_resumably(
    model: Ranker,
    queries: Tokens,
    passages: Tokens,
    query_rows: np.ndarray,
    passage_rows: np.ndarray,
    *,
    parts: Path,
) -> np.ndarray:
    """As `score_pairs`, with a progress line; every block is saved in the folder `parts` and not scored again.

    The folder is one of `files.parts_folder`; the caller removes it once the scores are written.
    """
    scores = np.empty(len(query_rows), dtype=np.float32)
    todo = []
    for number, rows in enumerate(blocks(passage_rows)):
        part = parts / f"{number}.npy"
        if part.exists():
            scores[rows] = np.load(part)
        else:
            todo.append((part, rows))
    left = sum(len(rows) for _, rows in todo)
    if left < len(scores):
        logger.info("%s of %s pairs were scored before", f"{len(scores) - left:,}", f"{len(scores):,}")
    meter = ProgressMeter(total=len(scores), unit="pairs scored", start=len(scores) - left)
    for part, rows in todo:
        scores[rows] = score_block(model, queries, passages, query_rows[rows], passage_rows[rows])
        unfinished = part.with_suffix(".part.npy")
        np.save(unfinished, scores[rows])
        unfinished.replace(part)
        meter.advance(len(rows))
    meter.finish()
    return scores


def blocks(passage_rows: np.ndarray) -> Iterator[np.ndarray]:
    """Indices of pairs, sorted by passage, so that nearly every passage lies in one block."""
    order = np.argsort(passage_rows, kind="stable")
    for start in range(0, len(order), BLOCK_PAIRS):
        yield order[start : start + BLOCK_PAIRS]


@torch.inference_mode()
def score_block(
    model: Ranker, queries: Tokens, passages: Tokens, query_rows: np.ndarray, passage_rows: np.ndarray
) -> np.ndarray:
    """Scores of one block; what reads texts apart represents each distinct text of the block once."""
    if isinstance(model, SplitRanker):
        distinct_queries, query_places = np.unique(query_rows, return_inverse=True)
        distinct_passages, passage_places = np.unique(passage_rows, return_inverse=True)
        query_side = model.encode_queries(queries.take(distinct_queries))
        passage_side = model.encode_passages(passages.take(distinct_passages))
        scores = model.paired_similarity(
            model.select(query_side, query_places), model.select(passage_side, passage_places)
        )
    else:
        scores = model.score(queries.take(query_rows), passages.take(passage_rows))
    return checked(scores.float().cpu().numpy())


def checked(scores: np.ndarray) -> np.ndarray:
    """The scores, unless one is not a number."""
    if not np.isfinite(scores).all():
        raise ValueError(f"{(~np.isfinite(scores)).sum():,} of {len(scores):,} scores are not finite; train it again.")
    return scores
