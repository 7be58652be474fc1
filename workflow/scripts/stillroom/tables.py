"""Tables of measures: a row per system, a column per test set and measure; as CSV, Markdown, LaTeX and HTML.

What has not been measured yet is blank, and a note names the files that are to be made.
"""

import logging
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from stillroom.column_means import Column, column_value, columns_of, group_notes
from stillroom.config import labels_of, systems_of
from stillroom.files import atomic_path, read_json
from stillroom.html_tables import Column as Header
from stillroom.html_tables import Number, page
from stillroom.latex_tables import latex
from stillroom.measures import parse_measure
from stillroom.seed_lines import EACH, Line, lines_of, with_more
from stillroom.significance import holm, paired_t_test

logger = logging.getLogger(__name__)

NOTHING = "–"
SIGNIFICANT = 0.05
SEEN_MARK = "†"
SEEN_NOTE = f"{SEEN_MARK} The encoder has seen text of this kind in its own pre-training: not a zero-shot result."
SAMPLE_NOTE = (
    "Searched in a sample of the passages: measures are higher than on all of them, and none is comparable with a "
    "published one."
)
Metrics = dict[tuple[str, str], dict]  # (test set, system) → the content of its metrics file, and its `path`
Headers = list[Sequence[str]]  # of the labels, of the numbers
Row = tuple[str, tuple[str, ...]]  # (system, labels)
Cells = list[list[tuple[str, bool]]]  # rows of numbers as printed, and whether each is the best of its column
Traces = list[list[dict]]  # of rows of numbers: what html_tables.Number knows of each beside text and value


def make_table(
    *,
    settings: dict,
    metrics_paths: list[str],
    csv_path: str | Path,
    md_path: str | Path,
    tex_path: str | Path,
    html_path: str | Path,
) -> None:
    """Write a table of the config: its rows, and below which of its expectations hold.

    The CSV starts with the column `system`, as in the paths; its other columns are `<test set> <measure>`.
    """
    metrics = read_metrics(metrics_paths)
    columns = columns_of(settings)
    by_row = table_lines(settings, metrics, columns)
    lines = [line for row in by_row for line in row]
    values = np.array([line.values for line in lines])
    printed = [f"{column.name} {printed_measure(column.measure)}" for column in columns]
    cells = marked(values, printed, np.array([line.competes for line in lines]), nothing="")
    row_places = [place for place, row in enumerate(by_row) for _ in row]
    write_table(
        title=settings["title"],
        rows=[(line.system, line.labels) for line in lines],
        headers=[f"{column.name} {column.measure}" for column in columns],
        printed=printed,
        values=values,
        notes=[*table_notes(settings, metrics, missing_metrics(metrics_paths), md_path)],
        paths=(csv_path, md_path, tex_path, html_path),
        cells=seen_cells(cells, row_places, columns, settings["seen_apart"]),
        label_headers=settings["label_columns"],
        traces=[[line_trace(line, column, metrics) for column in columns] for line in lines],
    )


def table_notes(settings: dict, metrics: Metrics, missing: dict, target: str | Path) -> Iterable[str]:
    """What the numbers are over, what has not been measured yet, and which expectations hold."""
    counts = {test_set: queries_of(metrics, test_set) for test_set in settings["test_sets"]}
    if any(counts.values()):
        yield f"Queries: {', '.join(f'{test_set} {count:,}' for test_set, count in counts.items() if count)}."
    rows = [(labels, systems) for labels, systems in systems_of_rows(settings)]
    yield from missing_notes(
        [(labels, [(test_set, system) for test_set in counts for system in systems]) for labels, systems in rows],
        missing,
        target,
    )
    yield from group_notes(settings)
    if settings["sampled"]:
        yield SAMPLE_NOTE
    if settings["seen"] or settings["seen_apart"]:
        yield SEEN_NOTE
    yield from seeds_notes(settings)
    yield from expectation_notes(settings, metrics)


def read_metrics(paths: Iterable[str]) -> Metrics:
    """The metrics files that are there, by test set and system."""
    contents = [{**read_json(path), "path": str(path)} for path in paths if Path(path).exists()]
    return {(content["test_set"], content["system"]): content for content in contents}


def missing_metrics(paths: Iterable[str]) -> dict[tuple[str, str], str]:
    """The paths of metrics files that are not there, by test set and system: `…/metrics/<test set>/<system>.json`."""
    names = {str(path): str(path).rpartition("/metrics/")[2] for path in paths if not Path(path).exists()}
    return {tuple(name.removesuffix(".json").split("/", 1)): path for path, name in names.items()}


