"""Write the packages of the running environment as lock files; `make lock` calls it in a fresh environment."""

import argparse
import importlib.metadata
import platform
from pathlib import Path

NOT_LOCKED = {"pip", "setuptools", "wheel"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lock", type=Path, help="the lock file to write, in pip's format")
    parser.add_argument("--beyond", type=Path, help="leave out what this lock file has, and refer to it")
    parser.add_argument("--conda", type=Path, help="write the same pins as a conda environment too")
    options = parser.parse_args()
    pins = installed_pins()
    lines = [f"# Written by `make lock` from {options.lock.with_suffix('.in').name}."]
    if options.beyond:
        known = set(options.beyond.read_text().splitlines())
        pins = [pin for pin in pins if pin not in known]
        lines.append(f"-r {options.beyond.name}")
    options.lock.write_text("\n".join([*lines, *pins]) + "\n")
    if options.conda:
        options.conda.write_text(conda_environment(pins))


def installed_pins() -> list[str]:
    """`name==version` of every installed package; a local part such as +cpu names a build, not a version."""
    found = {(package.name, package.version.partition("+")[0]) for package in importlib.metadata.distributions()}
    return sorted((f"{name}=={version}" for name, version in found if name not in NOT_LOCKED), key=str.lower)


def conda_environment(pins: list[str]) -> str:
    """A conda environment that has pip install the pins: one lock for both worlds."""
    python = ".".join(platform.python_version_tuple()[:2])
    head = f"""# Written by `make lock`: the pins of requirements.txt.
name: stillroom
channels: [conda-forge, nodefaults]
dependencies:
  - python={python}
  - pip
  - pip:
"""
    return head + "".join(f"      - {pin}\n" for pin in pins)


if __name__ == "__main__":
    main()
