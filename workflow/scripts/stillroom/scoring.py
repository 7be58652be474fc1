"""Scores of (query, passage) pairs, each distinct passage represented once."""

import logging
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from stillroom.data_parallel import process_count, process_number, total
from stillroom.inference import NOT_FINITE, OneText
from stillroom.log import ProgressMeter
from stillroom.ranker import Ranker
from stillroom.split_ranker import SplitRanker
from stillroom.token_store import Tokens

logger = logging.getLogger(__name__)

SCORES = "scores.bin"  # float32, one after the other


def score_pairs(
    model: Ranker, queries: Tokens, passages: Tokens, query_rows: np.ndarray, passage_rows: np.ndarray
) -> np.ndarray:
    """float32 scores of the pairs (query_rows[i], passage_rows[i]); several processes share the windows."""
    scores = np.zeros(len(query_rows), dtype=np.float32)
    order, share = np.argsort(passage_rows, kind="stable"), -(-len(scores) // process_count())
    for window in islice(windows(len(order), min(model.window, share)), process_number(), None, process_count()):
        rows = order[window]
        scores[rows] = score_window(model, queries, passages, query_rows[rows], passage_rows[rows])
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
    """As `score_pairs`, with a progress line; what is scored is saved in the folder `parts` and not scored again.

    The folder is one of `files.parts_folder`; the caller removes it once the scores are written.
    """
    order = np.argsort(passage_rows, kind="stable")
    append_scores(model, queries, passages, query_rows[order], passage_rows[order], parts / SCORES)
    scores = np.empty(len(order), dtype=np.float32)
    scores[order] = np.fromfile(parts / SCORES, dtype=np.float32)
    return scores


def append_scores(
    model: Ranker, queries: Tokens, passages: Tokens, query_rows: np.ndarray, passage_rows: np.ndarray, path: Path
) -> None:
    """Write the float32 scores of the pairs, in their order, to a file that grows by a window of pairs at a time.

    If it is there, its pairs are not scored again. Pairs of one passage should follow each other: nearly every passage
    then lies in one window.
    """
    count, done = len(query_rows), finished_pairs(path, len(query_rows), model.window)
    if done:
        logger.info("%s of %s pairs were scored before", f"{done:,}", f"{count:,}")
    if model.device.type == "cuda" and done < count:
        try_longest(model)
    meter = ProgressMeter(total=count, unit="pairs scored", start=done)
    path.touch()
    with open(path, "r+b") as file:
        file.truncate(done * np.float32().nbytes)
        file.seek(0, 2)
        for rows in windows(count, model.window, done):
            file.write(score_window(model, queries, passages, query_rows[rows], passage_rows[rows]).data)
            file.flush()
            os.fsync(file.fileno())  # a machine that fails must not leave zeros
            meter.advance(rows.stop - rows.start)
    meter.finish()


def finished_pairs(path: Path, count: int, window: int) -> int:
    """How many scores of a growing file are whole windows: a kill may have left a part of one."""
    there = path.stat().st_size // np.float32().nbytes if path.exists() else 0
    return there if there == count else there // window * window


def windows(count: int, window: int, start: int = 0) -> Iterator[slice]:
    """The places from `start` to `count`, so many at a time."""
    for first in range(start, count, window):
        yield slice(first, min(first + window, count))


@torch.inference_mode()
def score_window(
    model: Ranker, queries: Tokens, passages: Tokens, query_rows: np.ndarray, passage_rows: np.ndarray
) -> np.ndarray:
    """Scores of a few pairs; what reads texts apart represents each distinct text among them once."""
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


def try_longest(model: Ranker) -> None:
    """Score the longest pairs that the model reads: too little memory then shows at once.

    As many as are computed at a time; a window of them where token vectors are kept.
    """
    limits = model.settings.encoder
    count = max(1, model.tokens_in_use // (limits.query_tokens + limits.passage_tokens))
    rows = np.arange(model.window if isinstance(model, SplitRanker) else count)
    score_window(model, OneText(limits.query_tokens), OneText(limits.passage_tokens), rows, rows)


def checked(scores: np.ndarray) -> np.ndarray:
    """The scores, unless one is not a number."""
    if not np.isfinite(scores).all():
        raise ValueError(f"{(~np.isfinite(scores)).sum():,} of {len(scores):,} scores are not finite; {NOT_FINITE}.")
    return scores
