"""What the tests on a cluster share: a Slurm of one node, and copies of the project that run through it or beside."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROFILE = "profiles/slurm/config.yaml"

# What a small cluster without accounting needs, and what a test need not wait for.
ON_ONE_NODE = {
    "--profile": ["profiles/slurm"],
    "--max-threads": ["2"],
    "--slurm-status-command": ["squeue"],
    "--slurm-init-seconds-before-status-checks": ["2"],
    "--seconds-between-status-checks": ["2"],
    "--latency-wait": ["20"],
    "--retries": ["0"],
}


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="the default experiment, not a small cut of it: an hour")


def one_node_slurm():
    """The script beside this file, as a module."""
    spec = importlib.util.spec_from_file_location("one_node_slurm", HERE / "one_node_slurm.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def slurm():
    """A Slurm of one node."""
    script = one_node_slurm()
    if lacking := script.missing():
        pytest.skip(f"needs {lacking}; `make test-cluster` installs what it can")
    with script.running_slurm():
        yield


class Project:
    """A copy of the workflow with results of its own."""

    def __init__(self, folder: Path, config: Path):
        self.folder = folder
        for name in ("workflow", "profiles", "envs"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Snakefile", folder)
        shutil.copy(config, folder / "experiment.yaml")

    @property
    def results(self) -> Path:
        """The results of its experiment."""
        return next(path for path in (self.folder / "results").iterdir() if (path / "corpora").exists())

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run Snakemake in the folder; all that it says is in `stdout`."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        command = [sys.executable, "-m", "snakemake", "--configfile", "experiment.yaml", *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PATH": path, "IR_DATASETS_HOME": str(self.folder / "ir_datasets")},
            check=False,
        )

    def run_on_cluster(self, *targets: str, **changes: str | None) -> subprocess.CompletedProcess:
        """The same through Slurm; `changes` replaces options, `slurm_status_command="sacct"`, or drops them."""
        options = ON_ONE_NODE | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
        given = [part for name, value in options.items() if value is not None for part in (name, *value)]
        return self.run(*given, "--", *targets)

    def set_default_resource(self, name: str, value: str) -> None:
        """Edit the profile as its comments say: a line under default-resources."""
        path = self.folder / PROFILE
        before, after = path.read_text().split("default-resources:\n")
        path.write_text(f"{before}default-resources:\n  {name}: {value}\n{after}")


@pytest.fixture(scope="session")
def make_project(tmp_path_factory, slurm):
    """A function from a name to a new copy of the project, with the small experiment or another one."""

    def make(name: str, config: Path = HERE / "config.yaml") -> Project:
        return Project(tmp_path_factory.mktemp(name), config)

    return make


@pytest.fixture(scope="session")
def finished(request, make_project):
    """Two copies of the project, one that ran beside Slurm and one through it, and what Snakemake said there."""
    config = ROOT / "config.yaml" if request.config.getoption("--whole") else HERE / "config.yaml"
    alone, cluster = make_project("alone", config), make_project("cluster", config)
    done = alone.run("--cores", "2", "--", "all")
    assert done.returncode == 0, done.stdout[-3000:]
    done = cluster.run_on_cluster("all")
    assert done.returncode == 0, done.stdout[-3000:]
    return alone, cluster, done.stdout
