"""Tables of exact against approximate search: what is found, what it costs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from stillroom.config import labels_of
from stillroom.efficiency_tables import missing_cost_notes, three_digits
from stillroom.files import read_json
from stillroom.runs import iter_rankings
from stillroom.tables import NOTHING, SAMPLE_NOTE, SEEN_MARK, SEEN_NOTE, notation, number, printed_measure, write_table

COSTS = ["index_bytes", "build_seconds", "milliseconds", "queries_per_second"]
PRINTED_COSTS = {"index_bytes": "MB", "build_seconds": "build s", "queries_per_second": "queries/s"}
MEGABYTE = 1_000_000


def make_search_table(
    *,
    settings: dict,
    metrics_paths: list[str],
    run_paths: list[str],
    reference_path: str | Path,
    search_paths: list[str],
    build_paths: list[str],
    index_folders: list[str],
    csv_path: str | Path,
    md_path: str | Path,
    tex_path: str | Path,
    html_path: str | Path,
) -> None:
    """Write a row per index; every list of paths is in the order of the rows. The CSV has bytes and milliseconds.

    A row is blank until all of its files are there.
    """
    files = [*zip(metrics_paths, run_paths, search_paths, build_paths, index_folders, strict=True)]
    files = [(*paths, str(reference_path)) for paths in files]
    reference = first_passages(reference_path, settings["recall_at"]) if Path(reference_path).exists() else None
    found = [measured(paths, settings, reference) for paths in files]
    names = [*settings["measures"], recall_name := f"recall@{settings['recall_at']}", *COSTS]
    rows = settings["rows"]
    labels = [{"label": ", ".join(label for label in labels_of(row) if label != NOTHING)} for row in rows]
    costs = [row for row in found if row]
    write_table(
        title=settings["title"],
        rows=[(system_of(path), labels_of(row)) for path, row in zip(metrics_paths, rows, strict=True)],
        headers=names,
        printed=[*map(printed_measure, settings["measures"]), f"{recall_name} of exact", *PRINTED_COSTS.values()],
        values=np.array([[row.get(name, np.nan) for name in names] for row in found]),
        cells=[printed_row(row, names[: -len(COSTS)]) for row in found],
        notes=[*missing_cost_notes(labels, files, md_path), *(notes(settings, costs) if costs else [])],
        paths=(csv_path, md_path, tex_path, html_path),
        label_headers=settings["label_columns"],
        shown=[*names[: -len(COSTS)], *PRINTED_COSTS],
        traces=[row_traces(row, paths, settings["measures"]) for row, paths in zip(found, files, strict=True)],
    )


def measured(paths: tuple[str, ...], settings: dict, reference: pd.DataFrame | None) -> dict:
    """What an index finds and costs; nothing where some of the files is not there."""
    if not all(Path(path).exists() for path in paths):
        return {}
    metrics_path, run_path, search_path, build_path, index_folder, _ = paths
    metrics, search, build = (read_json(path) for path in (metrics_path, search_path, build_path))
    first = first_passages(run_path, settings["recall_at"])
    return {
        **{measure: metrics["measures"][measure]["mean"] for measure in settings["measures"]},
        f"recall@{settings['recall_at']}": recall(first, reference),
        "index_bytes": file_bytes(index_folder),
        "build_seconds": build["build_seconds"],
        "milliseconds": search["milliseconds"],
        "queries_per_second": 1000 / search["milliseconds"],
        "metrics": metrics,
        "search": search,
        "build": build,
    }


def system_of(metrics_path: str) -> str:
    """The system as in the paths: `…/metrics/<test set>/<system>.json`."""
    return metrics_path.rpartition("/metrics/")[2].partition("/")[2].removesuffix(".json")


def row_traces(row: dict, paths: tuple[str, ...], measures: list[str]) -> list[dict]:
    """The files that each number of a row is from, in the order of the printed columns, and their measure."""
    if not row:
        return [{} for _ in [*measures, "recall", *PRINTED_COSTS]]
    metrics, run, search, build, index, reference = paths
    of_measures = [{"sources": (metrics,), "measure": notation(name, [row["metrics"]])} for name in measures]
    return [*of_measures, *({"sources": files} for files in ((run, reference), (index,), (build,), (search,)))]


def first_passages(run_path: str | Path, depth: int) -> pd.DataFrame:
    """query_id and passage_id of the first lines of each query."""
    columns = ["query_id", "passage_id"]
    blocks = [lines.loc[lines["rank"] <= depth, columns] for lines in iter_rankings(run_path)]
    return pd.concat(blocks) if blocks else pd.DataFrame(columns=columns)


def recall(first: pd.DataFrame, expected: pd.DataFrame) -> float:
    """The share of the reference's first passages that are among the run's first ones, in the mean over its queries.

    What a run lacks, passages or whole queries, it has not found.
    """
    by_query = expected.merge(first.assign(found=1.0), how="left").fillna({"found": 0.0}).groupby("query_id")["found"]
    return float(by_query.mean().mean())


def file_bytes(index_folder: str | Path) -> int:
    """Bytes of an index's two files."""
    return sum((Path(index_folder) / name).stat().st_size for name in ("index", "docid"))


def printed_row(row: dict, shares: list[str]) -> list[tuple[str, bool]]:
    """The cells of a row but for those of the CSV; none is in bold, because no way is best by one column."""
    if not row:
        return [("", False) for _ in [*shares, *PRINTED_COSTS]]
    costs = {**row, "index_bytes": row["index_bytes"] / MEGABYTE}
    texts = [*(number(row[name]) for name in shares), *(three_digits(costs[name]) for name in PRINTED_COSTS)]
    return [(text, False) for text in texts]


def notes(settings: dict, rows: list[dict]) -> Iterator[str]:
    """How the numbers came about; those of several machines are no comparison, and are named."""
    searches, builds = [row["search"] for row in rows], [row["build"] for row in rows]
    depth, first = searches[0]["depth"], settings["recall_at"]
    yield (
        f"{', '.join(map(printed_measure, settings['measures']))}: on {settings['test_set']}. recall@{first} of exact: "
        f"the share of the first {first} passages of {settings['reference']} that are among the first {first}."
    )
    yield from dict.fromkeys(
        f"queries/s: 1 / the median time of {search['queries']} single queries after one for warming up, from the "
        f"vector of a query to its first {depth:,} passages, on {search['device']}, {in_threads(search['threads'])}."
        for search in searches
    )
    yield from dict.fromkeys(
        f"build s: from {build['passages']:,} vectors of {build['dimensions']:,} dimensions in memory to an index in "
        f"memory, on {build['device']}, {in_threads(build['threads'])} (graphs: 1). MB: the files of the index."
        for build in builds
    )
    if settings["sampled"]:
        yield SAMPLE_NOTE
    if settings["seen"]:
        yield SEEN_NOTE.removeprefix(f"{SEEN_MARK} ")


def in_threads(count: int) -> str:
    """`1 thread`, `2 threads`."""
    return f"{count} thread{'s' if count > 1 else ''}"
