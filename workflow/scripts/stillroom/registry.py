"""Variants by name: the folder is the registry, one file per variant."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parent


def named(kind: str, name: str):
    """The variant `name` of a kind: `named("losses", "margin_mse")` is the function `margin_mse` of that file.

    `kind` is a folder of this package (architectures, losses, samplers). The object is called as its file is:
    a function in lower case, a class in camel case (`bert_dot` → `BertDot`).
    """
    module = module_of(kind, name)
    return getattr(module, name, None) or getattr(module, "".join(word.title() for word in name.split("_")))


def module_of(kind: str, name: str) -> ModuleType:
    """The file of a variant, imported."""
    legal = names(kind)
    if name not in legal:
        raise ValueError(f"{kind}: there is no {name!r}; there are {', '.join(legal)}.")
    return import_module(f"stillroom.{kind}.{name}")


def names(kind: str) -> list[str]:
    """The names of a kind's variants: its files that do not start with an underscore."""
    return sorted(file.stem for file in (PACKAGE / kind).glob("[!_]*.py"))
