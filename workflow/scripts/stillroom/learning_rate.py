"""Learning-rate schedules: factors of the peak rate, as functions of the step."""

import math
from collections.abc import Callable


def schedule(name: str, *, steps: int, warmup_steps: int) -> Callable[[int], float]:
    """The factor at step 0, 1, …: a linear rise over the warm-up, then the named way down to 0 at `steps`."""
    fall = SCHEDULES[name]

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        return fall((step - warmup_steps) / max(1, steps - warmup_steps))

    return factor


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: (1.0 + math.cos(math.pi * progress)) / 2,
}
