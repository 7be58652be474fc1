"""Learning rates: the peak rates of the parameters, and schedules, factors of them as functions of the step."""

import math
from collections.abc import Callable

from stillroom.ranker import Ranker
from stillroom.settings import TrainingSettings


def parameter_groups(model: Ranker, training: TrainingSettings) -> list[dict]:
    """The optimizer's groups, each with its peak rate: all parameters, or kernels apart where they have their own."""
    if training.kernel_learning_rate is None:
        return [{"params": list(model.parameters()), "peak": training.learning_rate}]
    kernels = model.kernel_parameters()
    are_kernels = {id(parameter) for parameter in kernels}
    others = [parameter for parameter in model.parameters() if id(parameter) not in are_kernels]
    return [
        {"params": others, "peak": training.learning_rate},
        {"params": kernels, "peak": training.kernel_learning_rate},
    ]


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
