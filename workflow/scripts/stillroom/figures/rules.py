"""The figure of the workflow: its rules, and which reads what another makes. Drawn from Snakemake's own graph."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Line

from stillroom.figures.captions import rules_caption
from stillroom.figures.layers import Layout, layered
from stillroom.figures.style import BLACK, BLUE, house_style, write_figure
from stillroom.registry import PACKAGE

SNAKEFILE = PACKAGE.parents[2] / "Snakefile"
NODE = re.compile(r'^\s*(\d+)\[label = "([^"\\]+)', re.MULTILINE)
EDGE = re.compile(r"^\s*(\d+) -> (\d+)", re.MULTILINE)
LETTER, LINE, ROW = 0.08, 0.15, 0.72  # inches
PAD, GAP = 0.06, 0.2  # around a name in its box, and between boxes
BESIDE = LINE + PAD  # half the height of a row


def plot_rules(*, config_paths: Sequence[str], target: str, svg_path: str | Path, png_path: str | Path) -> None:
    """Draw the rules that make a target of an experiment, whose config files these are."""
    draw_rules(without_cycles(read_dot(rule_graph(config_paths, target))), svg_path, png_path)


def draw_rules(graph: nx.DiGraph, svg_path: str | Path, png_path: str | Path) -> None:
    """Write the picture of a graph of rules."""
    layout = layered(graph, {rule: width_of(rule) + GAP for rule in graph})
    with house_style():
        figure = draw(layout)
        in_order = sorted(layout.places, key=lambda rule: (layout.places[rule][1], layout.places[rule][0]))
        write_figure(figure, rules_caption(in_order), svg_path, png_path)


def rule_graph(config_paths: Sequence[str], target: str) -> str:
    """What `snakemake --rulegraph` prints, in the language of graphviz; profiles of the machine have no say."""
    configs = ["--configfile", *config_paths] if config_paths else []
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--profile", "none", *configs]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE_")}
    done = subprocess.run(
        [*command, "--rulegraph", "--", target], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode or "digraph" not in done.stdout:
        *_, last = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ValueError(f"snakemake --rulegraph failed: {last}")
    return done.stdout


def read_dot(text: str) -> nx.DiGraph:
    """The graph in the output of `--rulegraph`: an edge from each rule to those that read what it makes.

    In the order of names: that of the output differs from run to run.
    """
    names = dict(NODE.findall(text))
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(names.values()))
    graph.add_edges_from(sorted((names[start], names[end]) for start, end in EDGE.findall(text) if start != end))
    if not graph:
        raise ValueError("the rule graph is empty, expected the output of `snakemake --rulegraph`.")
    return graph


def without_cycles(graph: nx.DiGraph) -> nx.DiGraph:
    """The graph without the arrows that lead back: the rule that trains a teacher trains what learns from it, too."""
    graph = graph.copy()
    sources = [rule for rule in graph if not graph.in_degree(rule)]
    depth = nx.multi_source_dijkstra_path_length(graph, sources)
    while not nx.is_directed_acyclic_graph(graph):
        cycle = nx.find_cycle(graph, sorted(graph))
        graph.remove_edge(*max(cycle, key=lambda edge: (depth[edge[0]] - depth[edge[1]], edge)))
    return graph


def draw(layout: Layout) -> Figure:
    """Boxes with the rules' names, and arrows down between them."""
    edges = [[x for x, _ in points] for points in layout.edges.values()]
    halves = {rule: width_of(rule) / 2 for rule in layout.places}
    left = min(*(x - halves[rule] for rule, (x, _) in layout.places.items()), *map(min, edges)) - GAP
    right = max(*(x + halves[rule] for rule, (x, _) in layout.places.items()), *map(max, edges)) + GAP
    bottom = -ROW * max(layer for _, layer in layout.places.values())
    figure = Figure(figsize=(right - left, ROW - bottom))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom - ROW / 2, ROW / 2))
    axes.set_axis_off()
    for (start, end), points in layout.edges.items():
        draw_edge(axes, [(x, -ROW * layer) for x, layer in points], height_of(start) / 2, height_of(end) / 2)
    for rule, (x, layer) in layout.places.items():
        draw_box(axes, rule, (x, -ROW * layer))
    return figure


def draw_box(axes: Axes, rule: str, middle: tuple[float, float]) -> None:
    """A box with the name of a rule."""
    width, height = width_of(rule), height_of(rule)
    corner = middle[0] - width / 2, middle[1] - height / 2
    look = {"facecolor": "white", "edgecolor": BLUE, "linewidth": 1.2, "zorder": 2}
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.06", **look))
    axes.text(*middle, "\n".join(lines_of(rule)), ha="center", va="center", linespacing=1.1, zorder=3)


def lines_of(rule: str) -> list[str]:
    """The name of a rule in two lines, so that the picture is no wider than a page."""
    verb, underscore, object_ = rule.partition("_")
    return [verb + underscore, object_] if object_ else [rule]


def width_of(rule: str) -> float:
    """That of its box, in inches."""
    return LETTER * max(map(len, lines_of(rule))) + 2 * PAD


def height_of(rule: str) -> float:
    """That of its box, in inches."""
    return LINE * len(lines_of(rule)) + 2 * PAD


def draw_edge(axes: Axes, points: list[tuple[float, float]], start_room: float, end_room: float) -> None:
    """An arrow that leaves and arrives vertically, at the boxes' borders, and passes straight between boxes."""
    (x, y), *bends, (end_x, end_y) = points
    path, codes = [(x, y - start_room)], [Line.MOVETO]
    for next_x, top, bottom in [(x, y + BESIDE, y - BESIDE) for x, y in bends] + [(end_x, end_y + end_room, None)]:
        middle = (path[-1][1] + top) / 2
        path += [(path[-1][0], middle), (next_x, middle), (next_x, top)]
        codes += [Line.CURVE4] * 3
        if bottom is not None:
            path.append((next_x, bottom))
            codes.append(Line.LINETO)
    look = {"arrowstyle": "-|>", "mutation_scale": 8, "color": BLACK, "linewidth": 0.8, "zorder": 1}
    axes.add_patch(FancyArrowPatch(path=Line(path, codes), shrinkA=0, shrinkB=0, **look))
