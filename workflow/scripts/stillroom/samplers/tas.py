"""TAS: topic-aware batches."""

from collections.abc import Callable

import numpy as np

from stillroom.samplers._topics import topic_batches
from stillroom.triples import Triples

NEEDS_CLUSTERS = True
NEEDS_TEACHER = False


def tas(triples: Triples, *, batch_size: int, seed: int) -> Callable[[int], np.ndarray]:
    """Queries of one topic cluster per batch, a random triple of each.

    Hofstätter et al. 2021 (arXiv:2104.06967), Sec. 3.1, with n = 1 cluster per batch.
    """
    return topic_batches(triples, lambda random, rows: random.choice(rows), batch_size=batch_size, seed=seed)
