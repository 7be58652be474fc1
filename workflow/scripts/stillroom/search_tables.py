"""Tables of exact against approximate search: what is found, what it costs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from stillroom.config import labels_of
from stillroom.efficiency_tables import three_digits
from stillroom.files import read_json
from stillroom.runs import iter_rankings
from stillroom.tables import SAMPLE_NOTE, SEEN_MARK, SEEN_NOTE, number, printed_measure, write_table

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
) -> None:
    """Write a row per index; every list of paths is in the order of the rows. The CSV has bytes and milliseconds."""
    metrics, searches, builds = ([*map(read_json, paths)] for paths in (metrics_paths, search_paths, build_paths))
    reference = first_passages(reference_path, settings["recall_at"])
    recalls = [recall(first_passages(path, settings["recall_at"]), reference) for path in run_paths]
    shares = [
        [*(content["measures"][measure]["mean"] for measure in settings["measures"]), found]
        for content, found in zip(metrics, recalls, strict=True)
    ]
    costs = [
        {**build, **search, "index_bytes": file_bytes(folder), "queries_per_second": 1000 / search["milliseconds"]}
        for build, search, folder in zip(builds, searches, index_folders, strict=True)
    ]
    recall_name = f"recall@{settings['recall_at']}"
    write_table(
        title=settings["title"],
        rows=[(cost["system"], labels_of(row)) for cost, row in zip(costs, settings["rows"], strict=True)],
        headers=[*settings["measures"], recall_name, *COSTS],
        printed=[*map(printed_measure, settings["measures"]), f"{recall_name} of exact", *PRINTED_COSTS.values()],
        values=np.hstack([shares, [[cost[name] for name in COSTS] for cost in costs]]),
        cells=[printed_row(*both) for both in zip(shares, costs, strict=True)],
        notes=[*notes(settings, searches, builds)],
        paths=(csv_path, md_path, tex_path),
        label_headers=settings["label_columns"],
    )


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


def printed_row(shares: list[float], cost: dict) -> list[tuple[str, bool]]:
    """The cells of Markdown and LaTeX; none is in bold, because no way is best by one column."""
    costs = {**cost, "index_bytes": cost["index_bytes"] / MEGABYTE}
    return [(text, False) for text in [*map(number, shares), *(three_digits(costs[name]) for name in PRINTED_COSTS)]]


def notes(settings: dict, searches: list[dict], builds: list[dict]) -> Iterator[str]:
    """How the numbers came about; those of several machines are no comparison, and are named."""
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
