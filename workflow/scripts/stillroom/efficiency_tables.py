"""Tables of what rankers cost, after Hofstätter et al. 2020 (arXiv:2010.02666)."""

import json
from pathlib import Path

import numpy as np

from stillroom.tables import write_table

MILLION = 1_000_000
# Key of an efficiency file → (column of the CSV, printed column, unit in which both count)
COLUMNS = {
    "parameters": ("parameters", "parameters (M)", MILLION),
    "milliseconds": ("milliseconds", "ms per query", 1),
    "stored_bytes": ("stored_bytes", "kB per passage", 1_000),
    "peak_bytes": ("peak_bytes", "peak memory (MB)", MILLION),
}


def make_efficiency_table(
    *,
    settings: dict,
    efficiency_paths: list[str],
    csv_path: str | Path,
    md_path: str | Path,
    tex_path: str | Path,
) -> None:
    """Write a row per ranker; the CSV has full numbers: parameters, milliseconds, bytes.

    `efficiency_paths` are in the order of the rows.
    """
    found = [json.loads(Path(path).read_text(encoding="utf-8")) for path in efficiency_paths]
    values = np.array([[as_number(cost[key]) for key in COLUMNS] for cost in found])
    write_table(
        title=settings["title"],
        rows=[(row["ranker"], row["label"]) for row in settings["rows"]],
        headers=[header for header, _, _ in COLUMNS.values()],
        printed=[printed for _, printed, _ in COLUMNS.values()],
        values=values,
        notes=notes(found),
        paths=(csv_path, md_path, tex_path),
        units=[unit for _, _, unit in COLUMNS.values()],
        is_contest=False,
    )


def as_number(value: float | None) -> float:
    """nan where nothing is kept."""
    return np.nan if value is None else float(value)


def notes(found: list[dict]) -> list[str]:
    """How the numbers came about; rankers on several machines are no comparison."""
    machines = sorted({f"{cost['device']}, {cost['threads']} threads" for cost in found})
    candidates = sorted({round(cost["candidates"]) for cost in found})
    counts = " or ".join(f"{count:,}" for count in candidates)
    return [
        f"Re-ranking {counts} candidates of one query on {' and '.join(machines)}; what an architecture represents apart "
        "from the query is kept beforehand (kB per passage, float32), – where it keeps nothing.",
        "Peak memory is that of the whole process on a CPU, what was allocated on a GPU.",
    ]
