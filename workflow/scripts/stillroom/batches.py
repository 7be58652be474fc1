"""From token ids to padded tensors, in length-sorted chunks so that little is computed on padding.

Shape suffixes: B = sequences, L = tokens of the longest of them.
"""

from collections.abc import Sequence

import numpy as np
import torch

# Tokens in one forward pass. Larger chunks gain nothing on a CPU and pad more; a GPU wants work for all its units.
CHUNK_TOKENS = {"cpu": 2_048, "cuda": 65_536}


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


def pad(sequences: Sequence[np.ndarray], padding: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The sequences as one tensor ids_BL, filled up with `padding`, and mask_BL: true where a token is."""
    lengths = np.array([len(sequence) for sequence in sequences])
    mask_BL = np.arange(lengths.max(initial=1)) < lengths[:, None]
    ids_BL = np.full(mask_BL.shape, padding, dtype=np.int64)
    ids_BL[mask_BL] = np.concatenate(sequences) if len(sequences) else []
    return torch.from_numpy(ids_BL).to(device), torch.from_numpy(mask_BL).to(device)
