"""Which GPUs of the machine a job may use: it takes those that no other job of this user or another has taken.

A workflow manager counts GPUs and names none, so several jobs of one machine would all use the first.
"""

import fcntl
import logging
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

VISIBLE, CLAIMED = "CUDA_VISIBLE_DEVICES", "STILLROOM_CLAIMED_GPUS"
LOCKS = Path("/tmp")  # not TMPDIR, which many clusters set for each job
WAIT_SECONDS = 2.0


def claim_gpus(count: int = 1, more: int = 0) -> list[str]:
    """Take `count` GPUs for this process and those that it forks, until they end; waits for them where others have all.

    Up to `more` further ones are taken if they are free at once. Only GPUs that CUDA_VISIBLE_DEVICES allows are taken,
    and afterwards it names just these: call this before anything has touched a GPU. Returns their names; none where
    there is no GPU. A second call changes nothing.
    """
    if os.environ.get(CLAIMED) is not None and os.environ[CLAIMED] == os.environ.get(VISIBLE):
        return os.environ[CLAIMED].split(",")
    visible = visible_gpus()
    if not visible:
        return []
    claimed = lock_some(visible, min(count, len(visible)), more)
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # that of the driver's list, from which numbers were read
    os.environ[VISIBLE] = os.environ[CLAIMED] = ",".join(claimed)
    return claimed


def lock_some(gpus: list[str], count: int, more: int) -> list[str]:
    """The first `count` of these GPUs that are free, and up to `more` others.

    All or none: two jobs that each hold one and want a second would wait for ever.
    """
    is_told = False
    while True:
        held = {}
        for gpu in gpus:
            if len(held) < count + more and (file := locked(gpu)) is not None:
                held[gpu] = file
        if len(held) >= count:
            return list(held)
        for file in held.values():
            os.close(file)
        if not is_told:
            logger.info("waiting for a free GPU: %d wanted, %d of %d free", count, len(held), len(gpus))
            is_told = True
        time.sleep(WAIT_SECONDS)


def locked(gpu: str) -> int | None:
    """The open lock file of a GPU, which is released when the process ends; None where another process has it."""
    path = LOCKS / f"stillroom-{gpu}.lock"
    with suppress(FileExistsError):
        path.touch(exist_ok=False)
        path.chmod(0o644)  # whatever the umask: others have to read it
    file = os.open(path, os.O_RDONLY)  # another user's file can be locked, but not written
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    os.close(file)
    return None


def visible_gpus() -> list[str]:
    """The GPUs that this process may use: what CUDA_VISIBLE_DEVICES names, or all.

    Their own names (`GPU-8932f937-…`) in place of numbers: within a cluster's job every GPU is number 0.
    """
    there = gpus_of_machine()
    if not there or os.environ.get(VISIBLE) is None:
        return there
    names = [name.strip() for name in os.environ[VISIBLE].split(",")]
    known = {str(number): gpu for number, gpu in enumerate(there)}
    return [known.get(name, name) for name in names if name and name != "-1"]


def gpus_of_machine() -> list[str]:
    """The names of all GPUs in the order of the PCI bus, as the driver tells without CUDA."""
    try:
        told = subprocess.run(
            ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"], capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return []
    return told.stdout.split()
