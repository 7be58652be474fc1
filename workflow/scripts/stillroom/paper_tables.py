"""Published tables with our numbers in them: ours, the published number, the difference and what it says."""

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from stillroom.files import atomic_path, read_json
from stillroom.paper_entries import REPRODUCED, Entry, entries_of, lines_of, with_significance
from stillroom.paper_notes import MARK, table_notes
from stillroom.reproduction import NOT_MEASURED, four_decimals, kind, name_over_seeds, short, signed
from stillroom.tables import (
    SIGNIFICANT,
    Metrics,
    missing_metrics,
    missing_notes,
    notation,
    number,
    printed_measure,
    read_metrics,
    write_pages,
)
from stillroom.verdicts import NOT_COMPARABLE, OFF, SAME, Verdict, exact

logger = logging.getLogger(__name__)

CSV_COLUMNS = ["system", "row", "label", "test_set", "dataset", "measure", "ours", "deviation", "seeds", "published"]
CSV_COLUMNS += ["difference", "tolerance", "verdict", "reason", "p_value", "reference", "rank_biased_overlap"]
CSV_COLUMNS += ["tau_union", "effect_ratio", "equivalence_p", "source", "table", "evidence", "note"]


def make_paper_table(
    *,
    settings: dict,
    metrics_paths: list[str],
    comparison_paths: list[str],
    csv_path: str | Path,
    md_path: str | Path,
    tex_path: str | Path,
    html_path: str | Path,
) -> None:
    """Write a published table: a line per test set and row, and the CSV with a line per number.

    What has not been measured yet is blank.
    """
    metrics, missing = read_metrics(metrics_paths), missing_metrics(metrics_paths)
    comparisons = [read_json(path) for path in comparison_paths if Path(path).exists()]
    lines = lines_of(settings, metrics)
    entries = with_significance(settings, metrics, entries_of(settings, lines, metrics, comparisons))
    found = {(entry.line.row, entry.line.column, entry.measure): entry for entry in entries}
    columns = printed_columns(entries, settings)
    known = {f"{entry.line.row}/{entry.line.test_set}.json" for entry in entries if entry.values}
    uncompared = [path for path in comparison_paths if not Path(path).exists() and path.endswith(tuple(known))]
    notes = [
        *missing_notes(needed(settings), missing, md_path),
        *table_notes(settings, entries, uncompared),
        *settings["notes"],
    ]
    with atomic_path(csv_path) as path:
        pd.DataFrame(map(csv_row, entries), columns=CSV_COLUMNS).to_csv(path, index=False)
    best = best_of(entries)
    rows = [
        [shown(found.get((line.row, line.column, measure)), what, best) for measure, what in columns] for line in lines
    ]
    write_pages(
        title=settings["title"],
        labels=[(line.column, *line.labels) for line in lines],
        headers=[["test set", *settings["label_columns"]], [header(*column) for column in columns]],
        cells=[[(text, is_bold) for text, is_bold, _ in row] for row in rows],
        notes=notes,
        paths=(md_path, tex_path, html_path),
        values=[[value for _, _, value in row] for row in rows],
        traces=[
            [trace(found.get((line.row, line.column, measure)), what, metrics) for measure, what in columns]
            for line in lines
        ],
    )
    for entry in entries:
        if entry.verdict.word == OFF:
            logger.warning("off: %s, %s on %s", entry.line.name, entry.measure, entry.line.column)


def needed(settings: dict) -> list[tuple[list[str], list[tuple[str, str]]]]:
    """The labels of each row that a system of ours stands in, and what is measured for it."""
    return [
        (row["labels"], [(test_set, system) for test_set in row["test_sets"] for system in row["systems"]])
        for row in settings["rows"]
        if row["test_sets"]
    ]


def printed_columns(entries: list[Entry], settings: dict) -> list[tuple[str, str]]:
    """(measure, ours, published or difference) of each column: those that have something to show."""
    columns = []
    for measure in dict.fromkeys(measure for column in settings["columns"] for measure in column["measures"]):
        own = [entry for entry in entries if entry.measure == measure]
        rows = {row["row"] for row in settings["rows"] if row["test_sets"]}
        may_be_ours = measure in settings["measured"] and any(entry.line.row in rows for entry in own)
        is_published = any(entry.cell for entry in own)
        columns += [(measure, "ours")] if may_be_ours else []
        columns += [(measure, "published")] if is_published else []
        columns += [(measure, "difference")] if may_be_ours and is_published else []
    return columns


