"""The documented public objects of installed libraries, read with `ast` and never imported."""

import ast
import importlib.metadata
import importlib.util
import itertools
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)


class Library(NamedTuple):
    """A library to read: the name it is imported by, and the name it is installed by."""

    name: str
    distribution: str


LIBRARIES = (
    Library("numpy", "numpy"),
    Library("scipy", "scipy"),
    Library("pandas", "pandas"),
    Library("sklearn", "scikit-learn"),
    Library("matplotlib", "matplotlib"),
    Library("torch", "torch"),
    Library("transformers", "transformers"),
)
# Tests, copies of other projects, and build tools that some wheels carry and others do not.
SKIPPED_FOLDERS = frozenset(
    {"tests", "testing", "test", "externals", "extern", "_vendor", "_lib", "distutils", "f2py", "__pycache__"}
)
# Written when a wheel is built, so they may differ between platforms.
SKIPPED_FILES = frozenset({"version.py", "_version.py", "__config__.py", "conftest.py", "testing_utils.py"})
# Folders whose names start with an underscore hold internals, except here: public functions live in them.
PUBLIC_IN_PRIVATE_FOLDERS = frozenset({"numpy", "scipy"})
# Transformers copies one model's code into the next by machine, with its docstrings.
COPIED_FILES = ("modeling_", "modular_")


class Documented(NamedTuple):
    """A public function, class or method with its docstring."""

    name: str  # qualified, without private modules: scipy.optimize.minimize
    library: str
    module: str  # public part of the module's name: scipy.optimize
    package: str  # public part of the name of the folder that holds the module
    owner: str | None  # qualified name of a method's class
    bases: tuple[str, ...]  # direct base classes of a method's class, by their last names
    docstring: str


def library_versions(libraries: tuple[Library, ...] = LIBRARIES) -> dict[str, str]:
    """Installed version of each library, by the name it is installed by.

    Without the part after "+", which tells how a wheel was compiled (2.13.0+cpu): docstrings do not differ.
    """
    versions = {}
    for library in libraries:
        try:
            installed = importlib.metadata.version(library.distribution)
        except importlib.metadata.PackageNotFoundError:
            raise ModuleNotFoundError(
                f"pydocs is made from the docstrings of {library.distribution}, which is not installed: "
                f"install the requirements of this workflow, or `pip install {library.distribution}`."
            ) from None
        versions[library.distribution] = installed.partition("+")[0]
    return versions


def library_folder(name: str) -> Path:
    """Where a library's source lies, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f"pydocs is made from the docstrings of {name}, whose source is not found: install {name} again."
        )
    return Path(next(iter(spec.submodule_search_locations)))


def read_documented(name: str, folder: Path) -> list[Documented]:
    """The documented public objects of one library, each name once, in the order of its sorted files.

    A public name that two modules define goes to the first; the second keeps its full, private name.
    """
    objects: dict[str, Documented] = {}
    unreadable = 0
    for path in source_files(name, folder):
        modules = (name, *path.relative_to(folder).with_suffix("").parts)
        try:
            tree = parse(path)
        except (SyntaxError, ValueError):  # ValueError: source code with null bytes
            unreadable += 1
            continue
        for found in documented_objects(tree, library=name, modules=modules):
            full_name = ".".join((*modules, found.name.removeprefix(found.module + ".")))
            name_left = full_name if found.name in objects else found.name
            objects.setdefault(name_left, found._replace(name=name_left))
    logger.info("read %s documented objects of %s (%s unreadable files)", f"{len(objects):,}", name, unreadable)
    return list(objects.values())


def source_files(name: str, folder: Path) -> list[Path]:
    """A library's Python files without tests, vendored, generated and copied code, sorted by their paths."""
    files = (path.relative_to(folder) for path in folder.rglob("*.py"))
    kept = (path for path in files if is_read(name, path))
    return [folder / path for path in sorted(kept, key=lambda path: path.as_posix())]


def is_read(name: str, path: Path) -> bool:
    """Whether a file, relative to its library's folder, can hold public objects written by hand."""
    folders, file = path.parts[:-1], path.name
    if SKIPPED_FOLDERS.intersection(folders) or file in SKIPPED_FILES or file.startswith("test_"):
        return False
    if name not in PUBLIC_IN_PRIVATE_FOLDERS and any(folder.startswith("_") for folder in folders):
        return False
    return not (name == "transformers" and file.startswith(COPIED_FILES))


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file; warnings about its string escapes are the library's concern, not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(path.read_bytes())


def documented_objects(tree: ast.Module, *, library: str, modules: tuple[str, ...]) -> Iterator[Documented]:
    """Functions, classes and methods of one module that are public and have a docstring."""
    module = public_name(modules)
    package = public_name(modules[:-1])
    for node in tree.body:
        if not is_public(node):
            continue
        name = f"{module}.{node.name}"
        yield from documented(node, name, library=library, module=module, package=package)
        if isinstance(node, ast.ClassDef):
            owner = {"owner": name, "bases": base_names(node)}
            for method in filter(is_public, node.body):
                method_name = f"{name}.{method.name}"
                yield from documented(method, method_name, library=library, module=module, package=package, **owner)


def documented(node: ast.AST, name: str, **where) -> Iterator[Documented]:
    """The object of one definition, if it has a docstring."""
    docstring = ast.get_docstring(node)
    if docstring:
        yield Documented(name=name, docstring=docstring, **({"owner": None, "bases": ()} | where))


def is_public(node: ast.AST) -> bool:
    """Whether a node defines a function or a class without a leading underscore."""
    is_definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return is_definition and not node.name.startswith("_")


def base_names(node: ast.ClassDef) -> tuple[str, ...]:
    """Last names of a class's direct bases, without `object`, which says nothing about kinship."""
    names = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]
    return tuple(name for name in names if name not in {"", "object", "ABC"})


def public_name(modules: tuple[str, ...]) -> str:
    """A dotted name up to its first private part: numpy.linalg._linalg becomes numpy.linalg."""
    return ".".join(itertools.takewhile(lambda part: not part.startswith("_"), modules))
