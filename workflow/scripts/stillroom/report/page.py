"""The page itself: tables, figures, queries and provenance in one file that loads nothing."""

import base64
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from stillroom.files import atomic_path, read_json
from stillroom.log import duration
from stillroom.report.data import packed
from stillroom.report.explorer import Explored, Explorer, explore
from stillroom.report.provenance import provenance
from stillroom.report.tables import read_figure, read_table

logger = logging.getLogger(__name__)


def make_report(
    *,
    settings: dict,
    steps: list[dict],
    tables: Sequence[str],
    figures: Sequence[str],
    metrics: Sequence[str],
    runs: Sequence[str],
    queries: Sequence[str],
    qrels: Sequence[str],
    passages: Sequence[str],
    template: str | Path,
    style: str | Path,
    scripts: Sequence[str | Path],
    report_path: str | Path,
) -> None:
    """Write the page of what has run.

    `runs` are in the order of `metrics`; `queries`, `qrels` and `passages` are those of the metrics' test sets in the
    order in which these appear.
    """
    if not (tables or figures or metrics):
        raise ValueError(
            f"{report_path}: nothing to report yet, expected a table, a figure or a measured run; the target all makes"
            " them, and the name of any file makes that file."
        )
    explored = explored_sets(settings["systems"], metrics, runs, (queries, qrels, passages))
    explorers = explore(explored, passages=settings["passages"], megabytes=settings["megabytes"])
    shown = [read_table(path) for path in tables]
    known = provenance([*metrics, *(source for table in shown for source in table.sources)], steps)
    text = render(
        template,
        style,
        scripts,
        experiment=settings["experiment"],
        summary=summary(explored),
        tables=shown,
        figures=[read_figure(path) for path in figures],
        explorers=explorers,
        depth=settings["passages"],
        known=known,
        provenance=packed(known),
        files=sorted({tuple(pair) for source in known["sources"].values() for pair in source["data"].values()}),
        costs=costs(known["totals"]),
    )
    with atomic_path(report_path) as path:
        path.write_text(text, encoding="utf-8")
    logger.info("%s: %s tables, %s figures, %.1f MB", report_path, len(shown), len(figures), len(text) / 1e6)


def explored_sets(
    labels: dict[str, str], metrics: Sequence[str], runs: Sequence[str], test_set_files: tuple[Sequence[str], ...]
) -> list[Explored]:
    """The test sets with their systems, in the order of the metrics; `labels` says what a system is called."""
    found: dict[str, list[tuple[dict, str, str]]] = {}
    for metrics_path, run_path in zip(metrics, runs, strict=True):
        content = read_json(metrics_path)
        system = {"system": content["system"], "label": labels[content["system"]]}
        found.setdefault(content["test_set"], []).append((system, metrics_path, run_path))
    return [
        Explored(test_set, *files, *map(list, zip(*lines, strict=True)))
        for (test_set, lines), *files in zip(found.items(), *test_set_files, strict=True)
    ]


def render(template: str | Path, style: str | Path, scripts: Sequence[str | Path], **content) -> str:
    """The page from its template; everything is escaped but the style, the scripts and the tables' markup."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    style_text = Path(style).read_text(encoding="utf-8")
    script_text = "\n".join(Path(script).read_text(encoding="utf-8") for script in scripts)
    return environment.from_string(Path(template).read_text(encoding="utf-8")).render(
        style=Markup(style_text),
        style_hash=content_hash(style_text),
        script=Markup(script_text),
        script_hash=content_hash(script_text),
        capped=capped,
        number=number_cell,
        **content,
    )


def content_hash(text: str) -> str:
    """What a content security policy calls an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def number_cell(value: float | None, decimals: int) -> Markup:
    """A cell that can be sorted by its value; an empty one where there is none."""
    return Markup("<td></td>") if value is None else Markup(f'<td data-value="{value!r}">{value:,.{decimals}f}</td>')


def summary(explored: list[Explored]) -> str:
    """One sentence about what was measured on what."""
    if not explored:
        return "What has run so far."
    counts = [f"{each.name} ({pq.read_metadata(each.queries_path).num_rows:,} queries)" for each in explored]
    passages = {path: pq.read_metadata(path).num_rows for each in explored for path in [each.passages_path]}
    systems = {system["system"] for each in explored for system in each.systems}
    searched = " and ".join(f"{rows:,}" for rows in passages.values())
    return f"{len(systems)} systems on {', '.join(counts)}; {searched} passages."


def capped(explorer: Explorer) -> str:
    """How many queries are in the page, and which."""
    if explorer.shown == explorer.queries:
        return f"All {explorer.queries:,} queries."
    return (
        f"{explorer.shown:,} of {explorer.queries:,} queries, so that the page stays small: in turn one where the"
        " systems differ most and one that is drawn by chance."
    )


def costs(totals: dict) -> str:
    """One sentence about what it took."""
    if not totals["timed"]:
        return "How long the steps took was not recorded."
    gpu_hours = totals["gpu_hours"]
    on_gpus = "GPU-hours were not recorded" if gpu_hours is None else f"{gpu_hours:,.2f} GPU-hours"
    return (
        f"The steps behind these numbers took {duration(totals['seconds'])} one after the other"
        f" ({totals['timed']} of {totals['steps']} were timed), {totals['gigabytes']:,.1f} GB of memory at most, and"
        f" {on_gpus}."
    )
