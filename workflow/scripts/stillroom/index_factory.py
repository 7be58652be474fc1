"""faiss indexes by their factory strings, for inner products: larger scores mean more similar.

faiss sorts distances the other way round. An index of distances is refused: read as similarities they put the least
similar first.

Shape suffix: D = dimensions.
"""

import re
from contextlib import suppress
from typing import NamedTuple

import faiss

EXAMPLES = "such as 'Flat', 'IVF10,Flat', 'HNSW32' or 'PQ48'"
NAMES_IN_FAISS = {
    "ef_construction": "efConstruction",
    "nprobe": "nprobe",
    "ef_search": "efSearch",
    "k_factor": "k_factor_rf",
}
INNER_INDEXES = ["index", "base_index", "storage"]  # of a transformation or a map, of a refinement, of a graph


def new_index(factory: str, dimensions: int) -> faiss.Index:
    """An empty index."""
    try:
        index = faiss.index_factory(dimensions, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        vectors = f"inner products of {dimensions:,} dimensions"
        raise ValueError(f"{factory!r} is no index that faiss makes for {vectors}, {EXAMPLES}.") from error
    check_metric(index, repr(factory))
    return index


def example_index(factory: str) -> faiss.Index:
    """An empty index where the number of dimensions is not known yet.

    Quantizers want a multiple of a number in their factory string, so multiples of all are tried.
    """
    numbers = {int(number) for number in re.findall(r"\d{1,4}", factory)} - {0}
    for dimensions in (768, *(8 * number for number in sorted(numbers))):
        with suppress(RuntimeError):
            faiss.index_factory(dimensions, factory, faiss.METRIC_INNER_PRODUCT)
            return new_index(factory, dimensions)
    raise ValueError(f"{factory!r} is no index that faiss makes for inner products, {EXAMPLES}.")


class Facts(NamedTuple):
    """What can be told of an index before it is filled."""

    parameters: list[str]  # that mean something to it
    cells: int
    clusters: int
    is_graph: bool


def facts_of(factory: str) -> Facts:
    """What the indexes of a factory string have in common, whatever the number of dimensions."""
    index = example_index(factory)
    parameters = [name for name in NAMES_IN_FAISS if has_parameter(index, name)]
    return Facts(parameters, cells_of(index), clusters_of(index), is_graph(index))


def check_metric(index: faiss.Index, what: str) -> None:
    """Refuse an index of distances, which faiss makes of some factory strings whatever is asked for."""
    if index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise ValueError(f"{what} is an index of distances, expected one of inner products, {EXAMPLES}.")


def set_parameters(index: faiss.Index, parameters: dict[str, int]) -> None:
    """Set parameters by their names in the config."""
    for name, value in parameters.items():
        faiss.ParameterSpace().set_index_parameter(index, NAMES_IN_FAISS[name], value)


def has_parameter(index: faiss.Index, name: str) -> bool:
    """Whether a parameter means anything to an index, in which it is set to 1."""
    try:
        set_parameters(index, {name: 1})
    except RuntimeError:
        return False
    return True


def is_graph(index: faiss.Index) -> bool:
    """Whether passages are linked with each other, unlike in cells that a graph finds."""
    return any(isinstance(part, faiss.IndexHNSW | faiss.IndexNSG) for part in layers(index))


def cells_of(index: faiss.Index) -> int:
    """How many cells the passages are in; 0 where there are none."""
    return max([part.nlist for part in layers(index) if isinstance(part, faiss.IndexIVF)], default=0)


def clusters_of(index: faiss.Index) -> int:
    """How many clusters a k-means in the training of an index makes at most: cells, or codes of a quantizer."""
    return max([cells_of(index), *(part.pq.ksub for part in layers(index) if hasattr(part, "pq"))])


def prepare_training(index: faiss.Index) -> None:
    """Train what searches read, silently.

    Polysemous codes are numbered for Hamming distances, which nothing here computes, and take hundreds of times as
    long. Where clusters have few vectors to learn from, faiss prints a line for every byte of a code.
    """
    for part in layers(index):
        if hasattr(part, "do_polysemous_training"):
            part.do_polysemous_training = False
        if isinstance(part, faiss.IndexIVF):
            part.cp.min_points_per_centroid = 1
        if hasattr(part, "pq"):
            part.pq.cp.min_points_per_centroid = 1


def layers(index: faiss.Index) -> list[faiss.Index]:
    """An index and those inside it that hold the same passages, from the outside in."""
    found = [faiss.downcast_index(index)]
    while inner := [getattr(found[-1], name) for name in INNER_INDEXES if hasattr(found[-1], name)]:
        found.append(faiss.downcast_index(inner[0]))
    return found
