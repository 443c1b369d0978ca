"""Every method of mohaq, with limits and without: a seed gives one search, killed and resumed as often as one likes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed import Killed, KillingAfter
from stand_in import StandInModel

from search import Experiment, run
from search.methods import METHODS

LIMITS: Mapping[str, Mapping[str, float]] = {
    "no limits": {},
    "error and memory": {"error_increase": 2.0, "memory_mib": 0.0014},
    "what nothing keeps": {"error": 1.0},
}
FILES = ("pareto.csv", "pareto.json")


class Unseeded:
    """A generator without a seed: it may be made, and not drawn from."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} of a generator without a seed")


@pytest.fixture
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn from no seed is found, whether or not it makes a difference."""
    seeded = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed=None: Unseeded() if seed is None else seeded(seed))


@pytest.mark.slow
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("method", METHODS.names())
def test_a_killed_search_ends_as_one_that_was_not(
    method: str, limits: Mapping[str, float], tmp_path: Path, no_chance: None
) -> None:
    settings = Experiment.model_validate({
        "name": "repeated", "method": method, "constraints": limits, "population": 8, "offspring": 4, "generations": 4,
        "steps": 5, "seed": 3,
    })  # fmt: skip
    run(settings, tmp_path / "whole", model=StandInModel())
    with pytest.raises(Killed):
        run(settings, tmp_path / "parts", progress=KillingAfter(2), model=StandInModel())
    run(settings, tmp_path / "parts", resume=True, model=StandInModel())
    for file in FILES:
        assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
