"""The style of all figures: told apart in grey, the same bytes every time, with words inside."""

from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from stillroom.figures.captions import Caption, read_caption
from stillroom.figures.style import (
    LINES,
    MARKERS,
    house_style,
    merged_bars,
    name_axes,
    panels,
    say_missing,
    series,
    set_title,
    write_figure,
)

OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
CAPTION = Caption("Speed & <size>", 'Ten ways; "Flat" < HNSW & PQ.')


@pytest.fixture
def written(tmp_path):
    """A function that draws three series and returns the bytes of (SVG, PNG)."""

    def written(missing=()):
        paths = tmp_path / "figure.svg", tmp_path / "figure.png"
        with house_style():
            figure, (axes,) = panels(1, columns=1, size=(4.0, 3.0))
            for place in range(3):
                axes.plot([0, 1], [place, 1], label=f"$ {place}", **series(place))
            axes.legend()
            write_figure(figure, say_missing(figure, CAPTION, missing), *paths)
        return tuple(path.read_bytes() for path in paths)

    return written


def test_series_differ_without_their_colours_and_have_those_of_okabe_and_ito():
    looks = [series(place) for place in range(len(MARKERS) * len(LINES))]
    assert len({(look["marker"], look["linestyle"]) for look in looks}) == len(looks) >= 24
    assert {look["color"] for look in looks} <= OKABE_ITO


def test_a_figure_is_the_same_every_time_whatever_the_settings_of_the_machine(written):
    first = written()
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": None, "axes.facecolor": "red", "savefig.dpi": 10}):
        assert written() == first
        assert mpl.rcParams["font.size"] == 30
    assert b"<dc:date>" not in first[0]


def test_the_svg_has_a_title_and_a_description_which_are_read_back(written, tmp_path):
    svg, _ = written()
    root = ElementTree.fromstring(svg)
    names = [child.tag.rpartition("}")[2] for child in root]
    assert names[:2] == ["title", "desc"] and root.get("role") == "img"
    assert read_caption(tmp_path / "figure.svg") == CAPTION
    assert imread(tmp_path / "figure.png").shape == (round(3.4 * 160), 4 * 160, 4)


def test_what_is_missing_is_said_in_one_sentence_below_the_figure_and_in_its_description(written, tmp_path):
    whole = written()
    assert written(["tas_b/seed-1", "dpr/seed-1"]) != whole
    assert read_caption(tmp_path / "figure.svg").text == f"{CAPTION.text} Not there yet: tas_b/seed-1; dpr/seed-1."
    figure = Figure()
    say_missing(figure, CAPTION, ["one", "two"])
    assert figure.get_supxlabel() == "Not there yet: one; two."


def test_what_is_missing_stands_above_a_legend_below_all_panels():
    with house_style():
        figure, (axes,) = panels(1, columns=1, size=(4.0, 3.0))
        axes.plot([0, 1], label="a line with a long name, which is here")
        legend = figure.legend(loc="outside lower center")
        say_missing(figure, CAPTION, ["a system that is not there yet", "another one with a name as long"])
        figure.draw_without_rendering()
        note = figure._supxlabel
        pixels = note.get_fontsize() * figure.dpi / 72
        bottom = note.get_window_extent().y0 + 2 * pixels  # of its last line that says anything
        assert bottom > legend.get_window_extent().y1 - 0.5 * pixels
        assert axes.xaxis.label.get_window_extent().y0 > bottom


def test_a_picture_of_another_program_is_no_figure(tmp_path):
    path = tmp_path / "other.svg"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"><title>Only that</title></svg>')
    with pytest.raises(ValueError, match=r"other\.svg: expected a title and a description; draw this figure again\.$"):
        read_caption(path)


def test_equal_bars_side_by_side_are_one():
    values = np.sort(np.random.default_rng(4).choice([0.5, 1 / 3, 0, -0.25], 6980))[::-1]
    heights, edges = merged_bars(values)
    assert heights.tolist() == [0.5, 0.333, 0, -0.25]
    assert (edges[0], edges[-1]) == (0.5, 6980.5)
    assert np.repeat(heights, np.diff(edges).astype(int)) == pytest.approx(values, abs=5e-4)


def test_panels_that_are_not_needed_are_empty():
    figure, axes = panels(5, columns=3, size=(1.0, 1.0))
    assert len(axes) == 5 and len(figure.axes) == 6
    assert [one.axison for one in figure.axes] == [True] * 5 + [False]


def test_the_lowest_panel_of_each_column_has_numbers_and_the_name_of_its_axis_and_the_first_of_each_row_another():
    _, axes = panels(5, columns=3, size=(1.0, 1.0), sharex=True)
    name_axes(axes, x="step", y="loss")
    assert [one.get_xlabel() for one in axes] == ["", "", "step", "step", "step"]
    assert [one.xaxis.get_tick_params()["labelbottom"] for one in axes] == [False, False, True, True, True]
    assert [one.get_ylabel() for one in axes] == ["loss", "", "", "loss", ""]
    name_axes([], x="step")


def test_the_title_of_a_panel_is_no_wider_than_the_panel():
    figure, axes = panels(2, columns=2, size=(2.6, 1.7))
    title = "Mean with a BERT_CAT of 3 layers and a ColBERT (ensemble), RankNet\ndev, exact"
    with house_style():
        set_title(axes[0], title)
        set_title(axes[1], "TAS-B")
    assert axes[0].get_title().count("\n") == 2
    assert axes[0].get_title().replace("\n", " ") == title.replace("\n", " ")
    figure.draw_without_rendering()
    assert axes[0].title.get_window_extent().width < figure.bbox.width / 2
    assert axes[1].get_title() == "TAS-B"
