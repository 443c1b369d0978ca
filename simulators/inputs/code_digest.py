"""What a result's code is, as a digest: results of other code are not found again, and those of the same code are.

The digest is of syntax trees: comments, docstrings, layout and where files lie do not enter it. What does is listed for
each kind of result, in so many words, by whoever computes it: modules (a package stands for all in it), files of data,
and the libraries whose version decides the result.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from simulators.inputs import plugins

OWN = ("simulators", "quant", "search", "mohaq")
"""Packages of this project: an import is known by the name of the module alone, so that a module may move."""


class Code(NamedTuple):
    """All that decides one kind of result."""

    modules: tuple[str, ...]
    """Dotted names; a package stands for all modules in it."""
    data: tuple[Path, ...] = ()
    """Files that the modules read."""
    libraries: tuple[str, ...] = ()
    """Distributions whose version enters the digest."""

    def __or__(self, other: Code) -> Code:
        """What decides a result of both."""
        return Code(
            tuple(dict.fromkeys(self.modules + other.modules)),
            tuple(dict.fromkeys(self.data + other.data)),
            tuple(dict.fromkeys(self.libraries + other.libraries)),
        )

    def digest(self) -> str:
        """sha256, the same wherever the project is installed; another minor version of Python may write trees
        otherwise."""
        texts = [text for text in map(plugins.text_of, self.modules) if text is not None]
        modules = [module for module in self.modules if plugins.text_of(module) is None]
        trees = {_tree_digest(path) for path in sources_of(modules)} | {*map(tree_digest, texts)}
        files = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in self.data)
        versions = sorted(f"{name}={_version(name)}" for name in self.libraries)
        return hashlib.sha256("\n".join([*sorted(trees), "", *files, "", *versions]).encode()).hexdigest()


def sources_of(modules: Iterable[str]) -> set[Path]:
    """The files of modules, and of all modules in those that are packages; one that was typed, not imported, has none.

    Raises ModuleNotFoundError for a module of this project that there is not.
    """
    return {path for module in modules for path in _sources(module)}


def tree_digest(text: str | bytes) -> str:
    """sha256 of a program's syntax tree, without comments, docstrings and layout."""
    return hashlib.sha256(ast.dump(_WithoutText().visit(ast.parse(text))).encode()).hexdigest()


def _sources(module: str) -> Iterator[Path]:
    loaded = sys.modules.get(module)
    if loaded is not None and getattr(loaded, "__spec__", None) is None:
        file = getattr(loaded, "__file__", None)  # a script; an interactive session has no file
        yield from [Path(file)] if file else []
        return
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        if module.split(".")[0] in OWN:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return  # what was executed from text, as a notebook does
    if spec.submodule_search_locations is None:
        yield Path(spec.origin)
    else:
        yield from Path(spec.origin).parent.rglob("*.py")


@cache
def _tree_digest(path: Path) -> str:
    """Digest of a file as it was when first asked for: what this process runs does not change with the file."""
    return tree_digest(path.read_bytes())


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"


class _WithoutText(ast.NodeTransformer):
    """Drops statements that are nothing but a string, and says of imports from this project which module, not where."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        self.generic_visit(node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        module = node.module or ""
        if node.level or module.split(".")[0] in OWN:
            node.module, node.level = module.rpartition(".")[2], 0
        return node

    def visit_Import(self, node: ast.Import) -> ast.Import:
        for alias in node.names:
            if alias.name.split(".")[0] in OWN:
                alias.name = alias.name.rpartition(".")[2]
        return node
