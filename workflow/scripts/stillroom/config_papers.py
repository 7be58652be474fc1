"""What the config says of published tables (`paper_tables`): which system of ours stands in which of their rows."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from stillroom.config import rankers_in, sampled_test_sets, seeds_of, stable, systems_of
from stillroom.config_published import placed_cells
from stillroom.config_rankers import is_trained
from stillroom.config_schema import config_error
from stillroom.paper_definitions import LAYOUTS, cells_of, check_rows, layout_path, read_layout
from stillroom.published_numbers import Cell, as_settings


class Comparison(NamedTuple):
    """A row with a reference, on one test set of ours."""

    row: str
    test_set: str


def layout_of(config: dict, name: str) -> dict:
    """The layout of a table: its own file, or the one that is shipped by its name."""
    own = config["paper_tables"][name]["layout"]
    path = Path(own) if own else layout_path(name)
    if not path.exists():
        shipped = ", ".join(sorted(file.stem for file in LAYOUTS.glob("*.yaml")))
        if own:
            raise config_error(("paper_tables", name, "layout"), f"{own}: there is no such file.")
        raise config_error(("paper_tables", name), f"{name!r} is not one of {shipped}; name a layout of your own.")
    try:
        return read_layout(path)
    except ValueError as error:
        raise config_error(("paper_tables", name), str(error)) from None


def check_paper_tables(config: dict) -> None:
    """Every table has a layout, every row of ours is one of it, and every published number has its place."""
    if not config["paper_tables"]:
        return
    layouts = {name: layout_of(config, name) for name in config["paper_tables"]}
    for name, layout in layouts.items():
        for key, legal in (("rows", layout["rows"]), ("references", config["paper_tables"][name]["rows"])):
            for row in config["paper_tables"][name][key]:
                if row not in legal:
                    message = f"{row!r} is not one of {', '.join(legal) or 'the rows: there are none'}."
                    raise config_error(("paper_tables", name, key, row), message)
        test_sets_of(config, name)
    cells = placed_cells(config)
    try:
        check_rows({**shipped_layouts(config), **layouts}, cells)
    except ValueError as error:
        raise config_error(("published", "numbers"), str(error)) from None


def shipped_layouts(config: dict) -> dict[str, dict]:
    """The layouts that are shipped, where the numbers are too."""
    return {} if config["published"]["numbers"] else {path.stem: read_layout(path) for path in LAYOUTS.glob("*.yaml")}


def test_sets_of(config: dict, name: str) -> dict[str, str | None]:
    """Column → the test set of ours with its data set, if there is one; of `test_sets`, where some are named."""
    table, found = config["paper_tables"][name], {}
    for column, block in layout_of(config, name)["columns"].items():
        among = table["test_sets"] or list(config["test_sets"])
        same = [test_set for test_set in among if config["test_sets"][test_set]["dataset"] == block["test_set"]]
        if len(same) > 1:
            message = f"{' and '.join(same)} have the data set {block['test_set']}; name the one that is compared."
            raise config_error(("paper_tables", name, "test_sets"), message)
        if same or not table["test_sets"]:
            found[column] = same[0] if same else None
    if not found:
        datasets = ", ".join(block["test_set"] for block in layout_of(config, name)["columns"].values())
        raise config_error(("paper_tables", name, "test_sets"), f"expected some with the data sets {datasets}.")
    return found


def measured_here(config: dict, name: str) -> Iterator[tuple[str, str]]:
    """(row, test set of ours) of all that is measured: the rows that name a system, where they have a number."""
    layout, table = layout_of(config, name), config["paper_tables"][name]
    published = cells_of(layout, [cell for cell, _ in placed_cells(config)])
    test_sets = test_sets_of(config, name)
    for row in (row for row in layout["rows"] if row in table["rows"]):
        for column, test_set in test_sets.items():
            is_published = any(
                (row, column, measure) in published
                for measure in layout["columns"][column]["measures"]
                if measure in config["measures"]
            )
            if test_set and is_published:
                yield row, test_set


def compared_rows(config: dict, name: str) -> list[Comparison]:
    """The runs that are compared with those of the publication itself, where the numbers can be compared, too."""
    references = config["paper_tables"][name]["references"]
    return [
        Comparison(row, test_set)
        for row, test_set in measured_here(config, name)
        if row in references and is_whole(config, test_set)
    ]


def is_whole(config: dict, test_set: str) -> bool:
    """Whether a test set has all queries of its data set, in all passages; others are compared by their means only."""
    block = config["test_sets"][test_set]
    return not (block["without"] or block["queries"] or sampled_test_sets(config, [test_set]))


def paper_systems(config: dict) -> Iterator[tuple[tuple, dict, list[str]]]:
    """(key path, system, its test sets) of every row and every reference."""
    for name, table in config["paper_tables"].items():
        for key, wanted in (("rows", [*measured_here(config, name)]), ("references", compared_rows(config, name))):
            for row, system in table[key].items():
                yield ("paper_tables", name, key, row), system, [test_set for other, test_set in wanted if other == row]


def paper_table_settings(config: dict, name: str) -> dict:
    """What a table is made from, beside the metrics: layout, systems and published numbers."""
    layout, table = layout_of(config, name), config["paper_tables"][name]
    seeds, test_sets = seeds_of(config, config["rankers"]), test_sets_of(config, name)
    here = [*measured_here(config, name)]
    rows = [
        {
            "row": row,
            "labels": labels,
            "systems": systems_of(table["rows"][row], seeds) if row in table["rows"] else [],
            "test_sets": [test_set for other, test_set in here if other == row],
        }
        for row, labels in layout["rows"].items()
    ]
    columns = [
        {
            "name": column,
            "test_set": test_set,
            "measures": layout["columns"][column]["measures"],
            "sampled": bool(test_set and sampled_test_sets(config, [test_set])),
        }
        for column, test_set in test_sets.items()
    ]
    cells = [
        {"row": row, "column": column, "cell": as_settings(cell)}
        for (row, column, _), cell in tolerated_cells(config, name).items()
        if column in test_sets
    ]
    kept = {key: layout[key] for key in ("title", "label_columns", "baseline", "notes")}
    return stable({**kept, "rows": rows, "columns": columns, "cells": cells, "measured": config["measures"]})


def tolerated_cells(config: dict, name: str) -> dict[tuple[str, str, str], Cell]:
    """The cells of a table, each with how far our row may be off: rankers that are trained here may be further."""
    layout, table = layout_of(config, name), config["paper_tables"][name]
    published = cells_of(layout, [cell for cell, _ in placed_cells(config)])
    trained = {row for row, system in table["rows"].items() if any(map(is_trained, rankers_of(config, system)))}
    for (row, column, measure), cell in published.items():
        retrained = layout["columns"][column]["retrained"].get(measure)
        if row in trained and retrained:
            tolerance = max(cell.tolerance, Decimal(str(retrained)))
            published[row, column, measure] = cell._replace(tolerance=tolerance)
    return published


def rankers_of(config: dict, system: dict) -> list[dict]:
    """The blocks of the rankers that score in a system."""
    names = config["teachers"][system["teacher"]]["average"] if "teacher" in system else rankers_in(system)
    return [config["rankers"][name] for name in names]


def comparison_settings(config: dict, name: str, row: str, test_set: str) -> dict:
    """Our runs, the publication's and their baselines, by system; and the margin of each measure."""
    table, baseline = config["paper_tables"][name], layout_of(config, name)["baseline"]
    seeds = seeds_of(config, config["rankers"])
    baselines = []
    if (baseline, test_set) in measured_here(config, name) and row != baseline:
        ours = table["rows"][baseline]
        baselines = [systems_of(system, seeds) for system in (ours, table["references"].get(baseline, ours))]
    column = next(column for column, own in test_sets_of(config, name).items() if own == test_set)
    margins = {
        measure: float(cell.tolerance)
        for (system, where, measure), cell in tolerated_cells(config, name).items()
        if (system, where) == (row, column) and measure in config["measures"]
    }
    return stable(
        {
            "ours": systems_of(table["rows"][row], seeds),
            "reference": systems_of(table["references"][row], seeds)[0],
            "baselines": baselines,
            "margins": margins,
        }
    )
