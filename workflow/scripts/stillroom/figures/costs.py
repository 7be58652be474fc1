"""The figure of an efficiency table: effectiveness against latency, as in Hofstätter et al. 2020 (arXiv:2010.02666)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stillroom.figures.captions import costs_caption
from stillroom.figures.style import BLACK, house_style, log_scale, panels, say_missing, series, write_figure
from stillroom.files import read_json
from stillroom.tables import Metrics, mean_of, printed_measure, read_metrics

# Of a panel, in points: its axes, a letter and a line of a name, half a mark, and how far a name stands from its mark.
POINTS_WIDE, POINTS_HIGH, LETTER, LINE, MARK, FIRST_OFFSET = 310, 210, 4.5, 11, 4, 7


class Point(NamedTuple):
    """A ranker: how fast its architecture is, what it learnt from, how good it is on each test set."""

    label: str
    milliseconds: float
    teacher: str
    values: dict[str, float]


def plot_costs(
    *,
    settings: dict,
    efficiency_paths: Sequence[str],
    metrics_paths: Sequence[str],
    svg_path: str | Path,
    png_path: str | Path,
) -> None:
    """Draw how good rankers are over how long their architecture takes for a query; a panel per test set."""
    costs = {cost["system"]: cost for cost in map(read_json, efficiency_paths)}
    metrics = read_metrics(metrics_paths)
    points, missing = points_of(settings, costs, metrics)
    test_sets, measure = settings["test_sets"], printed_measure(settings["measure"])
    with house_style():
        figure, all_axes = panels(len(test_sets), columns=2, size=(5.2, 4.0))
        for axes, test_set in zip(all_axes, test_sets, strict=True):
            draw(axes, points, test_set, settings["teachers"])
            draw_baseline(axes, settings, metrics, test_set)
            axes.set_ylabel(measure)
            axes.set_xlabel(f"milliseconds for a query{passages_of(costs)}")
        add_legend(figure, all_axes[0])
        figure.suptitle(settings["title"])
        first = [(point.label, point.milliseconds, point.values[test_sets[0]]) for point in points]
        caption = costs_caption(settings["title"], measure, test_sets, first)
        write_figure(figure, say_missing(figure, caption, missing), svg_path, png_path)


def points_of(settings: dict, costs: dict, metrics: Metrics) -> tuple[list[Point], list[str]]:
    """The rankers that were timed and measured, means over their seeds; and the names of the others."""
    points, missing = [], []
    for one in settings["points"]:
        each = [
            {name: mean_of(metrics, name, system, settings["measure"]) for name in settings["test_sets"]}
            for system in one["systems"]
            if all((name, system) in metrics for name in settings["test_sets"])
        ]
        if one["timed"] not in costs or not each:
            missing.append(one["name"])
            continue
        values = {name: float(np.mean([values[name] for values in each])) for name in settings["test_sets"]}
        points.append(Point(one["label"], costs[one["timed"]]["milliseconds"], one["teacher"], values))
    return points, missing


def draw(axes: Axes, points: list[Point], test_set: str, teachers: list[str]) -> None:
    """A marker per ranker, of its teacher; those of one architecture stand above each other and share its name."""
    columns = {}
    for place, teacher in enumerate(teachers):
        own = [point for point in points if point.teacher == teacher]
        positions = [(point.milliseconds, point.values[test_set]) for point in own]
        if positions:
            axes.plot(*zip(*positions, strict=True), label=teacher, **series(place) | {"linestyle": "none"})
    for label in dict.fromkeys(point.label for point in points):
        own = [point for point in points if point.label == label]
        values = [point.values[test_set] for point in own]
        axes.vlines(own[0].milliseconds, min(values), max(values), colors=BLACK, linewidth=0.8, zorder=1)
        columns[label] = (own[0].milliseconds, values)
    axes.margins(x=0.15, y=0.15)  # room for the names
    log_scale(axes.xaxis)
    axes.set_title(test_set)
    style = {"textcoords": "offset points", "ha": "center", "va": "center", "fontsize": "small"}
    for label, (value, offset) in name_places(axes, columns).items():
        axes.annotate(label, (columns[label][0], value), (0, offset), **style)


def name_places(axes: Axes, columns: dict[str, tuple[float, list[float]]]) -> dict[str, tuple[float, int]]:
    """Where each name stands, above its highest or below its lowest mark: (value, points up), clear of all others."""
    (left, right), (bottom, top) = np.log(axes.get_xlim()), axes.get_ylim()
    across = {label: POINTS_WIDE * (np.log(x) - left) / (right - left) for label, (x, _) in columns.items()}
    up = {
        label: [POINTS_HIGH * (value - bottom) / (top - bottom) for value in values]
        for label, (_, values) in columns.items()
    }
    taken = [(across[label], height, MARK, MARK) for label, heights in up.items() for height in heights]
    found = {}
    for label, (_, values) in columns.items():
        x, half = across[label], LETTER * len(label) / 2
        for offset in (sign * points for points in range(FIRST_OFFSET, POINTS_HIGH) for sign in (1, -1)):
            value, y = (max(values), max(up[label]) + offset) if offset > 0 else (min(values), min(up[label]) + offset)
            if not any(abs(x - a) < half + w and abs(y - b) < LINE / 2 + h for a, b, w, h in taken):
                break
        taken.append((x, y, half, LINE / 2))
        found[label] = (value, offset)
    return found


def draw_baseline(axes: Axes, settings: dict, metrics: Metrics, test_set: str) -> None:
    """A line across for the first stage, which has no latency here."""
    baseline = settings["baseline"]
    if baseline and (test_set, baseline["system"]) in metrics:
        value = mean_of(metrics, test_set, baseline["system"], settings["measure"])
        axes.axhline(value, color=BLACK, linestyle=":", linewidth=1.0, label=baseline["label"])


def add_legend(figure: Figure, axes: Axes) -> None:
    """One legend for all panels, which show the same."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)))


def passages_of(costs: dict) -> str:
    """How many passages were re-ranked, where all costs agree."""
    counts = {cost["passages"] for cost in costs.values()}
    return f" and {counts.pop():,} passages" if len(counts) == 1 else ""
