"""Write the packages of the running environment as a lock file: `lock.py <file> [--beyond <other lock file>]`."""

import argparse
import importlib.metadata
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lock", type=Path)
    parser.add_argument("--beyond", type=Path, help="leave out what this lock file has")
    options = parser.parse_args()
    known = set(options.beyond.read_text().splitlines()) if options.beyond else set()
    # a local part such as +cpu names a build, not a version
    pins = {f"{found.name}=={found.version.partition('+')[0]}" for found in importlib.metadata.distributions()}
    pins = {pin for pin in pins - known if not pin.startswith(("pip==", "setuptools==", "wheel=="))}
    lines = [f"# Written by `make lock` from {options.lock.with_suffix('.in').name}."]
    lines += [f"-r {options.beyond.name}"] if options.beyond else []
    options.lock.write_text("\n".join([*lines, *sorted(pins, key=str.lower)]) + "\n")


if __name__ == "__main__":
    main()
