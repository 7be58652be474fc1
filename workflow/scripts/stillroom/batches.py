"""From token ids to padded tensors, in chunks of similar length so that little is computed on padding.

Shape suffixes: B = sequences, L = tokens of the longest of them.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

Result = TypeVar("Result")

# Tokens in one forward pass. Larger chunks gain nothing on a CPU and pad more; a GPU wants work for all its units.
CHUNK_TOKENS = {"cpu": 2_048, "cuda": 65_536}
# The same where nothing is learnt: each of a CPU's threads then has a chunk of its own.
USE_TOKENS = {"cpu": 1_024, "cuda": 65_536}
# Texts, or pairs, that are sorted by length among each other, enough for chunks of every length, and saved together.
WINDOW_TEXTS = {"cpu": 2_048, "cuda": 65_536}
# The same where vectors of all tokens are kept meanwhile.
WINDOW_TOKEN_VECTORS = 1_024


def chunks_by_length(lengths: Sequence[int], chunk_tokens: int) -> list[np.ndarray]:
    """Indices of sequences of similar length, at most `chunk_tokens` padded tokens each, every index once."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    chunks, start = [], 0
    for stop in range(1, len(order) + 1):
        is_last = stop == len(order)
        if is_last or (stop - start + 1) * max(1, lengths[order[stop]]) > chunk_tokens:
            chunks.append(order[start:stop])
            start = stop
    return chunks


def even_chunks(lengths: Sequence[int], chunk_tokens: int) -> list[np.ndarray]:
    """As `chunks_by_length`, but the longest first, and of a single length where that makes half a chunk.

    The longest first shows at once whether memory suffices. Texts of one length have no padding and need no mask,
    without which attention is fastest.
    """
    lengths = np.maximum(np.asarray(lengths, dtype=np.int64), 1)
    order = np.argsort(-lengths, kind="stable")
    ordered = lengths[order].tolist()
    chunks, start = [], 0
    for stop in range(1, len(order) + 1):
        count, longest = stop - start, ordered[start]
        if (
            stop == len(order)
            or (count + 1) * longest > chunk_tokens
            or (ordered[stop] < longest and count * longest >= chunk_tokens // 2)
        ):
            chunks.append(order[start:stop])
            start = stop
    return chunks


def side_by_side(run: Callable[[np.ndarray], Result], chunks: list[np.ndarray]) -> list[Result]:
    """`run` of every chunk, on a CPU: each in one thread, as many at a time as torch may use threads.

    One chunk in all threads would wait at the end of every single operation. What comes out is the same for any number
    of threads.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        return [run(chunk) for chunk in chunks]

    def run_to_use(chunk):
        with torch.inference_mode():  # which each thread has to say itself
            return run(chunk)

    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(run_to_use, chunks))
    finally:
        torch.set_num_threads(threads)


def pad(sequences: Sequence[np.ndarray], padding: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The sequences as one tensor ids_BL, filled up with `padding`, and mask_BL: true where a token is."""
    lengths = np.array([len(sequence) for sequence in sequences])
    mask_BL = np.arange(lengths.max(initial=1)) < lengths[:, None]
    ids_BL = np.full(mask_BL.shape, padding, dtype=np.int64)
    ids_BL[mask_BL] = np.concatenate(sequences) if len(sequences) else []
    return to_device(ids_BL, device), to_device(mask_BL, device)


def to_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """The array as a tensor there; a GPU fetches it while the CPU goes on."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
