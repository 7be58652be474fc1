"""The figure of a clustering: how many training queries its clusters have."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from matplotlib.axes import Axes

from stillroom.figures.captions import clusters_caption
from stillroom.figures.style import BLACK, LINES, SKY, house_style, merged_bars, panels, write_figure


def plot_clusters(*, settings: dict, clusters_path: str | Path, svg_path: str | Path, png_path: str | Path) -> None:
    """Draw the sizes of all clusters, empty ones too, and the batches that have to be filled from one."""
    sizes = sizes_of(clusters_path, settings["clusters"])
    with house_style():
        figure, (axes,) = panels(1, columns=1, size=(7.0, 3.6))
        draw(axes, sizes, settings["batch_sizes"])
        caption = clusters_caption(settings["name"], int(sizes[0]), float(np.median(sizes)), int(sizes[-1]), len(sizes))
        write_figure(figure, caption, svg_path, png_path)


def sizes_of(clusters_path: str | Path, clusters: int) -> np.ndarray:
    """The numbers of queries in each cluster, the largest first."""
    members = pc.drop_null(pq.read_table(clusters_path, columns=["cluster"])["cluster"]).to_numpy()
    return np.sort(np.bincount(members, minlength=clusters))[::-1]


def draw(axes: Axes, sizes: np.ndarray, batch_sizes: list[int]) -> None:
    """A bar per cluster, and a line across for every size of batch."""
    axes.stairs(*merged_bars(sizes), fill=True, color=SKY)
    for place, size in enumerate(batch_sizes):
        line = LINES[1 + place % (len(LINES) - 1)]
        axes.axhline(size, color=BLACK, linestyle=line, linewidth=1.0, label=f"batches of {size}")
    axes.set_xlim(0.5, len(sizes) + 0.5)
    axes.set_xlabel("cluster, by size")
    axes.set_ylabel("training queries")
    if batch_sizes:
        axes.legend()
