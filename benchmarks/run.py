"""How fast this project is beside others, measured on this machine in one run: `make benchmark`.

Every measurement is a process of its own; ours and the peer's take turns, and medians count. Prints a table and writes
results/benchmarks/<machine>.csv. `--stages` measures only some, `--scale .1` with a tenth of the work.
"""

import argparse
import csv
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
MODULES = ("encoding", "pairs", "training", "searching", "bm25", "evaluation", "growth")


class Row(NamedTuple):
    """One line of the table; the ratio is ours to the peer's."""

    stage: str
    ours: float
    peer: float
    peer_name: str
    unit: str
    ratio: float


def main() -> None:
    options = read_options()
    names = {name: module for module in MODULES for name in import_module(f"stages.{module}").STAGES}
    if unknown := set(options.stages) - names.keys():
        raise SystemExit(f"There is no stage {', '.join(sorted(unknown))}; there are: {', '.join(names)}.")
    rows, path = [], options.results / f"{ask('machine')['name']}.csv"
    for name in options.stages or names:
        folder = options.results / "work" / slug(name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            found = measured_rows(name, names[name], folder, options)
        finally:
            shutil.rmtree(folder)
        for row in found:
            print(line(row), flush=True)
        write_rows(path, found)  # now: a later stage may fail
        rows += found
    print(f"\n{table(rows)}\n\nwritten: {path}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", default=[], help="names of stages; all if there are none")
    parser.add_argument("--repetitions", type=int, default=3, help="measurements of each side")
    parser.add_argument("--scale", type=float, default=1.0, help="factor of the amounts of work")
    folder = HERE.parent / "results" / "benchmarks"
    parser.add_argument("--results", type=Path, default=folder, help="folder of the table and of what is measured on")
    return parser.parse_args()


def measured_rows(name: str, module: str, folder: Path, options: argparse.Namespace) -> list[Row]:
    """The rows of one stage: `sides` that take turns, or `sizes` that each is compared with the one before."""
    stage = import_module(f"stages.{module}").STAGES[name]
    sides = stage.get("sizes", ["ours", "peer"])
    found = {side: [] for side in sides}
    ask(module, name, "prepare", folder, options.scale)
    for repetition in range(stage.get("repetitions", options.repetitions)):
        for side in sides[:: -1 if repetition % 2 else 1]:  # none is always first
            print(f"  {name}: {side}, {repetition + 1}", file=sys.stderr, flush=True)
            found[side].append(ask(module, name, side, folder, options.scale))
    if "sizes" in stage:
        return growth_rows(name, {size: each[0] for size, each in found.items()}, options.scale)
    ours, peer = (statistics.median(each["rate"] for each in found[side]) for side in sides)
    if (difference := ask(module, name, "difference", folder, options.scale)["difference"]) > stage["tolerance"]:
        raise SystemExit(f"{name}: ours and the peer's results differ by {difference:.1e}: not the same work.")
    return [Row(name, ours, peer, stage["peer_name"], stage["unit"], ours / peer)]


def growth_rows(name: str, found: dict[int, dict], scale: float) -> list[Row]:
    """Seconds and megabytes of every size but the first, beside those of the size before."""
    rows = []
    for smaller, larger in pairwise(found):
        for unit in ("s", "MB"):
            ours, peer = found[larger][unit], found[smaller][unit]
            stage = f"{name}, {round(larger * scale):,} passages"
            rows.append(Row(stage, ours, peer, f"{round(smaller * scale):,} passages", unit, ours / peer))
    return rows


def ask(*words) -> dict:
    """What a process of its own finds."""
    command = [sys.executable, str(HERE / "worker.py"), *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: failed; its messages stand above.")
    return json.loads(done.stdout.splitlines()[-1])


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write the rows; those of stages that were not measured now stay as they are."""
    now = {row.stage for row in rows}
    kept = []
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            kept = [row for row in csv.reader(file) if row[0] not in {*now, "stage"}]
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([Row._fields, *kept, *map(printed, rows)])


def printed(row: Row) -> list[str]:
    return [row.stage, short(row.ours), short(row.peer), row.peer_name, row.unit, f"{row.ratio:.3f}"]


def short(value: float) -> str:
    """Four digits, or all before the point."""
    return f"{value:.4g}" if value < 1_000 else f"{value:.0f}"


def line(row: Row) -> str:
    return f"{row.stage}: {short(row.ours)} {row.unit}, {row.peer_name} {short(row.peer)}, ratio {row.ratio:.2f}"


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    head = ["stage", "ours", "peer", "", "unit", "ratio"]
    lines = [head, ["---", "---:", "---:", "---", "---", "---:"], *map(printed, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def slug(name: str) -> str:
    """A name as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


if __name__ == "__main__":
    main()
