"""A digest of the code that makes an output: Snakemake compares it as a parameter of the rule.

Snakemake sees an edit of a script but not of a module that it imports, and takes a reworded comment or a
fresh checkout for an edit. The digest is of syntax trees without comments, docstrings and formatting: it
changes exactly when the code does. Nothing is imported, only read. Syntax trees, and with them the digest,
change with Python's minor version.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

LEFT_OUT = {"stillroom.log"}  # how progress is shown changes no result
DIGEST_LETTERS = 16


def code_of_script(script_path: str | Path, library_folder: str | Path, modules: Iterable[str] = ()) -> str:
    """Digest of a script, of the library's modules that it imports directly or not, and of further modules.

    `library_folder` is the package's own folder. `modules` names what `stillroom.registry.named` loads, which
    no import statement shows: "losses.margin_mse".
    """
    return digest_of(Path(script_path), Path(library_folder), tuple(modules))


@cache  # hundreds of jobs have the same code
def digest_of(script_path: Path, library: Path, modules: tuple[str, ...]) -> str:
    """As `code_of_script`."""
    script, imported = read_code(script_path, "", library)
    wanted = {*imported, *(name for module in modules for name in with_packages(f"{library.name}.{module}"))}
    digests = modules_behind(wanted, library)
    everything = "\n".join([script, *(f"{name} {digests[name]}" for name in sorted(digests))])
    return hashlib.sha256(everything.encode()).hexdigest()[:DIGEST_LETTERS]


def modules_behind(wanted: Iterable[str], library: Path) -> dict[str, str]:
    """Module → digest of its normalised code, for the wanted modules and for all that they import."""
    digests, waiting = {}, set(wanted) - LEFT_OUT
    while waiting:
        module = waiting.pop()
        digests[module], imported = read_code(file_of(module, library), module, library)
        waiting |= imported - digests.keys() - LEFT_OUT
    return digests


@cache
def read_code(path: Path, module: str, library: Path) -> tuple[str, frozenset[str]]:
    """The digest of a file's normalised code, and the library's modules that it imports. A script's module is ""."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imported = set()
    for node in statements(tree):
        imported.update(imports_of(node, package, library))
        strip_docstring(node)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), frozenset(imported)


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """A module and every statement in it: no expression imports anything or has a docstring."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, block, [])
        yield node


def strip_docstring(node: ast.AST) -> None:
    """Take the docstring out of a module, a class or a function."""
    may_have_one = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    if may_have_one and ast.get_docstring(node, clean=False) is not None:
        del node.body[0]


def imports_of(node: ast.AST, package: str, library: Path) -> Iterator[str]:
    """The library's modules that one import statement loads, with the packages around them."""
    if isinstance(node, ast.Import):
        targets = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        source = absolute_name(node, package)
        submodules = (f"{source}.{alias.name}" for alias in node.names)
        targets = [source, *(name for name in submodules if is_module(name, library))]
    else:
        return
    for target in targets:
        if target.split(".")[0] == library.name:
            yield from with_packages(target)


def absolute_name(node: ast.ImportFrom, package: str) -> str:
    """The full name of what `from … import` reads, of a relative import as well."""
    if not node.level:
        return node.module
    parents = package.split(".")[: len(package.split(".")) - (node.level - 1)]
    return ".".join([*parents, node.module] if node.module else parents)


def with_packages(module: str) -> Iterator[str]:
    """`stillroom.losses.ranknet` loads `stillroom`, `stillroom.losses` and itself."""
    names = module.split(".")
    return (".".join(names[:count]) for count in range(1, len(names) + 1))


@cache
def is_module(module: str, library: Path) -> bool:
    """Whether the name is a module or a package of the library, rather than something defined in one."""
    return module.split(".")[0] == library.name and any(file.is_file() for file in candidates(module, library))


@cache
def file_of(module: str, library: Path) -> Path:
    """The file of a module or of a package."""
    for file in candidates(module, library):
        if file.is_file():
            return file
    raise FileNotFoundError(f"{library}: there is no module {module}, which the code imports.")


def candidates(module: str, library: Path) -> tuple[Path, Path]:
    """Where the file of a module, or of a package, is."""
    path = library.parent.joinpath(*module.split("."))
    return path.with_suffix(".py"), path / "__init__.py"
