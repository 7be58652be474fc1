"""The check of the indexes, and of the tables that compare them."""

from stillroom.config_rankers import check_retrieves
from stillroom.config_schema import config_error


def check_index(config: dict, name: str) -> None:
    """faiss can make the index, and its parameters mean something to it."""
    index, path = config["indexes"][name], ("indexes", name)
    if index["of"]:
        check_other_way(config, path, index)
    if [value for value in index.values() if value is not None] == ["Flat"]:
        return
    from stillroom.index_factory import NAMES_IN_FAISS, facts_of  # here, because it loads faiss and numpy

    built = index["of"] or name
    factory = config["indexes"][built]["factory"]
    try:
        facts = facts_of(factory)
    except ValueError as error:
        raise config_error(("indexes", built, "factory"), str(error)) from error
    for key in NAMES_IN_FAISS:
        if index[key] is not None and key not in facts.parameters:
            raise config_error((*path, key), f"has no effect on {factory!r}; take the key out.")
    check_clusters(config, path, facts.clusters)
    check_values(path, index, facts.cells, config["retrieval"]["depth"] if facts.is_graph else 1)


def check_other_way(config: dict, path: tuple, index: dict) -> None:
    """Another way to search an index has files of that index, and nothing to build."""
    if config["indexes"][index["of"]]["of"]:
        raise config_error((*path, "of"), f"{index['of']} has no files of its own; name an index without `of`.")
    for key, unset in (("factory", "Flat"), ("ef_construction", None)):
        if index[key] != unset:
            raise config_error((*path, key), f"has no effect on the files of {index['of']}; take the key out.")


def check_clusters(config: dict, path: tuple, clusters: int) -> None:
    """Some corpus has as many passages as an index learns clusters, as far as numbers of passages are known."""
    passages = [corpus["passages"] for corpus in config["corpora"].values()]
    if None not in passages and clusters > max(passages):
        found = f"learns {clusters:,} clusters, but no corpus has more than {max(passages):,} passages."
        raise config_error((*path, "factory"), found)


def check_values(path: tuple, index: dict, cells: int, candidates: int) -> None:
    """No more cells are searched than there are, and no fewer candidates kept than a graph keeps anyway."""
    nprobe, ef_search = index["nprobe"], index["ef_search"]
    if nprobe is not None and nprobe > cells:
        raise config_error((*path, "nprobe"), f"found {nprobe}, but there are {cells} cells.")
    if ef_search is not None and ef_search < candidates:
        found = f"found {ef_search}, which has no effect below retrieval.depth, {candidates}."
        raise config_error((*path, "ef_search"), found)


def check_search_table(config: dict, name: str, table: dict) -> None:
    """Its ranker has vectors, its reference is exact, and runs are as deep as recall is measured."""
    path = ("search_tables", name)
    check_retrieves(config, table["ranker"], (*path, "ranker"), "name another")
    reference = config["indexes"][table["reference"]]
    if reference["of"] or reference["factory"] != "Flat":
        found = f"found {table['reference']}, which is no exact search; name an index with the factory Flat."
        raise config_error((*path, "reference"), found)
    if table["recall_at"] > config["retrieval"]["depth"]:
        found = f"found {table['recall_at']}, but retrieval.depth is {config['retrieval']['depth']}."
        raise config_error((*path, "recall_at"), found)
