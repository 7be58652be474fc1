"""Where a process computes; apart from rankers, because what searches vectors needs none of them."""

import torch


def best_device() -> torch.device:
    """The process's GPU, the first outside a group of processes, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
