"""The config's files as they are written, which cannot be seen once Snakemake has read and merged them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from stillroom.config_schema import LOADER, config_error


def check_keys_once(paths: Iterable[str | Path]) -> None:
    """No block of a file has a key twice: YAML would keep the last one and say nothing."""
    for path in map(Path, paths):
        for key_path, first, second in repeated_keys(yaml.compose(path.read_text(encoding="utf-8"), LOADER)):
            raise config_error(key_path, f"written twice, in lines {first} and {second} of {path.name}; take one out.")


def repeated_keys(node: yaml.Node | None, path: tuple = ()) -> Iterator[tuple[tuple, int, int]]:
    """(key path, line, later line) of every key that is in its block already."""
    if isinstance(node, yaml.MappingNode):
        lines = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in lines:
                yield (*path, key.value), lines[key.value], line
            lines[key.value] = line
            yield from repeated_keys(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for place, part in enumerate(node.value):
            yield from repeated_keys(part, (*path, place))
