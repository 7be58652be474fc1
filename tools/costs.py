"""What experiments have cost, from the benchmark file of each of their steps: hours, cores, memory, disk.

`python tools/costs.py results/pydocs …` prints a row of Markdown for each; `make readme` keeps docs/costs.md so.
"""

import csv
import sys
from pathlib import Path
from typing import NamedTuple

MEGABYTE, GIGABYTE, HOUR = 1_000_000, 1_000_000_000, 3600
MEBIBYTE = 1 << 20  # the unit of max_rss in benchmark files


class Step(NamedTuple):
    """One step: its name, when it began and ended (in seconds), seconds of all cores, bytes that it held at most."""

    name: str
    began: float
    ended: float
    cpu_seconds: float
    memory: float


def main() -> None:
    for folder in map(Path, sys.argv[1:]):
        print(row(folder))


def row(folder: Path) -> str:
    """What an experiment's folder has cost, as a row of the table in docs/costs.md."""
    steps = read_steps(folder)
    if not steps:
        raise SystemExit(f"{folder / 'benchmarks'}: no benchmark file here; run the experiment first.")
    longest, largest = max(steps, key=lambda step: step.ended - step.began), max(steps, key=lambda step: step.memory)
    cells = [
        f"`{folder.name}`",
        f"{len(steps)}",
        hours(busy_seconds(steps)),
        hours(sum(step.cpu_seconds for step in steps)),
        f"{longest.name}, {hours(longest.ended - longest.began)}",
        f"{largest.name}, {largest.memory / GIGABYTE:.1f} GB",
        size(bytes_in(folder)),
    ]
    return f"| {' | '.join(cells)} |"


def read_steps(folder: Path) -> list[Step]:
    """The steps that have a benchmark file, which is written when a step has ended."""
    return [read_step(path, folder / "benchmarks") for path in sorted((folder / "benchmarks").rglob("*.tsv"))]


def read_step(path: Path, folder: Path) -> Step:
    """One step; what was too short to be measured is `-` or `NA` in its file, and counts as nothing."""
    with open(path, newline="", encoding="utf-8") as file:
        *_, found = csv.DictReader(file, delimiter="\t")
    ended = path.stat().st_mtime
    name = str(path.relative_to(folder).with_suffix(""))
    return Step(name, ended - number(found["s"]), ended, number(found["cpu_time"]), MEBIBYTE * number(found["max_rss"]))


def number(text: str) -> float:
    """A measured number."""
    return 0.0 if text in ("-", "NA", "") else float(text)


def busy_seconds(steps: list[Step]) -> float:
    """How long some step ran: steps side by side count once, pauses between interrupted runs not at all."""
    total = until = 0.0
    for step in sorted(steps, key=lambda step: step.began):
        total += max(0.0, step.ended - max(step.began, until))
        until = max(until, step.ended)
    return total


def bytes_in(folder: Path) -> int:
    """The disk that a folder takes; a file with two names, as an exact index has, counts once."""
    files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum({(file.st_dev, file.st_ino): file.st_size for file in files}.values())


def hours(seconds: float) -> str:
    """`24 min`, `1.2 h`."""
    return f"{seconds / HOUR:.1f} h" if seconds >= HOUR else f"{seconds / 60:.0f} min"


def size(count: int) -> str:
    """`743 MB`, `1.2 GB`."""
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE else f"{count / MEGABYTE:.0f} MB"


if __name__ == "__main__":
    main()
