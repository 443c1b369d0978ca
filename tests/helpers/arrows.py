"""Imports of a package's files that go against the order of its folders, wherever in a file they stand."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from paths import ROOT

PACKAGES = ("simulators", "quant", "search", "mohaq")
"""The project's, each only importing those before it."""


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, also inside functions and for types alone."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def against_the_order(file: str, modules: Iterable[str], order: Sequence[str]) -> list[str]:
    """Imports of a file, `PACKAGE/FOLDER/…`, that lead to a later folder of its package, whose folders have this order,
    or to a package above it."""
    own, folder = file.split("/")[:2]
    wrong = []
    for module in modules:
        package, _, rest = module.partition(".")
        if package not in PACKAGES[PACKAGES.index(own) :]:
            continue
        target = rest.split(".")[0]
        # What the package itself offers comes from all of its folders.
        if package != own or target not in order or order.index(target) > order.index(folder):
            wrong.append(f"{file} imports {module}")
    return wrong


def files_of(package: str) -> list[str]:
    """The files in the folders of a package, from the root of the repository."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / package).glob("*/**/*.py"))
