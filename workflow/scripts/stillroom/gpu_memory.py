"""What is said where a GPU has not enough memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stillroom.batches import USE_TOKENS

LOWER_TOKENS = (
    f"lower the resource gpu_tokens, the tokens that are computed at a time ({USE_TOKENS['cuda']:,} unless it is set), "
    "in profiles/gpu"
)


@contextmanager
def memory_checked(advice: str = LOWER_TOKENS) -> Iterator[None]:
    """Where a GPU has not enough memory for what is done here, one sentence says what to do about it."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RuntimeError(f"the memory of the GPU is too small; {advice}.") from error
