"""Where a model comes from: a Python package that ships one, a folder, or a hub's repository; words from a file."""

from pathlib import Path

PACKAGE_PREFIX = "package:"
WORDS_PREFIX = "words:"


def is_hub_id(weights: str) -> bool:
    """Whether this is `owner/name` or `name` on a hub: no package, no words, no folder, whether it is there or not."""
    is_path = weights.startswith((".", "/", "~")) or weights.count("/") > 1 or Path(weights).is_dir()
    return not is_path and not weights.startswith((PACKAGE_PREFIX, WORDS_PREFIX))
