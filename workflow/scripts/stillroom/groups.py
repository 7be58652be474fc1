"""Groups for listwise losses: a query, a relevant passage and several other ones, made of training triples.

Shape suffixes: T = triples, G = groups, N = other passages per group.
"""

import logging
from dataclasses import replace

import numpy as np

from stillroom.triples import Triples, pair_keys

logger = logging.getLogger(__name__)


def grouped(triples: Triples, negatives: int) -> Triples:
    """The triples as groups with so many other passages: their `negative` is (G, N), `teacher_scores` (G, 1 + N).

    A group's triples are the next ones with the same query and relevant passage, though others may stand between them.
    It stands where its first triple does, whose score of the relevant passage is the group's.
    Triples that fill no group are left out, and their number is logged.
    """
    if negatives == 1:
        return replace(triples, negative=triples.negative[:, None])
    rows_GN = rows_of_groups(pair_keys(triples.query, triples.positive), negatives)
    log_groups(rows_GN, len(triples.query))
    first_G, scores = rows_GN[:, 0], triples.teacher_scores
    return replace(
        triples,
        query=triples.query[first_G],
        positive=triples.positive[first_G],
        negative=triples.negative[rows_GN],
        teacher_scores=None if scores is None else np.column_stack([scores[first_G, 0], scores[rows_GN, 1]]),
    )


def rows_of_groups(keys_T: np.ndarray, size: int) -> np.ndarray:
    """rows_GN: every `size` rows with the same key, in the order of the first of them."""
    order_T = np.argsort(keys_T, kind="stable")
    starts = np.flatnonzero(np.diff(keys_T[order_T], prepend=-1))
    counts = np.diff(starts, append=len(keys_T))
    place_T = np.arange(len(keys_T)) - np.repeat(starts, counts)
    rows_GN = order_T[place_T < np.repeat(counts - counts % size, counts)].reshape(-1, size)
    return rows_GN[np.argsort(rows_GN[:, 0])]


def log_groups(rows_GN: np.ndarray, triples: int) -> None:
    """Say how many groups there are, and how many triples are in none; stop when all are."""
    count, negatives = rows_GN.shape
    if not count:
        raise ValueError(
            f"training: negatives is {negatives}, but no query has so many triples with a relevant passage; lower it, "
            "or sample more (`per_query`, `per_relevant` of the training set)."
        )
    logger.info("%s groups with %d other passages each", f"{count:,}", negatives)
    if left_out := triples - rows_GN.size:
        logger.warning(
            "%s of %s triples fill no group of %d with the same query and relevant passage, and are left out",
            f"{left_out:,}", f"{triples:,}", negatives,
        )  # fmt: skip
