"""Which folder of `quant` may import which: each only those before it, wherever in a file the import stands."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT

ORDER = ("sites", "arithmetic", "networks", "speech", "files", "training", "evaluation", "runs", "own")
"""Folders from the bottom up. Evaluation stands on training because a recogniser can be retrained for a candidate; what
makes a checkpoint of a corpus (`runs`) stands on both."""

BELOW = ("simulators",)
"""Packages of this project that `quant` may import."""

PROJECT = ("simulators", "quant", "search", "mohaq")


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, also inside functions and for types alone."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def arrows_against_the_order(file: str, modules: Iterator[str]) -> list[str]:
    """Imports of a file of `quant` that lead to a later folder, or to a package above."""
    folder = file.split("/")[1]
    wrong = []
    for module in modules:
        package, _, rest = module.partition(".")
        if package not in PROJECT or package in BELOW:
            continue
        target = rest.split(".")[0]
        # What `quant` itself offers comes from all of its folders.
        if package != "quant" or target not in ORDER or ORDER.index(target) > ORDER.index(folder):
            wrong.append(f"{file} imports {module}")
    return wrong


def files() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "quant").glob("*/**/*.py"))


def test_every_folder_has_a_place_in_the_order() -> None:
    assert {file.split("/")[1] for file in files()} == set(ORDER)


def test_imports_follow_the_order() -> None:
    wrong = [arrow for file in files() for arrow in arrows_against_the_order(file, imported(ROOT / file))]
    assert not wrong


@pytest.mark.parametrize(
    ("text", "against"),
    [
        ("from quant.sites.site import Site\nimport simulators.inputs.errors\nimport torch\n", 0),
        ("import quant.arithmetic.grid\nfrom quant.arithmetic import kernels\n", 0),
        ("from quant.networks.network import Network\n", 1),
        ("import quant.networks.network\n", 1),
        ("def f():\n    from quant.evaluation import recogniser\n", 1),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from quant.own.own_model import OwnModel\n", 1),
        ("from quant import homogeneous\n", 1),
        ("from search import Experiment\n", 1),
    ],
)
def test_an_arrow_against_the_order_is_seen(text: str, against: int, tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text(text)
    assert len(arrows_against_the_order("quant/arithmetic/file.py", imported(tmp_path / "file.py"))) == against
