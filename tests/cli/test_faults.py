"""What the harness that stops commands takes for whole: tests/helpers/faults.py."""

import csv
import random
from pathlib import Path

import pytest
from fault_cases import Case
from faults import Stops
from split_stand_in import SplitModel, experiment

from search import run


@pytest.mark.parametrize("name", ["pareto.csv", "pareto.json"])
def test_a_front_before_the_test_is_whole_and_a_wrong_one_is_not(name: str, tmp_path: Path) -> None:
    whole, early, folder = (tmp_path / which for which in ("whole", "early", "folder"))
    run(experiment(), whole, model=SplitModel())
    run(experiment(), early, model=SplitModel(), check=False)
    stops = Stops(Case((), (name,)), whole, folder, random.Random(1))
    folder.mkdir()
    before, after = ((of / name).read_text() for of in (early, whole))
    assert before != after
    for text in (before, after):
        (folder / name).write_text(text)
        stops.nothing_is_spoilt()
    with (whole / "pareto.csv").open() as file:
        first = next(csv.DictReader(file))
    for text, figure in ((before, "error"), (after, "error"), (after, "error_test"), (after, "test_change_low")):
        wrong = text.replace(first[figure], first[figure] + "1", 1)
        assert wrong != text
        (folder / name).write_text(wrong)
        with pytest.raises(AssertionError, match="not as in the whole run"):
            stops.nothing_is_spoilt()
