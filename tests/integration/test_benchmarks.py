"""The benchmarks run: in small, and with outputs that agree."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"
STAGES = [
    "encode passages",
    "encode passages, of the chip's peak",
    "score pairs",
    "score triples",
    "train step",
    "exact search",
    "index BM25",
    "search BM25",
    "evaluate",
]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_measures_both_sides_and_compares_what_they_find(stage, tmp_path):
    command = [sys.executable, str(RUN), "--repetitions", "1", "--scale", "0.02", "--results", str(tmp_path)]
    done = subprocess.run([*command, "--stages", stage], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*.csv")
    with open(path, newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["stage"] == stage and float(row["ours"]) > 0 and float(row["ratio"]) > 0


def test_sizes_are_measured_one_after_the_other(tmp_path):
    command = [sys.executable, str(RUN), "--scale", "0.001", "--results", str(tmp_path), "--stages", "store", "tokens"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "store, 1,000 passages" in done.stdout and "| MB |" in done.stdout


def test_an_unknown_stage_stops_with_the_known_ones(tmp_path):
    done = subprocess.run([sys.executable, str(RUN), "--stages", "nonsense"], capture_output=True, text=True)
    assert done.returncode == 1 and "There is no stage nonsense; there are: encode passages, " in done.stderr