def missing_notes(
    rows: list[tuple[Sequence[str], list[tuple[str, str]]]], missing: dict, target: str | Path
) -> Iterable[str]:
    """A sentence per row of which something is not there, with its files; one for a table of which nothing is.

    A row is its labels and the (test set, system) of all that is measured for it.
    """
    if rows and all(key in missing for _, keys in rows for key in keys):
        yield f"Nothing of this table has been measured yet; the target {target} makes all of it."
        return
    for labels, keys in rows:
        if files := dict.fromkeys(missing[key] for key in keys if key in missing):
            named = ", ".join(label for label in labels if label != NOTHING)
            yield f"Not measured yet: {named}, which the target{'s' * (len(files) > 1)} {', '.join(files)} will bring."


def line_trace(line: Line, column: Column, metrics: Metrics) -> dict:
    """The files and the measure of a cell, if they are there; a deviation is no measure."""
    keys = [(test_set, system) for test_set in column.in_order for system in line.of]
    if not all(key in metrics for key in keys):
        return {}
    measure = notation(column.measure, [metrics[key] for key in keys]) if line.is_mean else ""
    return {"sources": tuple(metrics[key]["path"] for key in keys), "measure": measure}


def notation(measure: str, contents: Iterable[dict]) -> str:
    """The measure as ir_measures writes it, with the grades that count as relevant; several, where these differ."""
    grades = sorted({content["min_relevance"] for content in contents})
    return " ".join(dict.fromkeys(str(parse_measure(measure, grade)) for grade in grades))


def table_lines(settings: dict, metrics: Metrics, columns: list[Column]) -> list[list[Line]]:
    """The lines of each row of a table, with the values of its columns."""

    def values_of(system: str) -> np.ndarray:
        return np.array([value_of(column, system) for column in columns])

    def value_of(column: Column, system: str) -> float:
        means = {test_set: mean_of(metrics, test_set, system, column.measure) for test_set in column.test_sets}
        return column_value(column, means)

    rows, how = systems_of_rows(settings), settings["over_seeds"]
    return [lines_of(labels, systems, how, values_of) for labels, systems in rows]


def seen_cells(cells: Cells, row_places: list[int], columns: list[Column], seen_apart: dict[str, list[int]]) -> Cells:
    """The cells with a mark where a row's encoder has seen text of this kind, but not of all of the table's kinds."""

    def with_mark(text: str, place: int, column: Column) -> str:
        is_seen = any(place in seen_apart.get(test_set, []) for test_set in column.test_sets)
        return f"{text} {SEEN_MARK}" if is_seen and text else text

    return [
        [(with_mark(text, place, column), best) for (text, best), column in zip(row, columns, strict=True)]
        for row, place in zip(cells, row_places, strict=True)
    ]


def system_rows(settings: dict) -> list[Row]:
    """(system, labels) of every system: a ranker's row has one per seed."""
    return [
        (system, with_more(labels, f"seed {seed}") if len(systems) > 1 else labels)
        for labels, systems in systems_of_rows(settings)
        for system, seed in systems.items()
    ]


def systems_of_rows(settings: dict) -> list[tuple[tuple[str, ...], dict[str, int | None]]]:
    """Per row its labels, of which those of marked encoders carry the mark, and its systems, each with its seed."""
    rows = []
    for place, row in enumerate(settings["rows"]):
        first, *others = labels_of(row)
        labels = (f"{first} {SEEN_MARK}" if place in settings["seen"] else first, *others)
        seeds = settings["seeds"].get(row.get("ranker"), [None])
        rows.append((labels, dict(zip(systems_of(row, settings["seeds"]), seeds, strict=True))))
    return rows


def seeds_notes(settings: dict) -> list[str]:
    """Which lines are means over seeds, where the table has such lines."""
    if settings["over_seeds"] == EACH:
        return []
    rows = [(labels_of(row), settings["seeds"].get(row.get("ranker"), [])) for row in settings["rows"]]
    named = [f"{', '.join(labels)} (seeds {', '.join(map(str, seeds))})" for labels, seeds in rows if len(seeds) > 1]
    return [f"Means over seeds: {'; '.join(named)}."] if named else []


def mean_of(metrics: Metrics, test_set: str, system: str, measure: str) -> float:
    """The mean of a measure over the queries of a test set; not a number where it has not been measured."""
    if (test_set, system) not in metrics:
        return float("nan")
    return metrics[test_set, system]["measures"][measure]["mean"]


def queries_of(metrics: Metrics, test_set: str) -> int:
    """The number of queries that the means of a test set are over; 0 where nothing has been measured."""
    return next((content["queries"] for (name, _), content in metrics.items() if name == test_set), 0)


