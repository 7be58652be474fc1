"""What dry runs share: a copy of the project, what Snakemake would do in it, and a copy in which all is done."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COPIED = ["Snakefile", "config.yaml", "experiments", "profiles", "envs", "workflow"]

# One job of a dry run: `rule measure:` or `localrule all:`, then one indented line for each thing to say.
JOB = re.compile(r"^(?:local)?rule (?P<rule>\w+):\n(?P<lines>(?:    .*\n)*)", re.MULTILINE)
JOB_COUNT = re.compile(r"^total +(\d+)$", re.MULTILINE)


class Job(NamedTuple):
    """A job that would run: its wildcards (`{"ranker": "tas_b", "seed": "1"}`) and Snakemake's reason."""

    rule: str
    wildcards: dict[str, str]
    reason: str


class Plan(NamedTuple):
    """What a dry run says."""

    jobs: list[Job]
    text: str

    @property
    def rules(self) -> dict[str, int]:
        """Rule → number of jobs."""
        return dict(Counter(job.rule for job in self.jobs))

    @property
    def trained(self) -> list[str]:
        """The rankers to be trained, as `tas_b/seed-1`."""
        return sorted(f"{job['ranker']}/seed-{job['seed']}" for job in self.wildcards("train_ranker"))

    def wildcards(self, rule: str) -> list[dict[str, str]]:
        """The wildcards of a rule's jobs."""
        return [job.wildcards for job in self.jobs if job.rule == rule]

    def changed(self) -> dict[str, int]:
        """Rule → number of jobs that run because their own parameters changed, not because an input will be new."""
        return dict(Counter(job.rule for job in self.jobs if "Params have changed" in job.reason))


class Result(NamedTuple):
    """The exit status of Snakemake and all that it printed: some errors arrive on stdout."""

    status: int
    text: str


class Project:
    """A folder with the workflow in it."""

    def __init__(self, folder: Path):
        self.folder = folder

    def snakemake(self, *arguments: str) -> Result:
        """Run Snakemake in the folder."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE_")}
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout + done.stderr)

    def plan(self, *arguments: str) -> Plan:
        """What would run."""
        status, text = self.snakemake("--dry-run", *arguments)
        assert status == 0, text
        jobs = [read_job(found) for found in JOB.finditer(text)]
        counts = [int(count) for count in JOB_COUNT.findall(text)]
        assert set(counts) <= {len(jobs)}, text
        assert jobs or "Nothing to be done" in text, text
        return Plan(jobs, text)

    def finish(self, target: str = "all") -> None:
        """Make every output of a target a file with its name in it, and record it as made.

        `--touch` records the same parameters, inputs and code as a real run does.
        """
        summary = self.snakemake("--dry-run", "--summary", "--", target).text
        rows = [line.split("\t") for line in summary.splitlines() if line.startswith("results/")]
        for output, _, rule, *_ in rows:
            path = self.folder / output
            folder = path if rule in ("index_bm25", "build_index") else path.parent  # the outputs that are folders
            folder.mkdir(parents=True, exist_ok=True)
            if folder != path:
                path.write_text(output)
        status, text = self.snakemake("--touch", "--forceall", "--cores", "8", "--", target)
        assert rows and status == 0, summary + text

    def configure(self, changes: dict[str, object], file: str = "config.yaml") -> None:
        """Set keys of a config file: {"rankers.tas_b.loss": "ranknet"}."""
        config = self.config(file)
        for path, value in changes.items():
            *blocks, key = path.split(".")
            block = config
            for name in blocks:
                block = block[int(name) if isinstance(block, list) else name]
            block[key] = value
        self.write(file, yaml.safe_dump(config, sort_keys=False))

    def config(self, file: str = "config.yaml") -> dict:
        """A config file as it is written, without defaults."""
        return yaml.safe_load(self.read(file))

    def read(self, file: str) -> str:
        return (self.folder / file).read_text(encoding="utf-8")

    def write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text, encoding="utf-8")

    def append(self, file: str, line: str) -> None:
        """Add a line at the end of a file."""
        self.write(file, f"{self.read(file)}\n{line}\n")

    def library(self, module: str) -> str:
        """The file of a module of the library: "losses/margin_mse"."""
        return f"workflow/scripts/stillroom/{module}.py"


def read_job(found: re.Match) -> Job:
    """One job of a dry run's text."""
    lines = dict(line.strip().partition(": ")[::2] for line in found["lines"].splitlines())
    wildcards = dict(part.split("=", 1) for part in lines.get("wildcards", "").split(", ") if part)
    return Job(found["rule"], wildcards, lines.get("reason", ""))


def copy_project(source: Path, folder: Path, parts: Iterable[str]) -> Project:
    """Copy parts of a project with their times: Snakemake compares them."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        if (source / part).is_dir():
            shutil.copytree(source / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source / part, folder / part)
    return Project(folder)


@pytest.fixture
def project(tmp_path):
    """The project, nothing made yet."""
    return copy_project(ROOT, tmp_path / "project", COPIED)


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory):
    """The project with all of `config.yaml` made, for copies only."""
    project = copy_project(ROOT, tmp_path_factory.mktemp("finished") / "project", COPIED)
    project.finish()
    return project


@pytest.fixture
def finished(finished_once, tmp_path):
    """The project with all of `config.yaml` made."""
    return copy_project(finished_once.folder, tmp_path / "finished", [*COPIED, "results", ".snakemake"])
