"""The figure of a search table: recall against speed, a point per row."""

import csv
from itertools import groupby
from pathlib import Path

from matplotlib.axes import Axes

from stillroom.figures.captions import search_caption
from stillroom.figures.style import house_style, log_scale, panels, say_missing, series, write_figure


def plot_search(*, settings: dict, csv_path: str | Path, svg_path: str | Path, png_path: str | Path) -> None:
    """Draw the table's recall over its queries per second."""
    with open(csv_path, newline="", encoding="utf-8") as file:
        everything = [*csv.DictReader(file)]
    rows = [row for row in everything if row["queries_per_second"]]  # blank: not measured yet
    missing = [", ".join(labels_of(row)) for row in everything if row not in rows]
    points = [(", ".join(labels_of(row)), *point(row, settings["recall_at"])) for row in rows]
    with house_style():
        figure, (axes,) = panels(1, columns=1, size=(7.0, 4.1))
        draw(axes, rows, settings)
        caption = search_caption(settings["title"], settings["recall_at"], points)
        write_figure(figure, say_missing(figure, caption, missing), svg_path, png_path)


def draw(axes: Axes, rows: list[dict[str, str]], settings: dict) -> None:
    """A marker per row; rows that follow each other with the same first label are joined and told by their last."""
    groups = [(name, list(group)) for name, group in groupby(rows, key=lambda row: labels_of(row)[0])]
    for place, (name, group) in enumerate(groups):
        points = [point(row, settings["recall_at"]) for row in group]
        axes.plot(*zip(*points, strict=True), label=name, **series(place))
        for row, position in zip(group, points, strict=True):
            text = labels_of(row)[-1] if len(group) > 1 else ""
            axes.annotate(text, position, (4, 4), textcoords="offset points", fontsize="x-small")
    axes.margins(x=0.08, y=0.08)  # room for the texts
    log_scale(axes.xaxis)
    axes.set_xlabel("queries per second, one at a time")
    axes.set_ylabel(f"recall@{settings['recall_at']} of exact search")
    axes.set_title(settings["title"])
    if rows:
        axes.legend()


def labels_of(row: dict[str, str]) -> list[str]:
    """The labels of a row of the table."""
    return [value for name, value in row.items() if name.startswith("label")]


def point(row: dict[str, str], recall_at: int) -> tuple[float, float]:
    """Where a row of the table is drawn."""
    return float(row["queries_per_second"]), float(row[f"recall@{recall_at}"])
