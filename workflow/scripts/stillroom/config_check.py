"""The check of the config, before any rule is made.

First its schema, then every name in it, then what has to go together.
"""

from itertools import pairwise
from pathlib import Path

import ir_measures

from stillroom.config import labels_of, named_systems, rankers_in
from stillroom.config_data import check_groups, check_left_out, check_query_limit
from stillroom.config_indexes import check_index, check_search_table
from stillroom.config_papers import check_paper_tables, paper_systems
from stillroom.config_published import REPRODUCTION, check_ladders, check_published, published_systems
from stillroom.config_rankers import check_ancestors, check_ranker, check_retrieves, choose_training_sets
from stillroom.config_report import check_report
from stillroom.config_reranking import RERANK, check_candidates, check_rerankings, rerankings_of
from stillroom.config_schema import (
    ConfigError,
    check_against_schema,
    completed,
    config_error,
    parts,
    read_schema,
    shown,
)
from stillroom.config_teachers import check_teachers
from stillroom.config_training import check_training
from stillroom.registry import names

__all__ = ["ConfigError", "check_config"]


def check_config(config: dict, schema_path: str | Path) -> dict:
    """The config with all defaults and every training set filled in, or a ConfigError in one sentence.

    Checking what came back once more changes nothing.
    """
    schema = read_schema(schema_path)
    check_against_schema(config, schema)
    config = completed(config, schema)
    check_names(config, schema)
    check_left_out(config)
    check_measures(config["measures"])
    check_index_names(config["indexes"])
    for name in config["indexes"]:
        check_index(config, name)
    for name, training in config["training"].items():
        check_training(name, training)
    check_teachers(config)
    for name, training_set in config["training_sets"].items():
        check_negatives(config, name, training_set["negatives"])
        check_query_limit(name, training_set)
    choose_training_sets(config)
    for name, ranker in config["rankers"].items():
        check_ranker(config, name, ranker, schema)
    check_ancestors(config)
    check_rerankings(config)
    for path, system in named_systems(config):
        check_way(config, path, system, test_sets_of(config[path[0]][path[1]]))
    check_published(config)
    check_ladders(config)
    check_paper_tables(config)
    for path, system, test_sets in [*published_systems(config), *paper_systems(config)]:
        check_way(config, path, system, test_sets)
    check_table_names(config)
    for section in ("tables", "length_tables", "search_tables"):
        for name, table in config[section].items():
            check_labels((section, name, "rows"), table)
    for name, table in config["tables"].items():
        check_groups(name, table)
    for name, table in config["length_tables"].items():
        check_ascending(("length_tables", name, "passage_words"), table["passage_words"])
    for name, table in config["efficiency_tables"].items():
        check_efficiency_table(config, name, table)
    for name, table in config["search_tables"].items():
        check_search_table(config, name, table)
    check_inference(config["inference"])
    check_report(config)
    return config


def check_names(config: dict, schema: dict) -> None:
    """Every name is a block of the section, or a file of the folder, that the schema says."""
    for path, value, part_schema in parts(config, schema):
        if not isinstance(value, str):
            continue
        if "refers_to" in part_schema:
            section = part_schema["refers_to"]
            check_name(path, value, list(config[section]), f"defined under {section}")
        if "file_in" in part_schema:
            check_name(path, value, names(part_schema["file_in"]), f"in {part_schema['file_in']}")


def check_name(path: tuple, found: str, legal: list[str], where: str) -> None:
    """One name is one of the legal names, which are listed in their own order."""
    if found not in legal:
        listing = f"is not one of {', '.join(legal)}" if legal else f"is not there: nothing is {where}"
        raise config_error(path, f"{found!r} {listing}.")


def check_negatives(config: dict, name: str, negatives: dict | None) -> None:
    """A ranker that finds other passages can retrieve, and a relevant passage has no more of them than its query."""
    if negatives is None:
        return
    path = ("training_sets", name, "negatives")
    if negatives["per_relevant"] > negatives["per_query"]:
        message = f"found {negatives['per_relevant']}, but per_query is {negatives['per_query']}."
        raise config_error((*path, "per_relevant"), message)
    if isinstance(negatives["from"], dict):
        remedy = "name another ranker or a BM25"
        check_retrieves(config, negatives["from"]["ranker"], (*path, "from", "ranker"), remedy)


