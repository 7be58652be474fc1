"""Places for the nodes of a graph without cycles, in layers from the top to the bottom.

Sugiyama, Tagawa and Toda 1981: layers, few crossings, then straight edges. An edge that passes through layers has a
bend in each of them, a node of its own for which room is kept.
"""

from itertools import pairwise
from typing import NamedTuple

import networkx as nx
import numpy as np
from scipy.optimize import isotonic_regression

SWEEPS = 24
BEND_WIDTH = 0.35


class Layout(NamedTuple):
    """Node → (x, layer from 0 at the top), and the points that each edge passes, from node to node."""

    places: dict[str, tuple[float, int]]
    edges: dict[tuple[str, str], list[tuple[float, int]]]


def layered(graph: nx.DiGraph, widths: dict[str, float]) -> Layout:
    """Every node above those that it leads to, and as low as that allows; `widths` are those of the nodes.

    Edges that follow from others are left out.
    """
    graph = nx.transitive_reduction(graph)
    layer = layer_of(graph)
    paths = {edge: bends(edge, layer) for edge in sorted(graph.edges)}
    layer |= {bend: layer[edge[0]] + 1 + place for edge, path in paths.items() for place, bend in enumerate(path[1:-1])}
    drawn = nx.DiGraph(step for path in paths.values() for step in pairwise(path))
    drawn.add_nodes_from(sorted(graph.nodes))
    rows = [
        sorted((node for node in drawn if layer[node] == number), key=str) for number in range(max(layer.values()) + 1)
    ]
    width = {node: widths.get(node, BEND_WIDTH) for node in drawn}
    rows = with_few_crossings(drawn, rows)
    x = straightened(drawn, rows, width)
    places = {node: (x[node], layer[node]) for node in graph}
    return Layout(places, {edge: [(x[node], layer[node]) for node in path] for edge, path in paths.items()})


def layer_of(graph: nx.DiGraph) -> dict[str, int]:
    """The number of a node's layer: one above the highest of those that it leads to.

    One that leads nowhere is just below the lowest that lead to it, so that what all lead to is alone at the bottom.
    """
    depth = {}
    for node in reversed([*nx.lexicographical_topological_sort(graph)]):
        depth[node] = 1 + max((depth[after] for after in graph.successors(node)), default=-1)
    deepest = max(depth.values())
    layer = {node: deepest - number for node, number in depth.items()}
    ends = {node: max((layer[before] for before in graph.pred[node]), default=-1) for node in graph if not depth[node]}
    return layer | {node: 1 + lowest for node, lowest in ends.items()}


def bends(edge: tuple[str, str], layer: dict[str, int]) -> list:
    """The nodes that an edge leads through, its own two and a bend in every layer between."""
    start, end = edge
    return [start, *((*edge, number) for number in range(layer[start] + 1, layer[end])), end]


def with_few_crossings(graph: nx.DiGraph, rows: list[list]) -> list[list]:
    """The rows, sorted again and again by the mean places of the neighbours above, then below; the best are kept."""
    best, fewest = rows, crossings(graph, rows)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = graph.pred if down else graph.succ
        rows = [*rows]
        for number in range(len(rows)) if down else reversed(range(len(rows))):
            beside = (
                rows[number - 1] if down and number else rows[number + 1] if not down and number + 1 < len(rows) else []
            )
            place = {node: position / max(1, len(beside) - 1) for position, node in enumerate(beside)}
            own = {node: position / max(1, len(rows[number]) - 1) for position, node in enumerate(rows[number])}
            mean = {
                node: np.mean([place[other] for other in neighbours[node] if other in place] or [own[node]])
                for node in rows[number]
            }
            rows[number] = sorted(rows[number], key=mean.get)
        if (count := crossings(graph, rows)) < fewest:
            best, fewest = rows, count
    return best


def crossings(graph: nx.DiGraph, rows: list[list]) -> int:
    """The number of pairs of edges between neighbouring rows that cross."""
    place = {node: position for row in rows for position, node in enumerate(row)}
    count = 0
    for row in rows:
        ends = np.array([(place[node], place[after]) for node in row for after in graph.succ[node]]).reshape(-1, 2)
        left = ends[:, None] < ends[None]
        count += int((left[..., 0] & left.transpose(1, 0, 2)[..., 1]).sum())
    return count


def straightened(graph: nx.DiGraph, rows: list[list], width: dict) -> dict:
    """x of every node: as near to its neighbours as its row's order and widths allow.

    A row is the nearest one, by squares, to where its nodes would like to be: with its widths taken off, an isotonic
    regression. Bends weigh more, so that long edges become straight.
    """
    offsets = {}
    for row in rows:
        half = np.array([width[node] / 2 for node in row])
        offsets.update(zip(row, np.cumsum(half + np.concatenate([[0], half[:-1]])), strict=True))
    middle = max(offsets[row[-1]] for row in rows) / 2
    x = {node: offsets[node] + middle - offsets[row[-1]] / 2 for row in rows for node in row}
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wished = [
                np.mean([x[other] for other in (*graph.pred[node], *graph.succ[node])] or [x[node]]) for node in row
            ]
            shift = np.array([offsets[node] for node in row])
            weights = [1.0 if isinstance(node, str) else 4.0 for node in row]
            x.update(zip(row, (isotonic_regression(wished - shift, weights=weights).x + shift).tolist(), strict=True))
    return x
