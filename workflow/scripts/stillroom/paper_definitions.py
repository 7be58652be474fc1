"""Definitions of published tables: a layout, and the cells of published numbers that belong in it."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from stillroom.config_schema import LOADER, ConfigError, check_against_schema, completed, read_schema
from stillroom.published_numbers import Cell
from stillroom.registry import PACKAGE

LAYOUTS = PACKAGE.parents[1] / "published" / "tables"
SCHEMA = PACKAGE.parents[1] / "schemas" / "paper_table.schema.yaml"


def layout_path(name: str) -> Path:
    """The file of a layout that is shipped."""
    return LAYOUTS / f"{name}.yaml"


@cache  # the input functions of a table ask several times
def read_layout(path: Path) -> dict:
    """A layout with its defaults; a mistake ends in one sentence that names the file and the key."""
    schema = read_schema(SCHEMA)
    layout = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    try:
        check_against_schema(layout, schema)
        layout = completed(layout, schema)
        check_layout(layout)
    except ConfigError as error:
        raise ValueError(f"{path}: {error}") from None
    return layout


def check_layout(layout: dict) -> None:
    """A row has a label for each column of them, and the baseline is a row."""
    columns, rows = layout["label_columns"], layout["rows"]
    for name, labels in rows.items():
        if len(labels) != len(columns):
            message = f"found {len(labels)} labels, expected one for each of the columns {', '.join(columns)}."
            raise ConfigError(f"rows.{name}: {message}")
    if layout["baseline"] not in (None, *rows):
        raise ConfigError(f"baseline: {layout['baseline']!r} is not one of {', '.join(rows)}.")


def cells_of(layout: dict, cells: Iterable[Cell]) -> dict[tuple[str, str, str], Cell]:
    """(system, column, measure) → the cell, of the first of the layout's sources that has it."""
    columns = {
        (column["test_set"], measure): name
        for name, column in layout["columns"].items()
        for measure in column["measures"]
    }
    found: dict[tuple[str, str, str], tuple[int, Cell]] = {}
    for cell in cells:
        column = columns.get((cell.test_set, cell.measure))
        if column is None or cell.system not in layout["rows"]:
            continue
        place = source_place(layout, cell)
        if place is None:
            continue
        key = (cell.system, column, cell.measure)
        if key not in found or place < found[key][0]:
            found[key] = (place, cell)
    return {key: cell for key, (_, cell) in found.items()}


def source_place(layout: dict, cell: Cell) -> int | None:
    """The place of a cell's source among those of a layout."""
    for place, numbers in enumerate(layout["numbers"]):
        if cell.source == numbers["source"] and cell.table.startswith(numbers["table"] or ""):
            return place
    return None


def check_rows(layouts: dict[str, dict], placed: Iterable[tuple[Cell, str]]) -> None:
    """Every row of a layout has a number, and every number of a published table is in a row of one that shows it."""
    placed = list(placed)
    for name, layout in layouts.items():
        numbered = {system for system, _, _ in cells_of(layout, (cell for cell, _ in placed))}
        if lacking := [row for row in layout["rows"] if row not in numbered]:
            raise ValueError(f"{name}: found the row {lacking[0]}, of which no file has a number, expected one.")
    for cell, place in placed:
        showing = [layout for layout in layouts.values() if source_place(layout, cell) is not None]
        rows = dict.fromkeys(row for layout in showing for row in layout["rows"])
        if showing and cell.system not in rows:
            raise ValueError(f"{place}: found the system {cell.system!r}, expected one of {', '.join(rows)}.")
