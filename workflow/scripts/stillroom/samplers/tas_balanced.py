"""TAS-Balanced: topic-aware batches with balanced margins."""

import logging
from collections.abc import Callable

import numpy as np

from stillroom.samplers._topics import topic_batches
from stillroom.triples import Triples

logger = logging.getLogger(__name__)

NEEDS_CLUSTERS = True
NEEDS_TEACHER = True

BINS = 10  # h in Sec. 4.2


def tas_balanced(triples: Triples, *, batch_size: int, seed: int) -> Callable[[int], np.ndarray]:
    """Queries of one topic cluster per batch; of each query first a margin bin, then a triple of that bin.

    Hofstätter et al. 2021 (arXiv:2104.06967), Sec. 3.2, Eq. 12: BINS bins of equal width between the query's smallest
    and largest teacher margin, drawn uniformly among those that hold a triple. The margin of a group is the mean one.
    Differs from the paper: the inequality signs of Eq. 12 are printed reversed, the intended range is used; queries
    with a single triple are kept (the authors' code drops them).
    """
    margins = triples.margins
    log_single_triples(triples.query)

    def draw_triple(random: np.random.Generator, rows: np.ndarray) -> int:
        bins = margin_bins(margins[rows])
        return random.choice(rows[bins == random.choice(np.unique(bins))])

    return topic_batches(triples, draw_triple, batch_size=batch_size, seed=seed)


def margin_bins(margins: np.ndarray) -> np.ndarray:
    """The bin, 0 to BINS - 1, of each of a query's margins; all in bin 0 when the margins are equal."""
    lowest, width = margins.min(), np.ptp(margins)
    if width == 0:
        return np.zeros(len(margins), dtype=np.int64)
    return np.minimum((BINS * (margins - lowest) / width).astype(np.int64), BINS - 1)


def log_single_triples(query: np.ndarray) -> None:
    """Say how many queries have nothing to balance."""
    triples_of_query = np.unique(query, return_counts=True)[1]
    if single := int((triples_of_query == 1).sum()):
        logger.info(
            "%s of %s queries have one triple only: kept, it is drawn whenever its query is",
            f"{single:,}", f"{len(triples_of_query):,}",
        )  # fmt: skip