def expectation_notes(settings: dict, metrics: Metrics) -> list[str]:
    """A line per expectation: per test set whether it holds, with both means and a p-value; and what p-values are."""
    compared = [comparisons(expectation, settings, metrics) for expectation in settings["expectations"]]
    corrected = iter(holm([p_value for each in compared for *_, p_value in each]))
    notes = []
    for expectation, each in zip(settings["expectations"], compared, strict=True):
        names = [name_of(expectation[side], settings) for side in ("better", "than")]
        measure, results = expectation["measure"], []
        for test_set, one, other, _ in each:
            results.append(f"{test_set} {verdict(one, other, next(corrected))}")
            if one <= other:
                logger.warning("expectation does not hold on %s: %s above %s in %s", test_set, *names, measure)
        said = "; ".join(results) or "not measured yet"
        notes.append(f"Expected: {names[0]} above {names[1]} in {printed_measure(measure)}: {said}.")
    if count := sum(map(len, compared)):
        corrected_for = f", corrected for the {count} of this table (Holm)" if count > 1 else ""
        notes.append(f"p-values are of paired t-tests over queries{corrected_for}.")
    return notes


def comparisons(expectation: dict, settings: dict, metrics: Metrics) -> list[tuple[str, float, float, float]]:
    """(test set, mean of the better side, mean of the other, p-value) for each test set of an expectation.

    Left out are test sets on which a side has not been measured yet.
    """
    found = []
    for test_set in expectation["test_sets"] or settings["test_sets"]:
        sides = [expectation[side] for side in ("better", "than")]
        if not all((test_set, name) in metrics for side in sides for name in systems_of(side, settings["seeds"])):
            continue
        one, other = (side_values(metrics, test_set, side, expectation["measure"], settings["seeds"]) for side in sides)
        found.append((test_set, one.mean(), other.mean(), paired_t_test(one, other)))
    return found


def verdict(one: float, other: float, p_value: float) -> str:
    """Whether one mean is above the other, and by more than chance."""
    said = "DOES NOT HOLD" if one <= other else "holds" if p_value < SIGNIFICANT else "holds within noise"
    return f"{said} ({number(one)} to {number(other)}, {f'p = {p_value:.2f}' if p_value >= 0.01 else 'p < 0.01'})"


def name_of(side: dict, settings: dict) -> str:
    """What a side of an expectation is called: its own label, or those of its row."""
    system = systems_of(side, settings["seeds"])[0]
    label_of = {systems_of(row, settings["seeds"])[0]: labels_of(row) for row in settings["rows"]}
    named = [label for label in label_of.get(system, (system,)) if label != NOTHING]
    return side.get("label") or ", ".join(named)


def side_values(metrics: Metrics, test_set: str, side: dict, measure: str, seeds: dict) -> np.ndarray:
    """A measure by query, averaged over the seeds of each ranker, and then over the rankers."""
    each = [{"ranker": ranker, "way": side["way"]} for ranker in side["rankers"]] if "rankers" in side else [side]
    return np.mean([query_values(metrics, test_set, systems_of(one, seeds), measure) for one in each], axis=0)


def query_values(metrics: Metrics, test_set: str, systems: list[str], measure: str) -> np.ndarray:
    """A measure by query, in the order of the query ids, averaged over the seeds."""
    each = [metrics[test_set, system]["measures"][measure]["by_query"] for system in systems]
    return np.array([[values[query_id] for query_id in sorted(each[0])] for values in each]).mean(axis=0)


def printed_measure(measure: str) -> str:
    """The papers' names of ir_measures' measures: RR@10 is printed as MRR@10, R@1000 as Recall@1000."""
    name, at, cutoff = measure.partition("@")
    return {"RR": "MRR", "R": "Recall", "AP": "MAP", "Judged": "judged"}.get(name, name) + at + cutoff


def write_table(
    *,
    title: str,
    rows: list[Row],
    headers: list[str],
    printed: list[str],
    values: np.ndarray,
    notes: list[str],
    paths: tuple[str | Path, str | Path, str | Path, str | Path],
    cells: Cells | None = None,
    label_headers: Sequence[str] = ("system",),
    traces: Traces | None = None,
    column_queries: list[list[str]] | None = None,
    shown: list[str] | None = None,
) -> None:
    """Write (system, labels) rows with their values: CSV in full precision, the others with the best in bold.

    `cells` are what is printed where measures' three decimals will not do, `shown` the columns of the CSV that are, if
    not all. With several columns of labels Markdown and LaTeX print a label once for all rows of its group.
    `column_queries` are of columns about some queries only.
    """
    csv_path, md_path, tex_path, html_path = paths
    frame = pd.DataFrame(values, columns=headers)
    frame.insert(0, "system", [system for system, _ in rows])
    names = ["label"] if len(label_headers) == 1 else [f"label {header}" for header in label_headers]
    for place, name in enumerate(names):
        frame.insert(1 + place, name, [labels[place] for _, labels in rows])
    cells = marked(values, printed) if cells is None else cells
    shown_values = frame[headers if shown is None else shown].to_numpy().tolist()
    with atomic_path(csv_path) as path:
        frame.to_csv(path, index=False)
    write_pages(
        title=title,
        labels=[labels for _, labels in rows],
        headers=[label_headers, printed],
        cells=cells,
        notes=notes,
        paths=(md_path, tex_path, html_path),
        values=shown_values,
        traces=traces,
        column_queries=column_queries,
    )


