"""The one style of all figures: told apart without colours too, and the same bytes every time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from math import ceil
from pathlib import Path
from textwrap import fill
from xml.sax.saxutils import escape

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from stillroom.figures.captions import Caption
from stillroom.files import atomic_path

# Okabe and Ito 2008, Color Universal Design; their yellow is left out, which is too light for lines on white.
BLACK, BLUE, VERMILION, GREEN = "#000000", "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
COLOURS = (BLUE, VERMILION, GREEN, BLACK, PURPLE, ORANGE, SKY)
# Without colours a series is known by its marker and its line: 9 and 4 have no common divisor, so that 36 differ.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")
LINES = ("-", "--", "-.", ":")
PALE = "#D9D9D9"

DOTS_PER_INCH = 160
NOTE_LETTERS_PER_INCH = 17
TITLE_LETTERS_PER_INCH = 15
STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "font.size": 9.0,
    "grid.alpha": 0.3,
    "hatch.linewidth": 0.6,
    "legend.fontsize": "small",
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 5.5,
    "savefig.dpi": DOTS_PER_INCH,
    "svg.hashsalt": "stillroom",  # else no two files are alike
    "text.parse_math": False,  # a label may have a dollar sign
}


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's settings while a figure is drawn and written, whatever those of the machine are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def series(place: int) -> dict:
    """How the points of one of several series are drawn."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": LINES[place % len(LINES)],
    }


def panels(count: int, *, columns: int, size: tuple[float, float], **options) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels of this size in inches, row by row, at most so many side by side."""
    columns = min(columns, max(count, 1))
    rows = ceil(max(count, 1) / columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows + 0.4), layout="constrained")
    all_axes = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for axes in all_axes[count:]:
        axes.set_axis_off()
    for axes in all_axes[:count][-columns:]:
        axes.tick_params(labelbottom=True)  # with a shared axis, only the last row has numbers
    return figure, all_axes[:count]


def name_axes(all_axes: Sequence[Axes], *, x: str, y: str = "") -> None:
    """Say what is drawn: below the lowest panel of every column, and left of every row."""
    columns = all_axes[0].get_gridspec().ncols if all_axes else 1
    for axes in all_axes[-columns:]:
        axes.set_xlabel(x, fontsize="small")
    for axes in all_axes[::columns]:
        axes.set_ylabel(y, fontsize="small")


def set_title(axes: Axes, title: str) -> None:
    """The title of a small panel, in as many lines as its width asks for."""
    inches = axes.figure.get_figwidth() / axes.get_gridspec().ncols
    width = int(inches * TITLE_LETTERS_PER_INCH)
    lines = [fill(line, width, break_long_words=False) for line in title.split("\n")]
    axes.set_title("\n".join(lines), fontsize="small")


def log_scale(axis: XAxis) -> None:
    """A logarithmic axis with numbers in full, at 1, 2 and 5 where it spans little."""
    axis.axes.set_xscale("log")
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0,) if high > 1000 * low else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def say_missing(figure: Figure, caption: Caption, missing: Sequence[str]) -> Caption:
    """The caption with one sentence more, which stands below the figure too, if the figure lacks anything."""
    if not missing:
        return caption
    sentence = f"Not there yet: {'; '.join(missing)}."
    width = int(figure.get_figwidth() * NOTE_LETTERS_PER_INCH)
    room = "\n\n" if figure.legends else ""  # a legend below all panels is where this would be, too
    figure.supxlabel(fill(sentence, width) + room, x=0.01, ha="left", fontsize="small")
    return caption._replace(text=f"{caption.text} {sentence}")


def merged_bars(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(heights, edges) of bars of width 1 side by side, where equal neighbours are one: so a picture stays small.

    To three decimals, which is less than a dot.
    """
    heights = np.round(values, 3)
    starts = np.flatnonzero(np.diff(heights, prepend=np.nan) != 0)
    return heights[starts], np.append(starts, len(heights)) + 0.5


def write_figure(figure: Figure, caption: Caption, svg_path: str | Path, png_path: str | Path) -> None:
    """Write a figure as SVG and PNG, with its title and what it shows inside."""
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Title": caption.title})
    with atomic_path(svg_path) as unfinished:
        unfinished.write_text(with_description(text.getvalue(), caption.text), encoding="utf-8")
    with atomic_path(png_path) as unfinished:
        figure.savefig(unfinished, metadata={"Title": caption.title, "Description": caption.text})


def with_description(svg: str, text: str) -> str:
    """The SVG as one image for screen readers, with its description after its title."""
    svg = svg.replace("<svg ", '<svg role="img" ', 1)
    return svg.replace("</title>", f"</title>\n <desc>{escape(text)}</desc>", 1)
