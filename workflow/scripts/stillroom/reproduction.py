"""The table of published numbers beside ours, with a verdict on each."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from stillroom.files import atomic_path
from stillroom.published_numbers import Cell, from_settings
from stillroom.tables import NOTHING, Metrics, latex, markdown, mean_of, printed_measure, read_metrics, without_repeats
from stillroom.verdicts import NOT_COMPARABLE, OFF, VERDICTS, Verdict, exact, verdict

logger = logging.getLogger(__name__)

HEADERS = [("system", "test set", "measure", "source"), ("ours", "published", "difference", "verdict")]


class Comparison(NamedTuple):
    """One line of the table."""

    label: str
    systems: list[str]  # one per seed
    test_set: str
    cell: Cell
    ours: float
    verdict: Verdict


def compare_published(
    *,
    settings: dict,
    metrics_paths: list[str],
    csv_path: str | Path,
    md_path: str | Path,
    tex_path: str | Path,
) -> None:
    """Write a line per published number: ours, theirs, the difference and the verdict; below, what is not compared."""
    metrics = read_metrics(metrics_paths)
    comparisons = [compared(line, metrics) for line in settings["lines"]]
    labels = without_repeats([labels_of(comparison) for comparison in comparisons])
    cells = [[(text, text == OFF) for text in printed(comparison)] for comparison in comparisons]
    table = (settings["title"], labels, HEADERS, cells, [*notes(comparisons, settings["left_out"])])
    with atomic_path(csv_path) as path:
        pd.DataFrame(map(csv_row, comparisons)).to_csv(path, index=False)
    with atomic_path(md_path) as path:
        path.write_text(markdown(*table), encoding="utf-8")
    with atomic_path(tex_path) as path:
        path.write_text(latex(*table), encoding="utf-8")
    for comparison in comparisons:
        if comparison.verdict.word == OFF:
            logger.warning("off: %s", ", ".join([*labels_of(comparison), *printed(comparison)[:3]]))


def compared(line: dict, metrics: Metrics) -> Comparison:
    """One published number beside the mean of ours over the seeds."""
    cell, test_set, systems = from_settings(line["cell"]), line["test_set"], line["systems"]
    ours = mean_over_seeds(metrics, test_set, systems, cell.measure)
    found = verdict(ours, cell, metrics[test_set, systems[0]], sampled=line["sampled"])
    return Comparison(line["label"], systems, test_set, cell, ours, found)


def mean_over_seeds(metrics: Metrics, test_set: str, systems: list[str], measure: str) -> float:
    """The mean of a measure over the queries, and over the systems."""
    return float(np.mean([mean_of(metrics, test_set, system, measure) for system in systems]))


def labels_of(comparison: Comparison) -> tuple[str, ...]:
    """The first columns."""
    cell = comparison.cell
    return (comparison.label, comparison.test_set, printed_measure(cell.measure), cell.source)


def printed(comparison: Comparison) -> tuple[str, ...]:
    """The other columns: ours in four decimals, the published number as it is published."""
    difference, published = comparison.verdict.difference, short(str(comparison.cell.value))
    return (four_decimals(comparison.ours), published, signed(difference), comparison.verdict.word)


def four_decimals(value: float) -> str:
    """`.3444`"""
    return short(f"{value:.4f}")


def signed(difference: Decimal | None) -> str:
    """`+.0026`; a dash where there is nothing."""
    return NOTHING if difference is None else short(f"{difference:+.4f}")


def short(number: str) -> str:
    """A number without the zero before its point."""
    return re.sub(r"^([+-]?)0\.", r"\1.", number)


def csv_row(comparison: Comparison) -> dict:
    """One line of the CSV, in full precision; `system` is as in the paths."""
    label, systems, test_set, cell, ours, found = comparison
    return {
        "system": name_over_seeds(systems),
        "label": label,
        "test_set": test_set,
        "measure": cell.measure,
        "ours": float(exact(ours)),
        "published": str(cell.value),
        "difference": found.difference,
        "tolerance": str(cell.tolerance),
        "verdict": found.word,
        "reason": found.reason,
        "source": cell.source,
        "table": cell.table,
        "evidence": cell.evidence,
        "note": cell.note,
    }


def name_over_seeds(systems: list[str]) -> str:
    """The system, or what tables call the mean of several."""
    return systems[0] if len(systems) == 1 else re.sub(r"/seed-\d+/", "/mean/", systems[0])


def notes(comparisons: list[Comparison], left_out: list[dict]) -> Iterator[str]:
    """How many verdicts of each kind, what they mean, and what has none, with the reason."""
    counts = Counter(comparison.verdict.word for comparison in comparisons)
    yield f"Verdicts: {', '.join(f'{word} {counts[word]}' for word in VERDICTS)}."
    tolerances: dict[str, list[str]] = {}
    for cell in (comparison.cell for comparison in comparisons):
        tolerances.setdefault(short(str(cell.tolerance)), []).append(cell.source)
    each = [f"±{tolerance} ({', '.join(dict.fromkeys(sources))})" for tolerance, sources in tolerances.items()]
    yield f"Same: in all published digits. Tolerances, fixed beforehand: {', '.join(each)}."
    if several := [comparison for comparison in comparisons if len(comparison.systems) > 1]:
        yield f"Means over seeds: {', '.join(dict.fromkeys(comparison.label for comparison in several))}."
    reasons: dict[str, list[str]] = {}
    for comparison in comparisons:
        if comparison.verdict.word == NOT_COMPARABLE:
            label, test_set, measure, source = labels_of(comparison)
            reasons.setdefault(comparison.verdict.reason, []).append(f"{label} on {test_set}, {measure} ({source})")
    yield from (f"Not comparable: {'; '.join(lines)}: {reason}." for reason, lines in reasons.items())
    if left_out:
        yield f"Published, and not measured here: {'; '.join(without_ours(left_out))}."


def without_ours(left_out: list[dict]) -> Iterator[str]:
    """`BM25 on another/set, nDCG@10, Recall@1000`"""
    measures: dict[tuple[str, str], list[str]] = {}
    for line in left_out:
        measures.setdefault((line["label"], line["test_set"]), []).append(printed_measure(line["measure"]))
    for (label, test_set), printed in measures.items():
        yield f"{label} on {test_set}, {', '.join(dict.fromkeys(printed))}"
