"""Learning-rate schedules: factors of the peak rate, as functions of the step."""

import math
from collections.abc import Callable


def schedule(name: str, *, steps: int, warmup_steps: int, minimum: float = 0.0) -> Callable[[int], float]:
    """The factor at step 0, 1, …: a linear rise over the warm-up, then the named way down to `minimum` at `steps`."""
    fall = SCHEDULES[name]

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        return minimum + (1.0 - minimum) * fall((step - warmup_steps) / (steps - warmup_steps))

    return factor


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: (1.0 + math.cos(math.pi * progress)) / 2,
}
