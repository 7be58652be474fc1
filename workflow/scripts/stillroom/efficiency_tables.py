"""Tables of what rankers cost, after Hofstätter et al. 2020 (arXiv:2010.02666)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stillroom.files import read_json
from stillroom.tables import missing_notes, write_table

# (column of the CSV, printed column, how many of the CSV's units are one of the printed)
COLUMNS = [
    ("parameters", "parameters (M)", 1_000_000),
    ("milliseconds", "ms per query", 1),
    ("published_milliseconds", "published ms", 1),
    ("uncached_milliseconds", "ms, nothing kept", 1),
    ("stored_bytes", "kB per passage", 1_000),
    ("peak_bytes", "peak memory (MB)", 1_000_000),
]


def make_efficiency_table(
    *,
    settings: dict,
    efficiency_paths: list[str],
    index_folders: list[str],
    csv_path: str | Path,
    md_path: str | Path,
    tex_path: str | Path,
    html_path: str | Path,
) -> None:
    """Write a row per ranker; the CSV has full numbers: parameters, milliseconds, bytes.

    `efficiency_paths` are in the order of the rows, `index_folders` in that of the rows that name an index. What is not
    there yet is blank.
    """
    costs = [read_json(path) if Path(path).exists() else {} for path in efficiency_paths]
    indexes = iter(index_folders)
    folders = [next(indexes) if row["index"] else None for row in settings["rows"]]
    found = [row_values(*both) for both in zip(settings["rows"], costs, folders, strict=True)]
    columns = [column for column in COLUMNS if is_shown(column[0], settings["rows"])]
    values = np.array([[as_number(row.get(name)) for name, _, _ in columns] for row in found])
    units = np.array([unit for _, _, unit in columns])
    sources = [
        tuple(map(str, filter(None, both))) if cost else ()
        for cost, both in zip(costs, zip(efficiency_paths, folders, strict=True), strict=True)
    ]
    write_table(
        title=settings["title"],
        rows=[(system_of(path), (row["label"],)) for row, path in zip(settings["rows"], efficiency_paths, strict=True)],
        headers=[name for name, _, _ in columns],
        printed=[printed for _, printed, _ in columns],
        values=values,
        cells=[
            [("" if np.isnan(value) and not cost else three_digits(value), False) for value in row]
            for row, cost in zip(values / units, costs, strict=True)
        ],
        notes=[
            *missing_cost_notes(settings["rows"], [*zip(efficiency_paths, folders, strict=True)], md_path),
            *notes(settings, [cost for cost in costs if cost]),
        ],
        paths=(csv_path, md_path, tex_path, html_path),
        traces=[[{"sources": of_row} for _ in columns] for of_row in sources],
    )


def system_of(efficiency_path: str) -> str:
    """The system as in the paths: `…/efficiency/<test set>/<system>.json`."""
    return efficiency_path.rpartition("/efficiency/")[2].partition("/")[2].removesuffix(".json")


def missing_cost_notes(rows: list[dict], files: list[tuple[str, ...]], target: str | Path) -> Iterator[str]:
    """A sentence per row some of whose files are not there, or one for all; rows have labels, files may be None."""
    keyed = [((row["label"],), [("", path) for path in paths if path]) for row, paths in zip(rows, files, strict=True)]
    missing = {key: key[1] for _, keys in keyed for key in keys if not Path(key[1]).exists()}
    yield from missing_notes(keyed, missing, target)


def row_values(row: dict, cost: dict, index_folder: str | None) -> dict:
    """What was measured of a row's ranker, beside what is published and the size of its index, where it names one."""
    published = {"published_milliseconds": row["published_milliseconds"]}
    if not cost:
        return published
    stored = index_bytes(index_folder) if index_folder else cost["kept_bytes"]
    return {**cost, **published, "stored_bytes": stored}


def index_bytes(index_folder: str | Path) -> float | None:
    """Bytes per passage of an index's two files, `index` and `docid`, which has a line for each passage."""
    index, passage_ids = Path(index_folder) / "index", Path(index_folder) / "docid"
    if not Path(index_folder).exists():
        return None
    with open(passage_ids, "rb") as file:
        passages = sum(1 for _ in file)
    return (index.stat().st_size + passage_ids.stat().st_size) / passages


def is_shown(name: str, rows: list[dict]) -> bool:
    """All that is measured; what is published where some of it is."""
    return name != "published_milliseconds" or any(row[name] is not None for row in rows)


def as_number(value: float | None) -> float:
    """Not a number where nothing is kept, published or known."""
    return np.nan if value is None else float(value)


def three_digits(value: float) -> str:
    """At least three digits, all that stand before the point; a dash where there is nothing."""
    if np.isnan(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def median_of(queries: int) -> str:
    """How often was timed."""
    each = f"median over {queries} queries" if queries > 1 else "one query"
    return f"{each}, timed again for two seconds where it is quick, after a call for warming up"


def notes(settings: dict, costs: list[dict]) -> Iterator[str]:
    """How the numbers came about; those of several machines are no comparison, and are named."""
    yield from dict.fromkeys(
        f"Re-ranking {cost['passages']:,} passages of {settings['test_set']} for one query, from token ids to float32 "
        f"scores: {median_of(cost['queries'])}, on {cost['device']}, "
        f"{cost['threads']} thread{'s' if cost['threads'] > 1 else ''}."
        for cost in costs
    )
    yield (
        "ms per query: what is represented apart from the query was made before and kept in memory; "
        "ms, nothing kept: made for the query."
    )
    indexed = [f"{row['label']} ({row['index']})" for row in settings["rows"] if row["index"]]
    of_index = f"the files of the index for {', '.join(indexed)}; else " if indexed else ""
    yield f"kB per passage: {of_index}what is kept, in float32; – where nothing can be."
    yield (
        "Parameters with those of embeddings. Peak memory while re-ranking: allocated on a GPU, or by how much the "
        "process grew on a CPU since before the model was loaded."
    )
    if settings["source"]:
        yield f"Published: {settings['source']}."