def check_measures(measures: list[str]) -> None:
    """Every measure is one of ir_measures, in its own notation, since metrics are looked up by it."""
    for place, measure in enumerate(measures):
        try:
            parsed = ir_measures.parse_measure(measure)
            parsed.validate_params()
        except (NameError, ValueError, KeyError, AssertionError) as error:
            message = f"{measure!r} is no measure of ir_measures, such as RR@10 or nDCG@10."
            raise config_error(("measures", place), message) from error
        if str(parsed) != measure:
            raise config_error(("measures", place), f"found {measure!r}, ir_measures writes {parsed}.")


def check_index_names(indexes: dict) -> None:
    """No index takes the name of re-ranking."""
    if RERANK in indexes:
        raise config_error(("indexes", RERANK), "re-ranking has this name, so no index can; choose another.")


def test_sets_of(table: dict) -> list[str]:
    """The test sets of a table of any kind."""
    return table["test_sets"] if "test_sets" in table else [table["test_set"]]


def check_way(config: dict, path: tuple, system: dict, test_sets: list[str]) -> None:
    """The way of a system is defined, and its ranker can go it on these test sets."""
    if "bm25" in system:
        return
    way, rerankings = system["way"], rerankings_of(config)
    check_name((*path, "way"), way, [*config["indexes"], *rerankings], "defined under indexes")
    if "teacher" in system:
        check_ensemble(config, path, system)
    for ranker in rankers_in(system):
        if way not in rerankings:
            check_retrieves(config, ranker, (*path, "way"), f"found {way!r}, expected {' or '.join(rerankings)}")
    if way in rerankings:
        check_candidates(config, path, way, test_sets)


def check_inference(inference: dict) -> None:
    """Packed texts are computed in half precision."""
    if (inference["attention"], inference["precision"]) == ("packed", "fp32"):
        raise config_error(("inference", "attention"), "packed needs half precision; set precision to bf16 or fp16.")


def check_table_names(config: dict) -> None:
    """Tables of all kinds lie in one folder."""
    taken = {REPRODUCTION}
    for section in ("tables", "length_tables", "efficiency_tables", "search_tables", "paper_tables"):
        if both := taken & config[section].keys():
            raise config_error((section, min(both)), "a table has this name; choose another.")
        taken |= config[section].keys()


def check_labels(path: tuple, table: dict) -> None:
    """A row has as many labels as the table has columns for them."""
    columns = table.get("label_columns", ["system"])
    for place, row in enumerate(table["rows"]):
        if len(labels_of(row)) != len(columns):
            message = f"found {shown(row['label'])}, expected one for each of the columns {', '.join(columns)}."
            raise config_error((*path, place, "label"), message)


def check_ensemble(config: dict, path: tuple, system: dict) -> None:
    """A teacher re-ranks, if it is made of rankers."""
    teacher = system["teacher"]
    if system["way"] not in (ways := rerankings_of(config)):
        message = f"found {system['way']!r}, but a teacher only finds passages by {' or '.join(ways)}."
        raise config_error((*path, "way"), message)
    if config["teachers"][teacher]["average"] is None:
        message = f"{teacher} is a score file, which has no scores of the candidates; name an average of rankers."
        raise config_error((*path, "teacher"), message)


def check_efficiency_table(config: dict, name: str, table: dict) -> None:
    """What is published has a source, and an index is of a ranker that can retrieve."""
    path = ("efficiency_tables", name)
    for place, row in enumerate(table["rows"]):
        if row["published_milliseconds"] is not None and not table["source"]:
            raise config_error((*path, "source"), f"missing, but rows.{place}.published_milliseconds needs it.")
        if row["index"]:
            check_retrieves(config, row["ranker"], (*path, "rows", place, "index"), "take the key out")


def check_ascending(path: tuple, edges: list[int]) -> None:
    """Edges between columns ascend."""
    if any(left >= right for left, right in pairwise(edges)):
        raise config_error(path, f"found {shown(edges)}, expected ascending numbers.")
