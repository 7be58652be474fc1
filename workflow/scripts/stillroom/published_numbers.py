"""Published numbers: CSV files with one row per cell of a publication, and what it was measured on.

A column that is empty is not known of the publication. `docs/reproduction.md` says what the columns mean.
"""

import csv
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

EVIDENCE = ("read", "figure", "second-hand")
NUMBERS = {"passages", "queries", "min_relevance", "depth"}
CONDITIONS = ("passages", "queries", "judgements", "query_ids", "qrels", "min_relevance", "depth")


class Cell(NamedTuple):
    """One number of a publication, as it is printed there."""

    source: str
    table: str
    system: str
    test_set: str  # an ir_datasets id
    measure: str  # with its cut-off, as ir_measures writes it
    value: Decimal
    tolerance: Decimal
    conditions: dict  # those of CONDITIONS that are known
    evidence: str
    note: str

    @property
    def key(self) -> tuple[str, ...]:
        """What no two cells have in common."""
        return (self.source, self.table, self.system, self.test_set, self.measure)


COLUMNS = [name for field in Cell._fields for name in (CONDITIONS if field == "conditions" else [field])]


def read_cells(paths: Iterable[str | Path]) -> list[Cell]:
    """The cells of all files, in their order; none is there twice."""
    return [cell for cell, _ in read_placed_cells(paths)]


def read_placed_cells(paths: Iterable[str | Path]) -> list[tuple[Cell, str]]:
    """The cells, each with its file and line."""
    cells = {}
    for path in paths:
        with open(path, encoding="utf-8", newline="") as file:
            lines = csv.DictReader(file)
            check_header(path, lines.fieldnames)
            for row in lines:
                place = f"{path}, line {lines.line_num}"
                cell = cell_of(row, place)
                if cell.key in cells:
                    raise ValueError(f"{place}: found {', '.join(cell.key)} again, expected every cell once.")
                cells[cell.key] = (cell, place)
    return list(cells.values())


def check_header(path: str | Path, found: list[str] | None) -> None:
    """Every column is there, and no other."""
    missing = [name for name in COLUMNS if name not in (found or [])]
    if missing or len(found) > len(COLUMNS):
        foreign = [name for name in found or [] if name not in COLUMNS]
        wrong = f"no column {missing[0]}" if missing else f"the column {(foreign or found)[0]}"
        raise ValueError(f"{path}: found {wrong}, expected the columns {', '.join(COLUMNS)}.")


def cell_of(row: dict, place: str) -> Cell:
    """The cell of one line."""
    if None in row or None in row.values():
        raise ValueError(f"{place}: expected {len(COLUMNS)} columns; quote a text that has a comma.")
    for name in ("source", "table", "system", "test_set", "measure"):
        if not row[name]:
            raise ValueError(f"{place}: found no {name}, expected some text.")
    if row["evidence"] not in EVIDENCE:
        raise ValueError(f"{place}: found {row['evidence']!r} as evidence, expected one of {', '.join(EVIDENCE)}.")
    conditions = {name: condition(name, row[name], place) for name in CONDITIONS if row[name]}
    numbers = {name: decimal(row[name], f"{place}: found {row[name]!r} as {name}") for name in ("value", "tolerance")}
    return Cell(**{name: row[name] for name in Cell._fields if name in row} | numbers, conditions=conditions)


def condition(name: str, text: str, place: str) -> int | str:
    """One condition: a number, or text that is compared as it stands."""
    if name not in NUMBERS:
        return text
    if not text.isdecimal():
        raise ValueError(f"{place}: found {text!r} as {name}, expected a whole number without separators.")
    return int(text)


def decimal(text: str, found: str) -> Decimal:
    """A number with the digits that are written: 0.3440 has four."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or number < 0:
        raise ValueError(f"{found}, expected a number such as 0.344.")
    return number


def as_settings(cell: Cell) -> dict:
    """The cell as plain values, for JSON and for the parameters of a rule."""
    return {**cell._asdict(), "value": str(cell.value), "tolerance": str(cell.tolerance)}


def from_settings(settings: dict) -> Cell:
    """The cell that `as_settings` has put down."""
    return Cell(**{**settings, "value": Decimal(settings["value"]), "tolerance": Decimal(settings["tolerance"])})
