"""With every correction switched the published way, the simulator stays in a band around the closed form."""

from pathlib import Path

import numpy as np
import pytest
from paths import REFERENCE

from simulators import InputError
from simulators.platforms.bitfusion.cross_check import Ratio, cross_check, describe

TABLES = sorted(REFERENCE.glob("bitfusion_*.csv"))


@pytest.fixture(scope="module")
def ratios() -> list[Ratio]:
    return [ratio for table in TABLES for ratio in cross_check(table)]


@pytest.mark.slow
def test_every_row_lies_in_the_band(ratios: list[Ratio]) -> None:
    assert len(ratios) == 226
    for ratio in ratios:
        # Widths that are no power of two: the closed form packs 3 operands of 5 bits into a unit of 16.
        low, high = (0.6, 1.4) if ratio.packed_alike else (0.85, 1.9)
        assert low < ratio.value < high, ratio


def test_most_rows_lie_close(ratios: list[Ratio]) -> None:
    values = [ratio.value for ratio in ratios]
    assert np.median(values) == pytest.approx(1, abs=0.01)
    assert np.mean([0.8 < value < 1.2 for value in values]) > 0.93


def test_the_distribution_is_printed(ratios: list[Ratio]) -> None:
    text = describe(ratios)
    assert "powers of two, 198 rows: simulated / published cycles at 0 5 25 50 75 95 100 %:" in text
    assert "other widths, 28 rows" in text
    assert "fc2/MatMul, 2x2 bits: " in text


def test_a_bad_table_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"x\.csv:2: KeyError"):
        cross_check(tmp_path / "x.csv")
    with pytest.raises(InputError, match="cannot be read"):
        cross_check(tmp_path / "missing.csv")