def write_pages(
    *,
    title: str,
    labels: list[tuple[str, ...]],
    headers: Headers,
    cells: Cells,
    notes: list[str],
    paths: tuple[str | Path, str | Path, str | Path],
    values: list[list[float | None]],
    traces: Traces | None = None,
    column_queries: list[list[str]] | None = None,
) -> None:
    """Write a table for people: Markdown, LaTeX and HTML, of which only the last can be traced and sorted."""
    md_path, tex_path, html_path = paths
    with atomic_path(md_path) as path:
        path.write_text(markdown(title, without_repeats(labels), headers, cells, notes), encoding="utf-8")
    with atomic_path(tex_path) as path:
        path.write_text(latex(title, without_repeats(labels), headers, cells, notes), encoding="utf-8")
    traces = traces or [[{} for _ in row] for row in cells]
    numbers = [
        [Number(text, value, best, **trace) for (text, best), value, trace in zip(*row, strict=True)]
        for row in zip(cells, values, traces, strict=True)
    ]
    queries = column_queries or [[] for _ in headers[1]]
    columns = [Header(text, tuple(ids)) for text, ids in zip(headers[1], queries, strict=True)]
    lines, name = [*zip(labels, numbers, strict=True)], Path(html_path).stem
    with atomic_path(html_path) as path:
        text = page(name=name, title=title, labels=headers[0], columns=columns, lines=lines, notes=notes)
        path.write_text(text, encoding="utf-8")


def without_repeats(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The labels as printed: all but the last are blank where they are those of the row above."""
    printed = []
    for above, labels in pairwise([(), *rows]):
        repeats = [labels[: place + 1] == above[: place + 1] for place in range(len(labels) - 1)]
        blank = ["" if is_repeated else label for label, is_repeated in zip(labels, repeats, strict=False)]
        printed.append((*blank, labels[-1]))
    return printed


def markdown(title: str, labels: list[tuple[str, ...]], headers: Headers, cells: Cells, notes: list[str]) -> str:
    """A table that reads well as plain text too, and its notes as a list."""
    texts = [
        [*(label.replace("|", r"\|") for label in names), *bold(row)] for names, row in zip(labels, cells, strict=True)
    ]
    header, count = [*headers[0], *headers[1]], len(headers[0])
    widths = [max(len(row[place]) for row in [header, *texts]) for place in range(len(header))]
    lines = [
        "| " + " | ".join(align(cell, widths[place], place >= count) for place, cell in enumerate(row)) + " |"
        for row in [header, *texts]
    ]
    ends = ["-"] * count + [":"] * len(headers[1])
    rule = "|" + "|".join("-" * (width + 1) + end for width, end in zip(widths, ends, strict=True)) + "|"
    return "\n".join([f"### {title}", "", lines[0], rule, *lines[1:], "", *(f"- {note}" for note in notes)]) + "\n"


def marked(values: np.ndarray, printed: list[str], competes: np.ndarray | None = None, nothing: str = NOTHING) -> Cells:
    """The numbers as printed, and whether each is the best of its column (equal as printed counts).

    The share of judged passages is no contest, and only rows that compete take part in one.
    """
    competes = np.ones(len(values), dtype=bool) if competes is None else competes
    texts = [[number(value, nothing) for value in row] for row in values]
    best = [
        None if "judged" in name or np.isnan(column).all() else number(np.nanmax(column))
        for name, column in zip(printed, values[competes].T, strict=True)
    ]
    return [
        [(text, bool(takes_part) and text == best[place]) for place, text in enumerate(row)]
        for row, takes_part in zip(texts, competes, strict=True)
    ]


def bold(row: list[tuple[str, bool]]) -> list[str]:
    """The texts of a row for Markdown, the best ones marked."""
    return [f"**{text}**" if is_best else text for text, is_best in row]


def number(value: float, nothing: str = NOTHING) -> str:
    """Three decimals without a leading zero, as the papers print them; a dash where there is nothing."""
    return nothing if np.isnan(value) else f"{value:.3f}".replace("0.", ".", 1) if value < 1 else f"{value:.3f}"


def align(cell: str, width: int, is_number: bool) -> str:
    """Labels to the left, numbers to the right."""
    return cell.rjust(width) if is_number else cell.ljust(width)
