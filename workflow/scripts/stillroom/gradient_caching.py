"""Gradient caching: the gradient of a large batch in the memory of a small one.

A loss that compares the texts of a batch with each other needs all of their representations at once, but not all that
the encoder computed on the way to them. Texts are represented chunk by chunk, and nothing but the representations is
kept. The gradient of the loss with respect to these comes first, and is what is cached; then each chunk is represented
once more, with the same dropout, and hands its share of it on to the weights. Gao et al. 2021 (arXiv:2101.06983): one
more forward pass, and the same gradients.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint


def represented_twice(
    forward: Callable[[np.ndarray], list[torch.Tensor]], rows: np.ndarray, device: torch.device
) -> list[torch.Tensor]:
    """`forward(rows)` of one chunk, of which only the result is kept, and which is computed again for the gradient."""
    marker = torch.empty(0, device=device)  # random states are kept for the devices of the arguments only
    return checkpoint(lambda rows, _: forward(rows), rows, marker, use_reentrant=False)
