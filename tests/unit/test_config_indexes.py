"""The check of indexes and of search tables: every mistake ends in one sentence with its key."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from stillroom.config import search_parameters
from stillroom.config_check import ConfigError, check_config

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"
CONFIG = yaml.safe_load("""
experiment: small
corpora: {wiki: {dataset: wiki, passages: 500}}
test_sets: {dev: {corpus: wiki, dataset: wiki/dev}}
encoders: {tiny: {weights: a/folder}}
rankers:
  dot: {architecture: bert_dot, encoder: tiny}
  tokens: {architecture: colbert, encoder: tiny}
retrieval: {depth: 20}
indexes:
  exact: {}
  cells: {factory: "IVF10,Flat", nprobe: 2}
  more: {of: cells, nprobe: 4}
  graph: {factory: HNSW32, ef_construction: 80, ef_search: 64}
  codes: {factory: "PQ25,RFlat", k_factor: 4}
measures: [nDCG@10]
search_tables:
  search:
    title: Search
    test_set: dev
    ranker: dot
    measures: [nDCG@10]
    reference: exact
    rows: [{label: Exact, index: exact}, {label: Cells, index: more}]
""")
SMALL = {"dataset": "wiki", "passages": 200}

# (key path, its new value or None to take the key out, how the error begins). One that starts with `:` or
# `.` follows the path.
ERRORS = [
    ("indexes.exact.factory", "Flatt", ": 'Flatt' is no index that faiss makes for inner products, such as 'Flat', "),
    ("indexes.exact.factory", "LSH", ": 'LSH' is no index that faiss makes for inner products, such as 'Flat', "),
    ("indexes.exact.factory", "", ": found '', expected some text."),
    ("indexes.graph.factory", "HNSW32_PQ12", ": 'HNSW32_PQ12' is an index of distances, expected one of inner "),
    ("indexes.graph.factory", "HNSW32_10+PQ48", ": 'HNSW32_10+PQ48' is an index of distances, "),
    ("indexes.cells.factory", "IVFF10", ": 'IVFF10' is no index that faiss makes"),
    ("indexes.cells.factory", "IVF501,Flat", ": learns 501 clusters, but no corpus has more than 500 pa"),
    ("indexes.exact.factory", "PQ48x9", ": learns 512 clusters, but no corpus has more than 500"),
    ("corpora.wiki", SMALL, "indexes.codes.factory: learns 256 clusters, but no corpus has more than 200"),
    ("indexes.exact.nprobe", 2, ": has no effect on 'Flat'; take the key out."),
    ("indexes.cells.ef_search", 32, ": has no effect on 'IVF10,Flat'; take the key out."),
    ("indexes.cells.ef_construction", 32, ": has no effect on 'IVF10,Flat'; take the key out."),
    ("indexes.graph.k_factor", 2, ": has no effect on 'HNSW32'; take the key out."),
    ("indexes.graph.efSearch", 32, ": unknown key, perhaps ef_search is meant; the legal keys are ef_construction, "),
    ("indexes.cells.nprobe", 11, ": found 11, but there are 10 cells."),
    ("indexes.more.nprobe", 11, ": found 11, but there are 10 cells."),
    ("indexes.cells.nprobe", 0, ": found 0, expected at least 1."),
    ("indexes.graph.ef_search", 19, ": found 19, which has no effect below retrieval.depth, 20."),
    ("retrieval.depth", None, "indexes.graph.ef_search: found 64, which has no effect below retrieval.depth, 1000."),
    ("indexes.more.factory", "HNSW32", ": has no effect on the files of cells; take the key out."),
    ("indexes.more.ef_construction", 80, ": has no effect on the files of cells; take the key out."),
    ("indexes.more.of", "more", ": more has no files of its own; name an index without `of`."),
    ("indexes.more.of", "cell", ": 'cell' is not one of exact, cells, more, graph, codes."),
    ("search_tables.search.ranker", "tokens", ": tokens is a colbert, which cannot retrieve; name another."),
    ("search_tables.search.ranker", "dots", ": 'dots' is not one of dot, tokens."),
    ("search_tables.search.reference", "flat", ": 'flat' is not one of exact, cells, more, graph, codes."),
    ("search_tables.search.reference", "graph", ": found graph, which is no exact search; name an index with the fac"),
    ("search_tables.search.reference", "more", ": found more, which is no exact search; name an index with the fact"),
    ("search_tables.search.measures", ["R@10"], ".0: 'R@10' is not one of nDCG@10."),
    ("search_tables.search.recall_at", 21, ": found 21, but retrieval.depth is 20."),
    ("search_tables.search.rows.1.index", "rerank", ": 'rerank' is not one of exact, cells, more, graph, codes."),
    ("search_tables.search.rows.1.label", ["a", "b"], ": found [a, b], expected one for each of the columns index."),
    (
        "efficiency_tables.search",
        {"title": "A", "test_set": "dev", "rows": [{"label": "A", "ranker": "dot"}]},
        "search_tables.search: a table has this name; choose another.",
    ),
]


def changed(path, value):
    """The config with another value of one key."""
    config = deepcopy(CONFIG)
    *blocks, key = path.split(".")
    block = config
    for name in blocks:
        block = block[int(name)] if isinstance(block, list) else block.setdefault(name, {})
    if value is None:
        del block[key]
    else:
        block[key] = value
    return config


@pytest.mark.parametrize(("path", "value", "said"), ERRORS)
def test_a_mistake_ends_in_one_sentence_with_its_key(path, value, said):
    with pytest.raises(ConfigError) as error:
        check_config(changed(path, value), SCHEMA)
    expected = f"{path}{said}" if said[0] in ":." else said
    assert str(error.value).startswith(expected) and "\n" not in str(error.value)


def test_what_is_legal_passes_and_passes_again():
    config = check_config(CONFIG, SCHEMA)
    assert check_config(config, SCHEMA) == config
    assert config["search_tables"]["search"]["recall_at"] == 10


@pytest.mark.parametrize(
    "factory", ["PQ25", "OPQ25_100,PQ25", "PQ13x4", "IVF256,PQ48x4fs", "PCA64,Flat", "L2norm,Flat"]
)
def test_the_number_of_dimensions_need_not_be_known(factory):
    check_config(changed("indexes.other.factory", factory), SCHEMA)


def test_clusters_are_not_counted_where_the_passages_are_not():
    config = changed("corpora.wiki", {"dataset": "wiki"})
    config["indexes"]["cells"]["factory"] = "IVF5000,Flat"
    check_config(config, SCHEMA)


def test_cells_that_a_graph_finds_take_the_graphs_parameters():
    settings = {"factory": "IVF64_HNSW32,PQ25", "nprobe": 64, "ef_search": 5, "ef_construction": 9}
    check_config(changed("indexes.other", settings), SCHEMA)


def test_only_what_is_set_of_an_index_is_set_for_searching():
    config = check_config(CONFIG, SCHEMA)
    assert {name: search_parameters(config, name) for name in config["indexes"]} == {
        "exact": {},
        "cells": {"nprobe": 2},
        "more": {"nprobe": 4},
        "graph": {"ef_search": 64},
        "codes": {"k_factor": 4},
    }
