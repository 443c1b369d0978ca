"""The command line is a thin package above the others."""

import ast

import pytest
from arrows import PACKAGES, imported
from paths import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES[:-1])
def test_nothing_imports_to_its_right(package: str) -> None:
    right = PACKAGES[PACKAGES.index(package) + 1 :]
    for path in (ROOT / package).rglob("*.py"):
        assert not [module for module in imported(path) if module.split(".")[0] in right], path


def test_commands_parse_call_and_print() -> None:
    """What a command does is in the packages, where a library finds it: here are short functions, and no class."""
    for path in (ROOT / "mohaq").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert len(node.body) <= 25, f"{path}:{node.lineno}: {node.name}"
