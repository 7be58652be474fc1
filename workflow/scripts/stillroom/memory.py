"""The most memory in use: allocated on a GPU, or resident in the process."""

import os
from pathlib import Path

import torch

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # what resets VmHWM when written to clear_refs (proc(5))


class PeakMemory:
    """Bytes in use at most since `restart`: allocated by torch on a GPU; on a CPU, how much more is resident.

    More than when this was made: the interpreter and its libraries do not count. None where the system does not tell
    (a CPU without Linux's /proc). Linux's own ru_maxrss would not do: it can neither be reset nor be trusted, for it
    begins with the memory of the process that started this one.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.is_known = device.type == "cuda" or os.access(CLEAR_REFS, os.W_OK)
        self.before = status_bytes("VmRSS") if self.is_known and device.type == "cpu" else 0

    def restart(self) -> None:
        """Forget all peaks until now."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        elif self.is_known:
            CLEAR_REFS.write_text(RESET_PEAK)

    def peak(self) -> int | None:
        """The most bytes since `restart`."""
        if not self.is_known:
            return None
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return status_bytes("VmHWM") - self.before


def status_bytes(key: str) -> int:
    """A size from the process's own status: VmRSS is resident now, VmHWM was at most."""
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith(f"{key}:")]
    return int(line.split()[1]) * 1024  # printed in KiB
