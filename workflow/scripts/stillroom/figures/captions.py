"""What figures are called and what is to be seen on them, in words: for screen readers, and for the report.

Each figure's words are made from what is drawn and stand in its SVG, where `read_caption` finds them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
NAMED = 6  # so many are named one by one, of more the first and the last


class Caption(NamedTuple):
    """The title of a figure, and a text that says what it shows."""

    title: str
    text: str


def read_caption(svg_path: str | Path) -> Caption:
    """The caption of a figure that was drawn."""
    found = {}
    for _, element in ElementTree.iterparse(svg_path):
        if element.tag in (f"{SVG}title", f"{SVG}desc"):
            found.setdefault(element.tag, element.text)
        if len(found) == 2:
            return Caption(found[f"{SVG}title"], found[f"{SVG}desc"])
    raise ValueError(f"{svg_path}: expected a title and a description; draw this figure again.")


def search_caption(title: str, recall_at: int, points: Sequence[tuple[str, float, float]]) -> Caption:
    """Of a search table: `points` are (label, queries per second, recall)."""
    text = f"Recall@{recall_at} of exact search over queries per second of {counted(len(points), 'way')} to search."
    if points:
        fastest, best = max(points, key=lambda point: point[1]), max(points, key=lambda point: point[2])
        text += (
            f" Fastest: {fastest[0]}, {fastest[1]:,.0f} queries per second, recall {share(fastest[2])}. Most is found "
            f"by {best[0]}: {best[1]:,.0f} queries per second, recall {share(best[2])}."
        )
    return Caption(title, text)


def costs_caption(
    title: str, measure: str, test_sets: Sequence[str], points: Sequence[tuple[str, float, float]]
) -> Caption:
    """Of an efficiency table: `points` are (architecture, milliseconds, effectiveness on the first test set)."""
    text = f"{measure} on {listed(test_sets)} over milliseconds for a query, a mark per ranker."
    if points:
        best = {}
        for label, milliseconds, value in points:
            best[label] = (milliseconds, max(value, best.get(label, (0, value))[1]))
        each = sorted((milliseconds, value, label) for label, (milliseconds, value) in best.items())
        said = [f"{label} {number(milliseconds)} ms, {share(value)}" for milliseconds, value, label in each]
        text += f" From fast to slow, with the best {measure} on {test_sets[0]}: {ends(said)}."
    return Caption(f"{title}: effectiveness against latency", text)


def scores_caption(teacher: str, gaps: Sequence[tuple[str, float]]) -> Caption:
    """Of a teacher and its students: `gaps` are (who, mean of relevant minus mean of other passages)."""
    said = [f"{who} {gap:.2f}" for who, gap in gaps]
    return Caption(
        f"Scores of the teacher {teacher} and its students",
        "Histograms of the scores of relevant and of other passages. The means of the two are apart by: "
        f"{'; '.join(said)}.",
    )


def training_caption(best: Sequence[tuple[str, float | None]]) -> Caption:
    """Of trainings: `best` are (who, highest nDCG@10 on validation queries, None without a validation)."""
    found = [(value, who) for who, value in best if value is not None]
    text = f"Training loss over steps of {counted(len(best), 'training')}, a panel per ranker"
    text += ", and nDCG@10 on validation queries." if found else "."
    if found:
        (low, lowest), (high, highest) = min(found), max(found)
        text += f" The best validation is {share(high)} ({highest})"
        text += f", the least good one {share(low)} ({lowest})." if len(found) > 1 else "."
    return Caption("Training curves", text)


def gains_caption(
    title: str, baseline: str, measure: str, test_set: str, counts: Sequence[tuple[str, int, int, int]]
) -> Caption:
    """Of systems against a baseline: `counts` are (system, queries that are better, equal, worse)."""
    said = [f"{who} better on {better:,}, equal on {same:,}, worse on {worse:,}" for who, better, same, worse in counts]
    queries = sum(counts[0][1:]) if counts else 0
    return Caption(
        f"{title}: gains and losses against {baseline}, {test_set}",
        f"The difference in {measure} to {baseline} on each of {counted(queries, 'query', 'queries')}, sorted from "
        f"gains to losses, a panel per system: {ends(said)}.",
    )


def margins_caption(teacher: str, batches: int, means: Sequence[tuple[str, float, float]]) -> Caption:
    """Of samplers: `means` are (sampler, mean margin, standard deviation)."""
    said = [f"{name} {mean:.2f} ± {deviation:.2f}" for name, mean, deviation in means]
    return Caption(
        f"Margins of {teacher} in random and balanced batches",
        "Histograms of the teacher's margins, the score of the relevant passage minus that of the other one, in "
        f"{batches} batches of each sampler; mean and standard deviation: {'; '.join(said)}.",
    )


def clusters_caption(clustering: str, largest: int, median: float, smallest: int, count: int) -> Caption:
    """Of a clustering: the numbers of queries in its clusters."""
    return Caption(
        f"Cluster sizes of {clustering}",
        f"Training queries in each of {counted(count, 'cluster')}, largest first: from {largest:,} to {smallest:,}, "
        f"median {median:,.0f}.",
    )


def rules_caption(rules: Sequence[str]) -> Caption:
    """Of the workflow: its rules, from the first to the last."""
    return Caption(
        "The rules of the workflow",
        f"{counted(len(rules), 'rule')}, from {rules[0]} at the top to {rules[-1]} at the bottom. An arrow leads from "
        "a rule to one that reads what it makes; arrows that follow from others or lead back are left out.",
    )


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def ends(said: Sequence[str]) -> str:
    """All of a few; of many the first and the last ones."""
    if len(said) > NAMED:
        return "; ".join([*said[: NAMED // 2], "…", *said[-NAMED // 2 :]])
    return "; ".join(said) or "none is there yet"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 rule`, `1,024 rules`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def share(value: float) -> str:
    """As tables print measures: three decimals, no leading zero."""
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def number(value: float) -> str:
    """At least three digits, all that stand before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
