"""Which folder of `search` may import which: each only those before it, wherever in a file the import stands."""

from pathlib import Path

import pytest
from arrows import against_the_order, files_of, imported
from paths import ROOT

ORDER = (
    "objectives", "space", "methods", "settings", "evaluation", "held_out", "runs", "codesign", "report", "campaign",
)  # fmt: skip
"""Folders from the bottom up. A method knows the space that it searches and the objectives, and nothing of how trials
are evaluated; settings stand on methods because an experiment is refused for one that there is not."""


def test_every_folder_has_a_place_in_the_order() -> None:
    assert {file.split("/")[1] for file in files_of("search")} == set(ORDER)


def test_imports_follow_the_order() -> None:
    wrong = [arrow for file in files_of("search") for arrow in against_the_order(file, imported(ROOT / file), ORDER)]
    assert not wrong


@pytest.mark.parametrize(
    ("text", "against"),
    [
        ("from search.space.genome import Genome\nimport quant.sites.candidate\nimport pymoo\n", 0),
        ("import search.objectives\nfrom search.methods.method import Method\n", 0),
        ("from search.settings.experiment import Experiment\n", 1),
        ("import search.runs.driver\n", 1),
        ("def f():\n    from search.evaluation import ledger\n", 1),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from search.codesign.sweep import sweep\n", 1),
        ("from search import Experiment\n", 1),
        ("from mohaq.app import note\n", 1),
    ],
)
def test_an_arrow_against_the_order_is_seen(text: str, against: int, tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text(text)
    assert len(against_the_order("search/methods/file.py", imported(tmp_path / "file.py"), ORDER)) == against
