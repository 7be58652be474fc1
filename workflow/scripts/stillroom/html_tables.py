"""Tables as HTML: a page of its own, and the section in it that another page can take over.

The page ends with the one element `<section class="table" id="table-<name>">`; the end tags of body and html are left
out, as HTML allows.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

STYLE = """
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a;
  background: #fff; }
h2 { font-size: 1.25rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; border-block: 2px solid #1a1a1a; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; text-align: right; white-space: nowrap; }
thead th { border-bottom: 1px solid #1a1a1a; vertical-align: bottom; white-space: normal; }
th[scope=row], th.label { text-align: left; font-weight: normal; }
thead th.label { font-weight: bold; }
.above { color: #1d5c8a; }
.below { color: #a63603; }
.within { color: #4d4d4d; }
"""


class Number(NamedTuple):
    """A cell: what is printed, and what it stands for."""

    text: str
    value: float | None = None  # in full precision
    is_best: bool = False
    kind: str = ""  # of a difference: above, within or below
    sources: tuple[str, ...] = ()  # the files that it is made of
    measure: str = ""  # as ir_measures writes it; a number over several files is the mean of theirs


class Column(NamedTuple):
    """A header; of a column that is about some queries only, their ids."""

    text: str
    query_ids: tuple[str, ...] = ()


Lines = Iterable[tuple[Sequence[str], Sequence[Number]]]  # of a table: the labels and the cells of each


def page(*, name: str, title: str, labels: Sequence[str], columns: Sequence[Column], lines: Lines, notes: list) -> str:
    """A complete page with one table."""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n<body>\n{section(name, title, labels, columns, lines, notes)}"
    )


def section(
    name: str, title: str, labels: Sequence[str], columns: Sequence[Column], lines: Lines, notes: list[str]
) -> str:
    """The table with its headline, and its notes as a list."""
    header = [f'<th scope="col" class="label">{escape(label)}</th>' for label in labels] + [*map(header_cell, columns)]
    rows = [
        "<tr>" + "".join([*(f'<th scope="row">{escape(label)}</th>' for label in named), *map(cell, numbers)]) + "</tr>"
        for named, numbers in lines
    ]
    listed = ["<ul>", *(f"<li>{escape(note)}</li>" for note in notes), "</ul>"] if notes else []
    parts = [
        f'<section class="table" id="table-{escape(name)}" aria-labelledby="table-{escape(name)}-title">',
        f'<h2 id="table-{escape(name)}-title">{escape(title)}</h2>',
        f'<div class="scroll" role="group" tabindex="0" aria-labelledby="table-{escape(name)}-title">',
        "<table>",
        "<thead>",
        f"<tr>{''.join(header)}</tr>",
        "</thead>",
        "<tbody>",
        *rows,
        "</tbody>",
        "</table>",
        "</div>",
        *listed,
        "</section>",
    ]
    return "\n".join(parts) + "\n"


def header_cell(column: Column) -> str:
    """The header of a column of numbers."""
    return f'<th scope="col"{attributes({"data-queries": " ".join(column.query_ids)})}>{escape(column.text)}</th>'


def cell(number: Number) -> str:
    """A number with what it takes to trace it."""
    known = {
        "class": number.kind,
        "data-value": repr(float(number.value)) if is_known(number.value) else "",
        "data-source": " ".join(number.sources),
        "data-measure": number.measure,
    }
    text = f"<strong>{escape(number.text)}</strong>" if number.is_best else escape(number.text)
    return f"<td{attributes(known)}>{text}</td>"


def is_known(value: float | None) -> bool:
    """Whether there is a number."""
    return value is not None and not math.isnan(value)


def attributes(values: dict[str, str]) -> str:
    """The attributes that have a value."""
    return "".join(f' {name}="{escape(value)}"' for name, value in values.items() if value)
