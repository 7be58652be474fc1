"""The picture of the workflow: Snakemake's own graph, in layers."""

from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from stillroom.figures.captions import read_caption
from stillroom.figures.layers import crossings, layered, with_few_crossings
from stillroom.figures.rules import draw, draw_rules, read_dot, width_of, without_cycles

DOT = """
digraph snakemake_dag {
    graph[bgcolor=white, margin=0];
    node[shape=box, style=rounded, fontname=sans, fontsize=10, penwidth=2];
    edge[penwidth=2, color=grey];
\t0[label = "all", color = "0.28 0.6 0.85", style="rounded"];
\t1[label = "make_table", color = "0.35 0.6 0.85", style="rounded"];
\t2[label = "measure", color = "0.42 0.6 0.85", style="rounded,dashed"];
\t3[label = "train_ranker", color = "0.1 0.6 0.85", style="rounded"];
\t1 -> 0
\t2 -> 0
\t2 -> 1
\t3 -> 2
\t3 -> 3
}
"""


def test_the_graph_is_that_of_snakemakes_output_without_loops():
    graph = read_dot("Building DAG of jobs...\n" + DOT)
    assert sorted(graph.edges) == [
        ("make_table", "all"),
        ("measure", "all"),
        ("measure", "make_table"),
        ("train_ranker", "measure"),
    ]


def test_what_is_no_graph_stops_with_a_sentence():
    with pytest.raises(
        ValueError, match=r"^the rule graph is empty, expected the output of `snakemake --rulegraph`\.$"
    ):
        read_dot("digraph snakemake_dag {\n}")


def test_the_picture_names_its_rules_in_order_and_is_the_same_in_whatever_order_they_come(tmp_path):
    files = tmp_path / "figure.svg", tmp_path / "figure.png"
    draw_rules(read_dot(DOT), *files)
    assert read_caption(files[0]).text.startswith("4 rules, from train_ranker at the top to all at the bottom.")
    first = [path.read_bytes() for path in files]
    lines = DOT.strip().splitlines()
    shuffled = "\n".join([lines[0], *reversed(lines[1:-1]), lines[-1]])
    draw_rules(read_dot(shuffled), *files)
    assert [path.read_bytes() for path in files] == first


@pytest.fixture
def random_graph():
    """A graph of 30 rules without cycles."""
    random = np.random.default_rng(5)
    pairs = [pair for pair in combinations(range(30), 2) if random.random() < 0.1]
    return nx.DiGraph((f"rule_{one:02}", f"rule_{other:02}") for one, other in pairs)


def test_all_arrows_lead_down_and_boxes_do_not_overlap(random_graph):
    widths = {name: 1.0 + int(name[-1]) / 10 for name in random_graph}
    layout = layered(random_graph, widths)
    assert layout.places.keys() == set(random_graph)
    for (start, end), points in layout.edges.items():
        assert points[0] == layout.places[start] and points[-1] == layout.places[end]
        assert [layer for _, layer in points] == [*range(points[0][1], points[-1][1] + 1)]
    for one, other in combinations(layout.places, 2):
        (x, layer), (other_x, other_layer) = layout.places[one], layout.places[other]
        assert layer != other_layer or abs(x - other_x) >= (widths[one] + widths[other]) / 2 - 1e-6


def test_arrows_that_follow_from_others_are_left_out_and_nothing_else(random_graph):
    drawn = nx.DiGraph(layered(random_graph, dict.fromkeys(random_graph, 1.0)).edges.keys())
    assert set(drawn.edges) < set(random_graph.edges)
    assert set(nx.transitive_closure(drawn).edges) == set(nx.transitive_closure(random_graph).edges)


def test_crossings_are_counted_and_go_where_they_can():
    graph = nx.DiGraph([("a", "z"), ("b", "y"), ("c", "x")])
    rows = [["a", "b", "c"], ["x", "y", "z"]]
    assert crossings(graph, rows) == 3
    assert crossings(graph, with_few_crossings(graph, rows)) == 0


def test_arrows_back_to_the_rule_that_trained_a_teacher_are_left_out():
    way = ["fetch", "train", "score", "average", "cluster"]
    graph = nx.DiGraph([*pairwise(way), ("fetch", "score"), ("average", "train"), ("cluster", "train")])
    assert set(without_cycles(graph).edges) == {*pairwise(way), ("fetch", "score")}


def test_no_arrow_passes_behind_a_box(random_graph):
    (axes,) = draw(layered(random_graph, {rule: width_of(rule) for rule in random_graph})).axes
    arrows = [patch.get_path() for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    boxes = [patch.get_extents() for patch in axes.patches if not isinstance(patch, FancyArrowPatch)]
    inside = [box.transformed(axes.transData.inverted()).padded(-0.03) for box in boxes]
    points = np.concatenate([path.interpolated(20).vertices for path in arrows])
    assert len(boxes) == 30 and len(points) > 1000
    assert not any(box.count_contains(points) for box in inside)


def test_eight_rules_side_by_side_are_no_wider_than_a_page():
    names = ["plot_training", "plot_clusters", "plot_margins", "make_length_table", "plot_scores", "search_candidates"]
    graph = nx.DiGraph((name, "all") for name in [*names, "tokenize_passages", "cluster_queries"])
    figure = draw(layered(graph, {rule: width_of(rule) + 0.2 for rule in graph}))
    assert figure.get_figwidth() < 9
