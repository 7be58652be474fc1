"""Lines of a table for rankers with several seeds: one each, their mean, or all and their spread."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

EACH, MEAN, SPREAD = "each", "mean", "spread"


class Line(NamedTuple):
    """One line of a table. Summaries of lines above them take no part in the contest for the best of a column."""

    system: str
    labels: tuple[str, ...]
    values: np.ndarray
    of: tuple[str, ...]  # the systems whose numbers it is made of
    competes: bool = True
    is_mean: bool = True


def lines_of(
    labels: tuple[str, ...], systems: dict[str, int | None], how: str, values_of: Callable[[str], np.ndarray]
) -> list[Line]:
    """The lines of one row: `systems` are its systems and the seed of each, `how` is `over_seeds` of the table."""
    values = {system: values_of(system) for system in systems}
    if len(systems) == 1:
        return [Line(system, labels, values[system], (system,)) for system in systems]
    first, seed = next(iter(systems.items()))
    named = {what: first.replace(f"/seed-{seed}/", f"/{what}/") for what in ("mean", "deviation")}
    mean = np.mean(list(values.values()), axis=0)
    if how == MEAN:
        return [Line(named["mean"], labels, mean, (*systems,))]
    lines = [
        Line(system, with_more(labels, f"seed {seed}"), values[system], (system,)) for system, seed in systems.items()
    ]
    if how == SPREAD:
        deviation = np.std(list(values.values()), axis=0, ddof=1)
        summary = Line(named["mean"], with_more(labels, "mean"), mean, (*systems,), competes=False)
        spread = {"labels": with_more(labels, "standard deviation"), "values": deviation, "is_mean": False}
        lines += [summary, summary._replace(system=named["deviation"], **spread)]
    return lines


def with_more(labels: tuple[str, ...], more: str) -> tuple[str, ...]:
    """The labels, with more said in the last."""
    return (*labels[:-1], f"{labels[-1]}, {more}")
