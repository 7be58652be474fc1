"""The check of the indexes, and of the tables that compare them."""

import faiss

from stillroom.config_rankers import constant_of
from stillroom.config_schema import config_error
from stillroom.index_factory import FAISS_NAMES, cells_of, clusters_of, example_index, has_parameter, is_graph

TABLES = ["tables", "length_tables", "efficiency_tables"]


def check_index(config: dict, name: str) -> None:
    """faiss can make the index, and its parameters mean something to it."""
    index, path = config["indexes"][name], ("indexes", name)
    if index["of"]:
        check_other_way(config, path, index)
    built = index["of"] or name
    factory = config["indexes"][built]["factory"]
    try:
        example = example_index(factory)
    except ValueError as error:
        raise config_error(("indexes", built, "factory"), str(error)) from error
    for key in FAISS_NAMES:
        if index[key] is not None and not has_parameter(example, key):
            raise config_error((*path, key), f"has no effect on {factory!r}; take the key out.")
    check_training(config, path, factory, example)
    check_probes(path, index["nprobe"], example)
    check_candidates(config, path, index["ef_search"], example)


def check_other_way(config: dict, path: tuple, index: dict) -> None:
    """Another way to search an index has files of that index, and nothing to build."""
    if config["indexes"][index["of"]]["of"]:
        raise config_error((*path, "of"), f"{index['of']} has no files of its own; name an index without `of`.")
    for key, unset in (("factory", "Flat"), ("ef_construction", None)):
        if index[key] != unset:
            raise config_error((*path, key), f"has no effect on the files of {index['of']}; take the key out.")


def check_training(config: dict, path: tuple, factory: str, example: faiss.Index) -> None:
    """Some corpus has as many passages as an index learns clusters, as far as numbers of passages are known."""
    passages = [corpus["passages"] for corpus in config["corpora"].values()]
    if None not in passages and clusters_of(example) > max(passages):
        found = f"{factory!r} learns {clusters_of(example):,} clusters, but no corpus has more than {max(passages):,}"
        raise config_error((*path, "factory"), f"{found} passages.")


def check_probes(path: tuple, nprobe: int | None, example: faiss.Index) -> None:
    """No more cells are searched than there are."""
    cells = cells_of(example)
    if nprobe is not None and cells and nprobe > cells:
        raise config_error((*path, "nprobe"), f"found {nprobe}, but there are {cells} cells.")


def check_candidates(config: dict, path: tuple, ef_search: int | None, example: faiss.Index) -> None:
    """A graph keeps as many candidates as it returns, so fewer have no effect."""
    depth = config["retrieval"]["depth"]
    if ef_search is not None and is_graph(example) and ef_search < depth:
        raise config_error(
            (*path, "ef_search"), f"found {ef_search}, which has no effect below retrieval.depth, {depth}."
        )


def check_search_table(config: dict, name: str, table: dict) -> None:
    """Its name is free, its ranker has vectors, and runs are as deep as recall is measured."""
    path = ("search_tables", name)
    if any(name in config[section] for section in TABLES):
        raise config_error(path, "a table has this name; choose another.")
    ranker, architecture = table["ranker"], config["rankers"][table["ranker"]]["architecture"]
    if not constant_of("architectures", architecture, "RETRIEVES"):
        raise config_error((*path, "ranker"), f"{ranker} is a {architecture}, which has no index; name another.")
    if table["recall_at"] > config["retrieval"]["depth"]:
        found = f"found {table['recall_at']}, but retrieval.depth is {config['retrieval']['depth']}."
        raise config_error((*path, "recall_at"), found)
