"""Which folder of `simulators` may import which: each only those before it, wherever in a file the import stands."""

import pytest
from arrows import against_the_order, files_of, imported
from paths import ROOT

ORDER = (
    "inputs", "engine", "hardware", "workloads", "closed_forms", "lowering", "run", "platforms", "views",
)  # fmt: skip
"""Folders from the bottom up. A simulation finds its platform by name in a registry, so that platforms stand on what
runs them and may offer what a report is made of."""

NEIGHBOURS = (
    ("engine", "hardware"), ("engine", "workloads"), ("engine", "closed_forms"),
    ("hardware", "workloads"), ("hardware", "closed_forms"),
)  # fmt: skip
"""Folders that do not know each other, though one stands before the other."""


def test_every_folder_has_a_place_in_the_order() -> None:
    assert {file.split("/")[1] for file in files_of("simulators")} == set(ORDER)


@pytest.mark.slow
def test_imports_follow_the_order() -> None:
    files = files_of("simulators")
    assert not [arrow for file in files for arrow in against_the_order(file, imported(ROOT / file), ORDER)]


@pytest.mark.parametrize(("one", "other"), NEIGHBOURS)
def test_some_folders_do_not_know_each_other(one: str, other: str) -> None:
    for folder, unknown in ((one, other), (other, one)):
        files = list((ROOT / "simulators" / folder).rglob("*.py"))
        assert files
        for file in files:
            assert not [module for module in imported(file) if module.startswith(f"simulators.{unknown}.")], file


def test_an_arrow_against_the_order_is_seen() -> None:
    modules = ["simulators.run.simulation", "simulators.inputs.errors", "quant.sites", "numpy", "simulators"]
    assert len(against_the_order("simulators/engine/fast.py", modules, ORDER)) == 3
