"""The lock files, the conda environment and the running environment agree."""

import importlib.metadata
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def pins(path: Path) -> dict[str, str]:
    lines = [line.strip() for line in path.read_text().splitlines()]
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_conda_environment_has_the_pins_of_the_lock_file():
    environment = yaml.safe_load((ROOT / "envs/stillroom.yaml").read_text())
    listed = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert dict(pin.split("==") for pin in listed) == pins(ROOT / "requirements.txt")


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_lock_file_has_all_that_is_asked_for(name):
    locked = {
        normalized(package): version
        for package, version in (pins(ROOT / "requirements.txt") | pins(ROOT / f"{name}.txt")).items()
    }
    for line in (ROOT / f"{name}.in").read_text().splitlines():
        if line and not line.startswith("#"):
            package, _, version = line.partition("==")
            assert version in ("", locked[normalized(package)]), line


def test_running_environment_has_the_locked_versions():
    locked = pins(ROOT / "requirements.txt")
    found = {name: importlib.metadata.version(name).partition("+")[0] for name in locked}
    different = {name: version for name, version in found.items() if version != locked[name]}
    if different:
        pytest.skip(f"not the locked environment: {different}")
    assert found == locked
