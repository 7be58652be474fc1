"""Logging of one job: records to its log file and the terminal, progress lines with rate and time left."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from stillroom.machine import note_machine

logger = logging.getLogger(__name__)
Item = TypeVar("Item")

PROGRESS_SECONDS = 10.0


def start_log(path: str | Path) -> None:
    """Send log records to the file and to the terminal, and the traceback of a failure to the file.

    Without this, the log of a failed `script:` rule is an empty file. On the terminal a failure is the one
    sentence of its message; the traceback stays in the log. What the job runs on is noted beside it.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    note_machine(path)
    to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger()
    root.handlers = [to_file, to_terminal]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "urllib3", "sentence_transformers", "ir_datasets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)

    def log_failure(kind, error, trace):
        to_file.handle(logger.makeRecord(logger.name, logging.ERROR, "", 0, "failed", (), (kind, error, trace)))
        to_terminal.handle(logger.makeRecord(logger.name, logging.ERROR, "", 0, "%s: %s", (kind.__name__, error), None))

    sys.excepthook = log_failure


def progress(items: Iterable[Item], *, total: int, unit: str, start: int = 0) -> Iterator[Item]:
    """Yield the items, and log how many are done, the rate and the time left every ten seconds.

    `start` counts what an earlier, interrupted run had done: it is shown but does not enter the rate.
    """
    meter = ProgressMeter(total=total, unit=unit, start=start)
    for item in items:
        yield item
        meter.advance(1)
    meter.finish()


class ProgressMeter:
    """Counts units of work and logs a line every ten seconds: `encoded 1,024 of 4,000 passages (85/s, 35 s left)`."""

    def __init__(self, *, total: int, unit: str, start: int = 0):
        self.total, self.unit, self.start, self.done = total, unit, start, start
        self.began = self.logged = time.monotonic()

    def advance(self, count: int, note: str = "") -> None:
        """Add finished units; the note (a loss, say) is appended to the next line."""
        self.done += count
        now = time.monotonic()
        if now - self.logged >= PROGRESS_SECONDS:
            self.logged = now
            rate = (self.done - self.start) / (now - self.began)
            left = (self.total - self.done) / rate if rate else float("inf")
            logger.info(
                "%s of %s %s (%s/s, %s left)%s",
                f"{self.done:,}",
                f"{self.total:,}",
                self.unit,
                f"{rate:,.1f}",
                duration(left),
                f" {note}" if note else "",
            )

    def finish(self) -> None:
        """Log the total and the mean rate."""
        seconds = time.monotonic() - self.began
        rate = (self.done - self.start) / seconds if seconds else float("inf")
        logger.info("%s %s in %s (%s/s)", f"{self.done:,}", self.unit, duration(seconds), f"{rate:,.1f}")


def duration(seconds: float) -> str:
    """A span of time for people: `45 s`, `3 min 20 s`, `3 h 12 min`."""
    if seconds == float("inf"):
        return "unknown time"
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