def header(measure: str, what: str) -> str:
    """The header of a column."""
    return printed_measure(measure) if what == "ours" else f"{printed_measure(measure)} {what}"


def best_of(entries: list[Entry]) -> dict[tuple[str, str], float]:
    """(test set, measure) → the best number of ours, where there are several."""
    each: dict[tuple[str, str], list[float]] = {}
    for entry in entries:
        if entry.values:
            each.setdefault((entry.line.column, entry.measure), []).append(entry.ours)
    return {key: max(values) for key, values in each.items() if len(values) > 1}


def shown(entry: Entry | None, what: str, best: dict) -> tuple[str, bool, float | None]:
    """A cell: its text, whether it is in bold, and the number that it stands for."""
    if entry is None:
        return "", False, None
    if what == "published":
        return (short(str(entry.cell.value)), False, float(entry.cell.value)) if entry.cell else ("", False, None)
    if not entry.values:
        return "", False, None
    if what == "ours":
        best_one, digits = best.get((entry.line.column, entry.measure)), digits_of(entry)
        is_best = best_one is not None and digits(entry.ours) == digits(best_one)
        return ours_in_print(entry), is_best, float(exact(entry.ours))
    difference = entry.verdict.difference
    return difference_in_print(entry.verdict), False, None if difference is None else float(difference)


def ours_in_print(entry: Entry) -> str:
    """`.712 ± .004 *`: the mean, its deviation over seeds, and whether it is another than the baseline's."""
    digits = digits_of(entry)
    spread = "" if entry.deviation is None else f" ± {digits(entry.deviation)}"
    is_other = entry.p_value is not None and entry.p_value < SIGNIFICANT
    return f"{digits(entry.ours)}{spread}{f' {MARK}' if is_other else ''}"


def digits_of(entry: Entry) -> Callable[[float], str]:
    """How the numbers of a cell are printed: with four decimals where the published one has as many."""
    return four_decimals if entry.cell and entry.cell.value.as_tuple().exponent < -3 else number


def difference_in_print(found: Verdict) -> str:
    """`+.0026`, with the verdict where it is another than within tolerance."""
    if found == NOT_MEASURED:
        return ""
    if found.word == NOT_COMPARABLE:
        return NOT_COMPARABLE
    return signed(found.difference) + (f" {found.word}" if found.word in (SAME, OFF, REPRODUCED) else "")


def trace(entry: Entry | None, what: str, metrics: Metrics) -> dict:
    """Where a number of ours is from, and on which side of the published one it lies."""
    if entry is None or not entry.values or what == "published":
        return {}
    if what == "difference":
        return {"kind": kind(entry.verdict)}
    contents = [metrics[entry.line.test_set, system] for system in entry.line.systems]
    return {"sources": tuple(content["path"] for content in contents), "measure": notation(entry.measure, contents)}


def csv_row(entry: Entry) -> dict:
    """One line of the CSV, in full precision; `system` is as in the paths."""
    line, cell, compared = entry.line, entry.cell, entry.comparison.get("measures", {}).get(entry.measure, {})
    ours = {
        "system": name_over_seeds(line.systems) if line.systems else "",
        "row": line.row,
        "label": line.name,
        "test_set": line.test_set or line.column,
        "measure": entry.measure,
        "ours": float(exact(entry.ours)) if entry.values else None,
        "deviation": entry.deviation,
        "seeds": len(entry.values) or None,
        "p_value": entry.p_value,
        "verdict": entry.verdict.word,
        "difference": entry.verdict.difference,
        "reason": entry.verdict.reason,
        **{name: entry.comparison.get(name) for name in ("reference", "rank_biased_overlap", "tau_union")},
        **{name: compared.get(name) for name in ("effect_ratio", "equivalence_p")},
    }
    if cell is None:
        return ours
    published = {name: getattr(cell, name) for name in ("source", "table", "evidence", "note")}
    return ours | published | {"dataset": cell.test_set, "published": str(cell.value), "tolerance": str(cell.tolerance)}
