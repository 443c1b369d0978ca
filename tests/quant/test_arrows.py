"""Which folder of `quant` may import which: each only those before it, wherever in a file the import stands."""

from pathlib import Path

import pytest
from arrows import against_the_order, files_of, imported
from paths import ROOT

ORDER = (
    "sites",
    "arithmetic",
    "networks",
    "speech",
    "files",
    "exports",
    "training",
    "evaluation",
    "runs",
    "own",
    "tasks",
    "images",
    "graphs",
    "graph_exports",
)
"""Folders from the bottom up. Evaluation stands on training because a recogniser can be retrained for a candidate; what
makes a checkpoint of a corpus (`runs`) stands on both."""


def test_every_folder_has_a_place_in_the_order() -> None:
    assert {file.split("/")[1] for file in files_of("quant")} == set(ORDER)


@pytest.mark.slow
def test_imports_follow_the_order() -> None:
    wrong = [arrow for file in files_of("quant") for arrow in against_the_order(file, imported(ROOT / file), ORDER)]
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
    assert len(against_the_order("quant/arithmetic/file.py", imported(tmp_path / "file.py"), ORDER)) == against
