"""The figure of a search table: recall against speed, a point per row."""

import csv
from itertools import cycle, groupby
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stillroom.files import atomic_path

MARKERS = "osD^vPX*<>"
INCHES = (7.0, 4.5)
DOTS_PER_INCH = 160


def plot_search(*, settings: dict, csv_path: str | Path, svg_path: str | Path, png_path: str | Path) -> None:
    """Draw the table's recall over its queries per second."""
    with open(csv_path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["queries_per_second"]]  # blank: not measured yet
    figure = Figure(figsize=INCHES, layout="constrained")
    draw(figure.subplots(), rows, settings)
    with mpl.rc_context({"svg.hashsalt": "stillroom"}):  # else no two files are alike
        for path, options in ((svg_path, {"metadata": {"Date": None}}), (png_path, {"dpi": DOTS_PER_INCH})):
            with atomic_path(path) as unfinished:
                figure.savefig(unfinished, **options)


def draw(axes: Axes, rows: list[dict[str, str]], settings: dict) -> None:
    """A marker per row; rows that follow each other with the same first label are joined and told by their last."""
    labels = [name for name in rows[0] if name.startswith("label")]
    groups = [(name, list(group)) for name, group in groupby(rows, key=lambda row: row[labels[0]])]
    for (name, group), marker in zip(groups, cycle(MARKERS), strict=False):
        points = [point(row, settings["recall_at"]) for row in group]
        axes.plot(*zip(*points, strict=True), marker=marker, label=name)
        for row, place in zip(group, points, strict=True):
            text = row[labels[-1]] if len(group) > 1 else ""
            axes.annotate(text, place, (4, -10), textcoords="offset points", fontsize="x-small")
    axes.set_xscale("log")
    axes.margins(x=0.08)  # room for the fastest one's text
    axes.set_xlabel("queries per second, one at a time")
    axes.set_ylabel(f"recall@{settings['recall_at']} of exact search")
    axes.set_title(settings["title"])
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def point(row: dict[str, str], recall_at: int) -> tuple[float, float]:
    """Where a row of the table is drawn."""
    return float(row["queries_per_second"]), float(row[f"recall@{recall_at}"])
