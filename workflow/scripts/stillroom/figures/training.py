"""The figure of the trainings: the loss and the validation over the steps, a panel per ranker."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from stillroom.figures.captions import training_caption
from stillroom.figures.style import BLACK, LINES, VERMILION, house_style, name_axes, panels, say_missing, write_figure

VALIDATION = "nDCG@10"
POINTS = 300  # of one curve; of more, neighbours are averaged
FEW = 5  # with fewer, each is marked
Curve = list[tuple[float, float]]


def plot_training(*, settings: dict, curve_paths: Sequence[str], svg_path: str | Path, png_path: str | Path) -> None:
    """Draw what the trainings logged. Losses have scales of their own, the validation has one for all panels."""
    there = [
        (ranker["name"], [read_lines(path) for path in ranker["curves"] if path in curve_paths])
        for ranker in settings["rankers"]
        if {*ranker["curves"]} & {*curve_paths}
    ]
    wanted = [path for ranker in settings["rankers"] for path in ranker["curves"]]
    missing = ["/".join(Path(path).parts[-3:-1]) for path in wanted if path not in curve_paths]
    with house_style():
        figure, all_axes = panels(len(there), columns=4, size=(2.6, 1.9))
        rights = [draw(axes, name, trainings) for axes, (name, trainings) in zip(all_axes, there, strict=True)]
        share_limits(rights)
        name_axes(all_axes, x="step")
        handles = [*all_axes[0].lines[:1], *[right.lines[0] for right in rights if right.lines][:1]]
        figure.legend(handles, ["training loss (left)", f"validation {VALIDATION} (right)"], loc="outside lower center",
                      ncols=2)  # fmt: skip
        best = [(name, max(values, default=None)) for name, values in validations(there)]
        write_figure(figure, say_missing(figure, training_caption(best), missing), svg_path, png_path)


def read_lines(path: str | Path) -> list[dict]:
    """The lines of a training.jsonl."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def curve(lines: list[dict], key: str) -> Curve:
    """(step, value) of the lines that have a value, thinned out to means of neighbours where they are many."""
    points = np.array([(line["step"], line[key]) for line in lines if key in line], dtype=float)
    if len(points) <= POINTS:
        return [tuple(point) for point in points.tolist()]
    return [tuple(part.mean(axis=0).tolist()) for part in np.array_split(points, POINTS)]


def validations(there: list[tuple[str, list[list[dict]]]]) -> list[tuple[str, list[float]]]:
    """All validation values of each ranker."""
    return [
        (name, [line[VALIDATION] for lines in trainings for line in lines if VALIDATION in line])
        for name, trainings in there
    ]


def draw(axes: Axes, name: str, trainings: list[list[dict]]) -> Axes:
    """The curves of one ranker, a line per seed; returned are the axes of the validation, on the right."""
    right = axes.twinx()
    for place, lines in enumerate(trainings):
        line = LINES[place % len(LINES)]
        losses = curve(lines, "loss")
        marker = "." if len(losses) < FEW else ""
        axes.plot(*columns(losses), color=BLACK, linestyle=line, linewidth=1.0, marker=marker)
        if found := curve(lines, VALIDATION):
            right.plot(*columns(found), color=VERMILION, linestyle=line, marker="o", markersize=3.5)
    axes.set_title(f"{name}, {len(trainings)} seeds" if len(trainings) > 1 else name, fontsize="small")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.tick_params(labelsize="x-small")
    right.spines["right"].set_visible(True)
    right.grid(False)
    return right


def columns(points: Curve) -> tuple[list[float], list[float]]:
    """The steps, and the values."""
    return [step for step, _ in points], [value for _, value in points]


def share_limits(rights: list[Axes]) -> None:
    """The same limits on the right of every panel; no numbers where there is no validation."""
    values = [value for right in rights for line in right.lines for value in line.get_ydata()]
    for right in rights:
        right.tick_params(labelsize="x-small", labelcolor=VERMILION)
        if not right.lines:
            right.set_yticks([])
        elif values:
            room = max(0.02, 0.15 * (max(values) - min(values)))
            right.set_ylim(min(values) - room, max(values) + room)
