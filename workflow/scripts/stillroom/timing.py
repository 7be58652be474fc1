"""How long something takes, and on what."""

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

Input = TypeVar("Input")
Result = TypeVar("Result")

CPU_FACTS = Path("/proc/cpuinfo")
ENOUGH_SECONDS = 2.0  # what is quick is timed again until then: on a busy machine three quick calls say little


def median_seconds(
    run: Callable[[Input], Result], inputs: Sequence[Input], warm_up: bool = True
) -> tuple[float, Result]:
    """The median of the seconds that a function takes, and what it returned last.

    It is called once without being timed, to warm up, then with each input in turn, and again while that was quick.
    """
    if warm_up:
        run(inputs[0])
    seconds = []
    while len(seconds) < len(inputs) or sum(seconds) < ENOUGH_SECONDS:
        began = time.perf_counter()
        result = run(inputs[len(seconds) % len(inputs)])
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), result


def evenly(count: int, among: int) -> np.ndarray:
    """`count` rows at equal distances among so many; all of them where there are fewer."""
    return np.linspace(0, among - 1, min(count, among)).round().astype(np.int64)


def cpu_name() -> str:
    """The name of the CPU as far as the system tells."""
    lines = CPU_FACTS.read_text(encoding="utf-8").splitlines() if CPU_FACTS.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
