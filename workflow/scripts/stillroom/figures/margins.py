"""The figure of the samplers: the teacher's margins in random and in balanced batches."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from matplotlib.axes import Axes

from stillroom.figures.captions import margins_caption
from stillroom.figures.style import COLOURS, LINES, PALE, house_style, panels, write_figure

BINS = 40
NAMES = {"random": "random", "tas": "TAS", "tas_balanced": "TAS-Balanced"}


def plot_margins(*, teacher: str, batches_path: str | Path, svg_path: str | Path, png_path: str | Path) -> None:
    """Draw the margins in the batches of each sampler as shares of its own."""
    batches = pq.read_table(batches_path).to_pandas()
    margins = {NAMES[sampler]: lines["margin"].to_numpy() for sampler, lines in batches.groupby("sampler", sort=False)}
    with house_style():
        figure, (axes,) = panels(1, columns=1, size=(7.0, 4.1))
        draw(axes, margins)
        axes.set_xlabel(f"margin of {teacher}: score of the relevant passage minus that of the other one")
        means = [(name, float(values.mean()), float(values.std())) for name, values in margins.items()]
        count = batches["batch"].nunique()
        write_figure(figure, margins_caption(teacher, count, means), svg_path, png_path)


def draw(axes: Axes, margins: dict[str, np.ndarray]) -> None:
    """Outlines above each other, told apart by their lines; the first, which others are compared with, is filled."""
    everything = np.concatenate([*margins.values()])
    edges = np.linspace(everything.min(), max(everything.max(), everything.min() + 1e-6), BINS + 1)
    for place, (name, values) in enumerate(margins.items()):
        shares = 100 * np.histogram(values, edges)[0] / len(values)
        label = f"{name}: mean {values.mean():.2f}, standard deviation {values.std():.2f}"
        look = {"edgecolor": COLOURS[place], "linestyle": LINES[place], "linewidth": 1.6}
        axes.stairs(shares, edges, fill=place == 0, facecolor=PALE, label=label, **look)
    axes.set_ylabel("% of a sampler's triples")
    axes.legend()
