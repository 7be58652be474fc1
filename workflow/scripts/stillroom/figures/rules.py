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
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path as Line

from stillroom.figures.captions import rules_caption
from stillroom.figures.layers import Layout, layered
from stillroom.figures.style import BLACK, BLUE, house_style, write_figure
from stillroom.registry import PACKAGE

SNAKEFILE = PACKAGE.parents[2] / "Snakefile"
NODE = re.compile(r'^\s*(\d+)\[label = "([^"\\]+)', re.MULTILINE)
EDGE = re.compile(r"^\s*(\d+) -> (\d+)", re.MULTILINE)
LETTER, ROW = 0.082, 0.62  # inches


def plot_rules(*, config_paths: Sequence[str], target: str, svg_path: str | Path, png_path: str | Path) -> None:
    """Draw the rules that make a target of an experiment, whose config files these are."""
    draw_rules(without_cycles(read_dot(rule_graph(config_paths, target))), svg_path, png_path)


def draw_rules(graph: nx.DiGraph, svg_path: str | Path, png_path: str | Path) -> None:
    """Write the picture of a graph of rules."""
    layout = layered(graph, {rule: LETTER * len(rule) + 0.45 for rule in graph})
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
    """The graph in the output of `--rulegraph`: an edge from each rule to those that read what it makes."""
    names = dict(NODE.findall(text))
    graph = nx.DiGraph((names[start], names[end]) for start, end in EDGE.findall(text) if start != end)
    graph.add_nodes_from(names.values())
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
    xs, layers = zip(*layout.places.values(), strict=True)
    bends = [x for points in layout.edges.values() for x, _ in points]
    left, right, bottom = min(*xs, *bends, *xs) - 1.1, max(*xs, *bends, *xs) + 1.1, -ROW * max(layers)
    figure = Figure(figsize=(right - left, ROW * (max(layers) + 1)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom - ROW / 2, ROW / 2))
    axes.set_axis_off()
    for points in layout.edges.values():
        draw_edge(axes, [(x, -ROW * layer) for x, layer in points])
    for rule, (x, layer) in layout.places.items():
        box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": BLUE, "linewidth": 1.2}
        axes.text(x, -ROW * layer, rule, ha="center", va="center", bbox=box, zorder=3)
    return figure


def draw_edge(axes: Axes, points: list[tuple[float, float]]) -> None:
    """An arrow that leaves and arrives vertically, and passes its bends."""
    room = 0.17  # half a box's height
    (x, y), *others = points
    path, codes = [(x, y - room)], [Line.MOVETO]
    for number, (next_x, next_y) in enumerate(others):
        end = next_y + (room if number == len(others) - 1 else 0)
        middle = (path[-1][1] + end) / 2
        path += [(path[-1][0], middle), (next_x, middle), (next_x, end)]
        codes += [Line.CURVE4] * 3
    arrow = FancyArrowPatch(path=Line(path, codes), arrowstyle="-|>", mutation_scale=8, color=BLACK, linewidth=0.8)
    axes.add_patch(arrow)
