"""Groups for listwise losses: a query with relevant passages and other ones, made of training triples.

Shape suffixes: T = triples, P = a query's different passages, G = groups, R = relevant and N = other passages of a
group, F = sets of relevant passages.
"""

import logging
from dataclasses import replace

import numpy as np
from scipy.special import log_softmax

from stillroom.triples import Triples, pair_keys

logger = logging.getLogger(__name__)


def grouped(triples: Triples, positives: int, negatives: int) -> Triples:
    """The triples as groups: their `positive` is (G, R), `negative` (G, N), `teacher_scores` (G, R + N).

    The relevant and the other passages of a query's triples are taken in the triples' order, each once, so many at a
    time. A query that has more of the latter has its relevant passages in turn. A passage that another triple of the
    query says to be relevant is none of the others. A group stands where the triple of its first other passage does,
    and a passage's score is that of the first triple with it.
    Passages that are in no group are left out, and their number is logged. Groups of one and one are the triples
    themselves, repeated ones too.
    """
    if positives == negatives == 1:
        return replace(triples, positive=triples.positive[:, None], negative=triples.negative[:, None])
    relevant_FR, relevant_pairs = rows_of_sets(triples.query, triples.positive, positives)
    other_GN, other_pairs = rows_of_sets(triples.query, triples.negative, negatives, other_than=triples.positive)
    relevant_GR, other_GN = joined(triples.query, relevant_FR, other_GN)
    log_groups(relevant_GR, other_GN, relevant_pairs, other_pairs)
    scores = triples.teacher_scores
    if scores is not None:
        scores = np.hstack([scores[relevant_GR, 0], scores[other_GN, 1]])
        log_entropy(scores)
    return replace(
        triples,
        query=triples.query[other_GN[:, 0]],
        positive=triples.positive[relevant_GR],
        negative=triples.negative[other_GN],
        teacher_scores=scores,
    )


def rows_of_sets(
    query_T: np.ndarray, passage_T: np.ndarray, size: int, other_than: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    """Rows of triples, (sets, `size`): every so many different passages of a query, the queries ascending.

    And how many pairs of a query and a passage the triples have, those of `other_than` included.
    """
    key_P, row_P = np.unique(pair_keys(query_T, passage_T), return_index=True)  # of each pair the first row
    if other_than is not None:
        row_P = row_P[~np.isin(key_P, pair_keys(query_T, other_than))]
    row_P = row_P[np.lexsort((row_P, query_T[row_P]))]
    starts = np.flatnonzero(np.diff(query_T[row_P], prepend=-1))
    counts = np.diff(starts, append=len(row_P))
    place_P = np.arange(len(row_P)) - np.repeat(starts, counts)
    return row_P[place_P < np.repeat(counts - counts % size, counts)].reshape(-1, size), len(key_P)


def joined(query_T: np.ndarray, relevant_FR: np.ndarray, other_GN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(relevant_GR, other_GN): a query's sets of other passages with its sets of relevant ones in turn."""
    query_F, query_G = query_T[relevant_FR[:, 0]], query_T[other_GN[:, 0]]
    starts_G = np.searchsorted(query_F, query_G)
    counts_G = np.searchsorted(query_F, query_G, side="right") - starts_G
    turn_G = np.arange(len(query_G)) - np.searchsorted(query_G, query_G)
    has_both = np.flatnonzero(counts_G)
    kept = has_both[np.argsort(other_GN[has_both, 0])]
    return relevant_FR[starts_G[kept] + turn_G[kept] % counts_G[kept]], other_GN[kept]


def log_groups(relevant_GR: np.ndarray, other_GN: np.ndarray, relevant_pairs: int, other_pairs: int) -> None:
    """Say how many groups there are, and how many of all pairs are in none; stop when all are."""
    (count, positives), negatives = relevant_GR.shape, other_GN.shape[1]
    if not count:
        raise ValueError(
            f"training: positives is {positives} and negatives is {negatives}, but no query has so many relevant and "
            "other passages in its triples; lower what is too high, or sample more other passages (`per_query`)."
        )
    logger.info("%s groups of %d relevant and %d other passages", f"{count:,}", positives, negatives)
    for kind, pairs, rows in (("relevant", relevant_pairs, relevant_GR), ("other", other_pairs, other_GN)):
        if left_out := pairs - len(np.unique(rows)):  # each pair stands for itself by its first row
            message = "%s of %s pairs of a query and a passage (%s) are in no group"
            logger.warning(message, f"{left_out:,}", f"{pairs:,}", kind)


def log_entropy(scores_GP: np.ndarray) -> None:
    """Say how sure the teacher is: losses of distributions take its scores as they are, whatever their scale."""
    log_p_GP = log_softmax(scores_GP, axis=1)
    entropy = -(np.exp(log_p_GP) * log_p_GP).sum(axis=1).mean()
    logger.info(
        "softmax of the teacher's scores: mean entropy %.2f of at most %.2f", entropy, np.log(log_p_GP.shape[1])
    )
