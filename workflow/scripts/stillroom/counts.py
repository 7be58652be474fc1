"""Small reports: what was counted, of how many."""

import logging
from pathlib import Path

import pandas as pd

from stillroom.files import atomic_path

logger = logging.getLogger(__name__)


def write_counts(rows: list[tuple[str, int, int]], path: str | Path) -> None:
    """Log and write rows of (check, count, of)."""
    for check, count, of in rows:
        logger.info("%s: %s of %s", check, f"{count:,}", f"{of:,}")
    with atomic_path(path) as unfinished:
        pd.DataFrame(rows, columns=["check", "count", "of"]).to_csv(unfinished, index=False)
