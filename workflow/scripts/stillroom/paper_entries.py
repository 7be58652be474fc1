"""The numbers of a published table, ours and theirs, and what each of ours is to the published one."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from stillroom.published_numbers import Cell, from_settings
from stillroom.reproduction import NOT_MEASURED
from stillroom.significance import holm, paired_t_test
from stillroom.tables import NOTHING, Metrics, mean_of, query_values
from stillroom.verdicts import SAME, WITHIN, Verdict, verdict

EQUIVALENT = 0.05  # the level of the equivalence test
REPRODUCED = "reproduced"


class Line(NamedTuple):
    """A row of the table on one of its test sets."""

    row: str
    labels: tuple[str, ...]
    column: str  # the test set in print
    test_set: str | None  # ours
    systems: list[str]  # ours, one per seed
    is_measured: bool

    @property
    def name(self) -> str:
        """The labels in one."""
        return name_of(self.labels)


class Entry(NamedTuple):
    """A number of ours, a published one, or both."""

    line: Line
    measure: str
    values: list[float]  # of ours, one per seed
    cell: Cell | None
    verdict: Verdict
    p_value: float | None  # of the difference to the baseline, corrected
    comparison: dict  # of the runs, where there is one

    @property
    def ours(self) -> float:
        """The mean over the seeds."""
        return float(np.mean(self.values)) if self.values else float("nan")

    @property
    def deviation(self) -> float | None:
        """The standard deviation over the seeds, where there are several."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


def name_of(labels: Iterable[str]) -> str:
    """The labels of a row in one."""
    return ", ".join(label for label in labels if label != NOTHING)


def lines_of(settings: dict, metrics: Metrics) -> list[Line]:
    """The lines of the table: by test set, then by row, where the row has a published number."""
    published = {(cell["row"], cell["column"]) for cell in settings["cells"]}
    lines = []
    for column in settings["columns"]:
        test_set = column["test_set"]
        for row in settings["rows"]:
            is_there = test_set in row["test_sets"] and all((test_set, system) in metrics for system in row["systems"])
            if (row["row"], column["name"]) in published:
                labels = tuple(row["labels"])
                lines.append(Line(row["row"], labels, column["name"], test_set, row["systems"], is_there))
    return lines


def entries_of(settings: dict, lines: list[Line], metrics: Metrics, comparisons: list[dict]) -> list[Entry]:
    """Every number of the table, ours or published, in the order of the lines."""
    cells = {(cell["row"], cell["column"], cell["cell"]["measure"]): cell["cell"] for cell in settings["cells"]}
    columns = {column["name"]: column for column in settings["columns"]}
    entries = []
    for line in lines:
        comparison = next((each for each in comparisons if is_of(each, line)), {})
        for measure in columns[line.column]["measures"]:
            known = cells.get((line.row, line.column, measure))
            cell = from_settings(known) if known else None
            is_measured = line.is_measured and measure in settings["measured"]
            values = (
                [mean_of(metrics, line.test_set, system, measure) for system in line.systems] if is_measured else []
            )
            if values or cell:
                found = NOT_MEASURED
                if values and cell:
                    conditions = metrics[line.test_set, line.systems[0]]
                    found = verdict(float(np.mean(values)), cell, conditions, sampled=columns[line.column]["sampled"])
                found = supported(found, comparison, measure)
                entries.append(Entry(line, measure, values, cell, found, None, comparison))
    return entries


def is_of(comparison: dict, line: Line) -> bool:
    """Whether runs that were compared are those of a line."""
    return (comparison["test_set"], comparison["systems"]) == (line.test_set, line.systems)


def supported(found: Verdict, comparison: dict, measure: str) -> Verdict:
    """The verdict on a mean, which is `reproduced` if also the runs agree, query by query."""
    compared = comparison.get("measures", {}).get(measure)
    is_reproduced = found.word in (SAME, WITHIN) and compared and compared["equivalence_p"] < EQUIVALENT
    return found._replace(word=REPRODUCED) if is_reproduced else found


def with_significance(settings: dict, metrics: Metrics, entries: list[Entry]) -> list[Entry]:
    """The entries with p-values of paired t-tests against the baseline's, corrected for all of the table (Holm)."""
    baseline = next((row for row in settings["rows"] if row["row"] == settings["baseline"]), None)
    p_values = {}
    for place, entry in enumerate(entries):
        test_set = entry.line.test_set
        if baseline is None or not entry.values or entry.line.row == baseline["row"]:
            continue
        if not baseline["systems"] or not all((test_set, system) in metrics for system in baseline["systems"]):
            continue
        sides = [
            query_values(metrics, test_set, each, entry.measure) for each in (entry.line.systems, baseline["systems"])
        ]
        p_values[place] = paired_t_test(*sides)
    corrected = dict(zip(p_values, holm([*p_values.values()]).tolist(), strict=True))
    return [entry._replace(p_value=corrected.get(place)) for place, entry in enumerate(entries)]
