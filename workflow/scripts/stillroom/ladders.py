"""Ladders: from our number to a published one, one stage of the publication after the other.

Each rung is a system; the differences between neighbours add up to the gap, and so say at which stage it opens.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from stillroom.files import atomic_path
from stillroom.published_numbers import Cell, from_settings
from stillroom.reproduction import four_decimals, mean_over_seeds, name_over_seeds, short, signed
from stillroom.tables import NOTHING, markdown, printed_measure, read_metrics
from stillroom.verdicts import Verdict, exact, verdict

OURS, PUBLISHED = "ours", "published"
# stage → what it is called; the last one is from the last rung to the published number
STAGES = {
    "candidates": "the candidates",
    "teacher": "the teacher's scores",
    "ranker": "the training of the ranker",
    PUBLISHED: "what is left: reading texts, scoring, measuring",
}
RUNGS = {
    None: OURS,
    "candidates": "+ the published candidates",
    "teacher": "+ the published teacher's scores",
    "ranker": "+ the published ranker",
}


class Rung(NamedTuple):
    """A value, and the stage that makes it another one than the rung's before; the first has no stage."""

    stage: str | None
    label: str
    system: str
    value: Decimal
    step: Decimal | None


def explain_cell(*, settings: dict, metrics_paths: list[str], csv_path: str | Path, md_path: str | Path) -> None:
    """Write the rungs of a ladder, and which stage explains most of the gap to the published number."""
    metrics, test_set = read_metrics(metrics_paths), settings["test_set"]
    cell, systems = from_settings(settings["cell"]), [rung["systems"] for rung in settings["rungs"]]
    values = [exact(mean_over_seeds(metrics, test_set, each, cell.measure)) for each in systems]
    found = verdict(float(values[-1]), cell, metrics[test_set, systems[-1][0]], sampled=settings["sampled"])
    rungs = climbed([rung["stage"] for rung in settings["rungs"]], [*map(name_over_seeds, systems)], values)
    end = Rung(PUBLISHED, f"{PUBLISHED}: {cell.source}, {cell.table}", "", cell.value, end_step(found))
    title = f"{settings['title']}: {printed_measure(cell.measure)} on {test_set}"
    headers = [("rung", "system"), ("value", "difference to the rung before")]
    labels = [(rung.label, rung.system or NOTHING) for rung in [*rungs, end]]
    texts = [four_decimals(value) for value in values] + [short(str(cell.value))]
    cells = [[(text, False), (signed(rung.step), False)] for text, rung in zip(texts, [*rungs, end], strict=True)]
    with atomic_path(csv_path) as path:
        pd.DataFrame(map(csv_row, [*rungs, end])).to_csv(path, index=False)
    with atomic_path(md_path) as path:
        path.write_text(markdown(title, labels, headers, cells, [*notes(rungs, cell, found)]), encoding="utf-8")


def climbed(stages: list[str | None], systems: list[str], values: list[Decimal]) -> list[Rung]:
    """The rungs from ours on, each with its difference to the one before."""
    befores = [None, *values]
    return [
        Rung(stage, RUNGS[stage], system, value, None if before is None else value - before)
        for stage, system, value, before in zip(stages, systems, values, befores, strict=False)
    ]


def end_step(found: Verdict) -> Decimal | None:
    """From the last rung to the published number; nothing where they are not comparable."""
    return None if found.difference is None else -found.difference


def csv_row(rung: Rung) -> dict:
    """One line of the CSV."""
    return {"rung": rung.stage or OURS, "system": rung.system, "value": rung.value, "difference": rung.step}


def notes(rungs: list[Rung], cell: Cell, found: Verdict) -> Iterator[str]:
    """What explains the gap, and what makes the published number none to compare with."""
    steps = {rung.stage: rung.step for rung in rungs if rung.stage}
    if found.difference is None:
        yield f"The published number is not comparable: {found.reason}."
        yield explanation(steps, "the last rung", cell.tolerance)
    else:
        yield f"The last rung is {found.word} (tolerance ±{short(str(cell.tolerance))})."
        yield explanation({**steps, PUBLISHED: end_step(found)}, "the published number", cell.tolerance)
    if cell.note:
        yield f"Published: {cell.note}."


def explanation(steps: dict[str, Decimal], end: str, tolerance: Decimal) -> str:
    """Which step explains most of the gap between ours and the end; steps against it are named."""
    gap = sum(steps.values(), Decimal(0))
    if abs(gap) <= tolerance:
        return f"From ours to {end} it is {signed(gap)}, within ±{short(str(tolerance))}: there is no gap to explain."
    stage, step = max(steps.items(), key=lambda item: item[1] / gap)
    part = "Most" if step / gap > Decimal("0.5") else "The largest part"
    against = [f"{STAGES[name]} ({signed(other)})" for name, other in steps.items() if other / gap < 0]
    but = f" The other way go: {', '.join(against)}." if against else ""
    said = f"{part} of it, {signed(step)} ({step / gap:.0%}), comes with {STAGES[stage]}."
    return f"From ours to {end} it is {signed(gap)}. {said}{but}"
