"""The figure of a table on one test set: what each query gains or loses against the table's BM25."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from stillroom.figures.captions import gains_caption
from stillroom.figures.style import (
    BLACK,
    BLUE,
    VERMILION,
    house_style,
    merged_bars,
    name_axes,
    panels,
    say_missing,
    set_title,
    write_figure,
)
from stillroom.tables import printed_measure, query_values, read_metrics


class Gains(NamedTuple):
    """The differences of a system to the baseline by query, the largest first."""

    label: str
    values: np.ndarray

    @property
    def counts(self) -> tuple[int, int, int]:
        """The numbers of queries that are better, equal and worse."""
        better, worse = int((self.values > 0).sum()), int((self.values < 0).sum())
        return better, len(self.values) - better - worse, worse


def plot_gains(*, settings: dict, metrics_paths: Sequence[str], svg_path: str | Path, png_path: str | Path) -> None:
    """Draw sorted bars, one per query, a panel per system."""
    gains, missing = gains_of(settings, metrics_paths)
    baseline, measure, test_set = (
        settings["baseline"]["label"],
        printed_measure(settings["measure"]),
        settings["test_set"],
    )
    with house_style():
        figure, all_axes = panels(len(gains), columns=4, size=(2.6, 1.7), sharex=True, sharey=True)
        for axes, one in zip(all_axes, gains, strict=True):
            draw(axes, one)
        name_axes(all_axes, x="queries, from gains to losses")
        figure.suptitle(f"{measure} minus that of {baseline}, {test_set}, query by query", fontsize="medium")
        caption = gains_caption(
            settings["title"], baseline, measure, test_set, [(one.label, *one.counts) for one in gains]
        )
        write_figure(figure, say_missing(figure, caption, missing), svg_path, png_path)


def gains_of(settings: dict, metrics_paths: Sequence[str]) -> tuple[list[Gains], list[str]]:
    """The gains of every system that was measured, in the mean over its seeds; and the names of the others."""
    metrics, test_set, measure = read_metrics(metrics_paths), settings["test_set"], settings["measure"]
    baseline = query_values(metrics, test_set, [settings["baseline"]["system"]], measure)
    gains, missing = [], []
    for row in settings["rows"]:
        systems = [system for system in row["systems"] if (test_set, system) in metrics]
        missing += [system for system in row["systems"] if system not in systems]
        if systems:
            values = query_values(metrics, test_set, systems, measure) - baseline
            gains.append(Gains(row["label"], np.sort(values)[::-1]))
    return gains, list(dict.fromkeys(missing))


def draw(axes: Axes, gains: Gains) -> None:
    """Gains above the line, losses below it and hatched, with their numbers and the mean."""
    heights, edges = merged_bars(gains.values)
    axes.stairs(np.maximum(heights, 0), edges, fill=True, color=BLUE, linewidth=0.4)
    axes.stairs(np.minimum(heights, 0), edges, fill=True, facecolor="white", edgecolor=VERMILION, hatch="//////",
                linewidth=0.6)  # fmt: skip
    axes.axhline(0, color=BLACK, linewidth=0.6)
    better, same, worse = gains.counts
    set_title(axes, gains.label)
    said = f"+{better:,}  ={same:,}  −{worse:,}\nmean {gains.values.mean():+.3f}".replace("-", "−")
    axes.text(0.97, 0.95, said, transform=axes.transAxes, ha="right", va="top", fontsize="x-small")
    axes.set_xlim(0.5, len(gains.values) + 0.5)
    axes.tick_params(labelsize="x-small")
