"""More hardware is no slower, beyond what docs/machine-model.md names: with mappings as the simulator chooses them.
`benchmarks/monotonicity.py` tries thousands of points."""

import pytest
from rising_resources import rising_point


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("platform", ["bitfusion", "silago"])
def test_more_of_a_resource(platform: str, part: int) -> None:
    for number in range(10 * part, 10 * part + 10):
        point, _ = rising_point(platform, 7, number)
        assert point.excess()["and_pipeline"] <= 0, f"{point}: {point.cycles} cycles"
