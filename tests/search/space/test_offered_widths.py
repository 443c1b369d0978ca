"""Hardware offers pairs of widths, of which a model may take some alone."""

from pathlib import Path
from typing import Any

import pytest
from stand_in import StandInModel

from search import Experiment, run
from search.codesign.hardware_search import search_hardware
from search.space.hardware_variants import Hardware, pairs_of
from simulators.inputs.errors import InputError


class FourWidths(StandInModel):
    """A stand-in that has the shipped recognisers' widths, and says so."""

    bit_widths = (2, 4, 8, 16)

    def evaluate(self, bits: Any) -> Any:
        assert {width for pair in bits.values() for width in pair} <= {*self.bit_widths}
        return super().evaluate(bits)


def experiment(**changes: Any) -> Experiment:
    settings = {"name": "t", "population": 8, "offspring": 4, "generations": 1, "steps": 5, "constraints": {}}
    return Experiment.model_validate({**settings, **changes})


def test_pairs_with_these_widths_alone() -> None:
    assert pairs_of((2, 8), [(1, 8), (2, 8), (8, 2), (3, 3), (8, 8)]) == ((2, 8), (8, 2), (8, 8))


@pytest.mark.parametrize("method", ["random", "nsga2", "surrogate"])
def test_a_search_has_no_widths_that_the_model_has_not(method: str, tmp_path: Path) -> None:
    found = run(experiment(arch="bit-serial-edge", method=method), tmp_path / "run", model=FourWidths(), check=False)
    assert len(found.front) > 0


def test_a_choice_of_hardware_has_none_either(tmp_path: Path) -> None:
    hardware = [{"archs": ["bitfusion", "bit-serial-edge", "epiphany-e16"]}]
    searched = experiment(hardware=hardware, objectives=["error", "latency"], method="nsga2")
    assert len(search_hardware(searched, tmp_path / "run", model=FourWidths()).front) > 0


def test_hardware_without_any_is_refused() -> None:
    hardware = Hardware([], "bit-serial-edge", ["precisions=[[3,3],[5,8]]"])
    with pytest.raises(InputError, match=r"bit-serial-edge: it offers 3x3, 5x8 bits, and the model takes 2, 4, 8, 16"):
        hardware.offer_widths((2, 4, 8, 16))
