"""Random batches."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from stillroom.triples import Triples

NEEDS_CLUSTERS = False
NEEDS_TEACHER = False


def random(triples: Triples, *, batch_size: int, seed: int) -> Callable[[int], np.ndarray]:
    """Every triple once per epoch, in an order drawn anew for each; an incomplete last batch is left out."""
    batches_per_epoch = len(triples.query) // batch_size
    if not batches_per_epoch:
        raise ValueError(
            f"training: batch_size is {batch_size}, but there are only {len(triples.query)} training triples, or "
            "groups of them."
        )

    @lru_cache(maxsize=1)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng([seed, epoch]).permutation(len(triples.query))

    def batch(step: int) -> np.ndarray:
        epoch, place = divmod(step, batches_per_epoch)
        return order(epoch)[place * batch_size : (place + 1) * batch_size]

    return batch
