"""What is said below a published table: where its numbers are from, and what the verdicts rest on."""

from collections import Counter
from collections.abc import Iterator

from stillroom.paper_entries import EQUIVALENT, REPRODUCED, Entry, name_of
from stillroom.reproduction import NOT_MEASURED, short
from stillroom.tables import SIGNIFICANT, number, printed_measure
from stillroom.verdicts import NOT_COMPARABLE, VERDICTS, WITHIN

MARK = "*"


def table_notes(settings: dict, entries: list[Entry], uncompared: list[str]) -> Iterator[str]:
    """What the numbers and the verdicts mean, and why some have none."""
    yield from source_notes(entries)
    measured = [entry for entry in entries if entry.values]
    if counts := Counter(entry.verdict.word for entry in measured if entry.verdict != NOT_MEASURED):
        words = [word for word in (REPRODUCED, *VERDICTS) if counts[word]]
        silent = f"; without a word: {WITHIN}" if counts[WITHIN] else ""
        yield f"Verdicts: {', '.join(f'{word} {counts[word]}' for word in words)}{silent}."
    if tolerances := tolerance_notes(entries):
        yield f"Tolerances, fixed beforehand: {tolerances}."
    tested = [entry for entry in measured if entry.p_value is not None]
    if tested:
        baseline = name_of(next(row["labels"] for row in settings["rows"] if row["row"] == settings["baseline"]))
        yield (
            f"{MARK} Another than {baseline}: paired t-test over queries, p < {SIGNIFICANT} after correction for the "
            f"{len(tested)} of this table (Holm)."
        )
    if several := dict.fromkeys(
        (entry.line.name, len(entry.values)) for entry in measured if entry.deviation is not None
    ):
        each = [f"{name} ({count})" for name, count in several]
        yield f"Mean ± standard deviation over seeds: {', '.join(each)}."
    yield from comparison_notes(measured)
    if uncompared:
        yield f"Not called reproduced before the runs are compared: {', '.join(uncompared)}."
    yield from not_comparable_notes(measured)


def source_notes(entries: list[Entry]) -> Iterator[str]:
    """Where the published numbers are from, and how they were read."""
    cells = [entry.cell for entry in entries if entry.cell]
    sources = dict.fromkeys(f"{cell.source}, {cell.table}" for cell in cells)
    yield f"Published: {'; '.join(sources)}."
    for evidence, said in (("figure", "Read off a figure"), ("second-hand", "Known second-hand")):
        found = dict.fromkeys(cell.source for cell in cells if cell.evidence == evidence)
        if found:
            count = sum(cell.evidence == evidence for cell in cells)
            yield f"{said}: {', '.join(found)} ({count} of {len(cells)} numbers)."


def tolerance_notes(entries: list[Entry]) -> str:
    """How far what may be off."""
    tolerances: dict[str, dict[str, None]] = {}
    for entry in entries:
        if entry.cell and entry.verdict != NOT_MEASURED:
            where = f"{printed_measure(entry.measure)} on {entry.line.column}"
            tolerances.setdefault(short(str(entry.cell.tolerance)), {})[where] = None
    if len(tolerances) == 1:
        return f"±{next(iter(tolerances))}"
    return "; ".join(f"±{tolerance} ({', '.join(where)})" for tolerance, where in tolerances.items())


def comparison_notes(entries: list[Entry]) -> Iterator[str]:
    """How closely our runs are those of the publication's own system, row by row."""
    for line in dict.fromkeys(entry.line.row + entry.line.column for entry in entries if entry.comparison):
        own = [entry for entry in entries if entry.line.row + entry.line.column == line]
        name, column, found = own[0].line.name, own[0].line.column, own[0].comparison
        each = [compared_in_print(entry) for entry in own if entry.measure in found["measures"]]
        overlap, tau = number(found["rank_biased_overlap"]), number(found["tau_union"])
        yield (
            f"{name} on {column} beside {found['reference']}: rank-biased overlap {overlap}, Kendall's τ union {tau} "
            f"(first {found['depth']} passages); {'; '.join(each)}."
        )


def compared_in_print(entry: Entry) -> str:
    """Of one measure the effect ratio, and whether the runs are equivalent by it."""
    found = entry.comparison["measures"][entry.measure]
    is_equivalent = found["equivalence_p"] < EQUIVALENT
    ratio = "" if found["effect_ratio"] is None else f"effect ratio {found['effect_ratio']:.2f}, "
    said = "equivalent" if is_equivalent else "not shown to be equivalent"
    margin, p_value = short(f"{found['margin']:g}"), found["equivalence_p"]
    p_value = f"p = {p_value:.2f}" if p_value >= 0.01 else "p < 0.01"
    return f"{printed_measure(entry.measure)} {ratio}{said} within ±{margin} (two one-sided t-tests, {p_value})"


def not_comparable_notes(entries: list[Entry]) -> Iterator[str]:
    """Why some numbers are not compared, each reason once."""
    reasons: dict[str, dict[str, None]] = {}
    for entry in entries:
        if entry.verdict.word == NOT_COMPARABLE:
            where = f"{entry.line.name} on {entry.line.column}"
            reasons.setdefault(entry.verdict.reason, {})[where] = None
    yield from (f"Not comparable: {'; '.join(where)}: {reason}." for reason, where in reasons.items())
