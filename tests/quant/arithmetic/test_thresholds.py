"""Where clipping begins, to the last digit: the thresholds that are tried, both ends of them, and what steps they make."""

import numpy as np
import pytest
import torch

from quant.arithmetic.calibration import Calibration, Range
from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.arithmetic.grid import (
    THRESHOLD_SHARES,
    Grid,
    fixed_point_grid,
    integer_grid,
    largest_magnitude,
    minimum_error_grid,
)


def test_thresholds_are_tried_from_one_to_ninety_nine_per_cent() -> None:
    assert THRESHOLD_SHARES.tolist() == [n / 100 for n in range(1, 100)]


@pytest.mark.parametrize(("bits", "lowest", "highest"), [(2, -2, 1), (4, -8, 7), (8, -128, 127)])
def test_a_threshold_is_the_largest_code(bits: int, lowest: int, highest: int) -> None:
    """One code more is there on the negative side; a symmetric grid leaves it out."""
    assert integer_grid(bits, 3.0) == Grid(bits, 3.0 / highest, lowest, highest)
    assert integer_grid(bits, 3.0, symmetric=True) == Grid(bits, 3.0 / highest, -highest, highest)
    x = torch.tensor([-9.0, -3.0, 3.0, 9.0])
    assert integer_grid(bits, 3.0).encode(x).tolist() == [lowest, -highest, highest, highest]


@pytest.mark.parametrize(("bits", "highest"), [(2, 1), (4, 7), (8, 127)])
def test_the_highest_threshold(bits: int, highest: int) -> None:
    """Values at both ends lie in the outermost of 201 bins, whose centres are 200/201: 99 % is the nearest."""
    grid = minimum_error_grid(torch.tensor([-10.0, 10.0]), bits)
    assert grid.step * highest == pytest.approx(9.9, rel=1e-12)


def test_the_lowest_threshold() -> None:
    """Nearly all values lie at one per cent of the largest, and together lose more than it where the step is longer."""
    values = torch.full((20_001,), 0.1)
    values[0] = 10.0
    assert minimum_error_grid(values, 2).step == pytest.approx(0.1, rel=1e-12)


def test_squared_errors_are_of_what_is_represented() -> None:
    """Codes -2, -1, 0, 1 of step 2: -5 is held as -4, -1.5 as -2, 0.5 as 0, 3 and 4 as 2."""
    grid = integer_grid(2, 2.0)
    values = np.array([-5.0, -1.5, 0.5, 3.0, 4.0])
    assert grid.squared_error(values) == 1 + 0.25 + 0.25 + 1 + 4
    assert grid.squared_error(values, np.array([3.0, 4.0, 0.0, 2.0, 1.0])) == 3 + 1 + 0 + 2 + 4


def test_rows_that_lose_nothing_unclipped_are_not_clipped() -> None:
    """A row is tried at all of its range too: whole numbers to 7, and 7/2 of others, are 4-bit codes as they are; a row
    of zeros has codes of zero and a positive step."""
    rows = torch.tensor([[7.0, -3.0, 1.0, 2.0], [1.75, 0.25, -0.5, 1.25], [0.0] * 4])
    weights = quantize_weights(rows, 4, Scheme(per_channel=True))
    assert weights.steps.tolist() == pytest.approx([1.0, 0.25, 1 / 7])
    assert weights.codes.tolist() == [[7, -3, 1, 2], [7, 1, -2, 5], [0] * 4]


def test_rows_are_clipped_where_their_true_error_is_least() -> None:
    """A thousand ones, a four and its negative at 2 bits: of thresholds of whole per cents of four, 25 % is a one. There is
    one code more on the negative side."""
    row = torch.ones(1, 1002)
    row[0, :2] = torch.tensor([4.0, -4.0])
    weights = quantize_weights(row, 2, Scheme(per_channel=True))
    assert weights.steps.tolist() == [1.0]
    assert weights.codes[0, :3].tolist() == [1, -2, 1]


@pytest.mark.parametrize("rule", ["aciq-laplace", "aciq-gauss"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_no_rule_clips_beyond_the_largest_value(rule: str, per_channel: bool) -> None:
    """Even values have short tails: the optimum for long ones lies beyond them."""
    row = torch.linspace(-3, 3, 101)[None]
    weights = quantize_weights(row, 8, Scheme(rule, per_channel=per_channel))
    assert weights.steps.tolist() == pytest.approx([3 / 127])


@pytest.mark.parametrize("scheme", [Scheme(), Scheme("max"), Scheme(per_channel=True), Scheme("max", per_channel=True)])
def test_zeros_have_a_step_of_one_code(scheme: Scheme) -> None:
    """One for a matrix, whose threshold is then the largest code; a row's threshold is one."""
    step = 1 / 7 if scheme.per_channel else 1.0
    assert quantize_weights(torch.zeros(2, 3), 4, scheme).steps.tolist() == pytest.approx([step] * 2)


def test_sixteen_bits_are_fixed_point_under_every_rule() -> None:
    matrix = torch.tensor([[1.5, -0.25], [0.5, 2.0**-14]])
    for rule in ("mse", "max", "percentile"):
        weights = quantize_weights(matrix, 16, Scheme(rule))
        assert weights.steps.tolist() == [2.0**-14] * 2
        assert weights.codes.tolist() == [[24576, -4096], [8192, 1]]
    by_row = quantize_weights(matrix, 16, Scheme(per_channel=True))
    assert by_row.steps.tolist() == [2.0**-14, 2.0**-15]
    assert by_row.codes.tolist() == [[24576, -4096], [16384, 2]]


def test_fixed_point_begins_anew_at_each_power_of_two() -> None:
    """Codes reach 2^15, so f fractional bits hold what is below 2^(15 - f)."""
    bounds = {14: 2.0, 10: 32.0, 7: 256.0, 6: 512.0, 0: 2.0**15, -15: 2.0**30}
    for fraction, bound in bounds.items():
        assert fixed_point_grid(np.nextafter(bound, 0)) == Grid(16, 2.0**-fraction, -(2**15), 2**15 - 1)
        if fraction > -15:
            assert fixed_point_grid(bound).step > 2.0**-fraction


def test_the_largest_magnitude() -> None:
    assert largest_magnitude(np.array([1.0, -3.0, 2.0])) == 3.0
    assert largest_magnitude(np.array([])) == 0.0


def test_each_rule_of_activations_has_its_own_threshold() -> None:
    grid, wide = integer_grid(4, 3.5), fixed_point_grid(10.0)
    ranges = {"A": Range(max=10.0, percentile=7.0, median=5.0), "B": Range(max=10.0, percentile=0.0, median=5.0)}
    calibration = Calibration({site: {4: grid, 16: wide} for site in "AB"}, ranges, {}, {})
    found = {rule: calibration.grid("A", 4, rule).step for rule in ("mse", "max", "percentile", "median")}
    assert found == {"mse": 0.5, "max": 10 / 7, "percentile": 1.0, "median": 5 / 7}
    assert calibration.grid("A", 16, "max") is wide
    assert calibration.grid("B", 4, "percentile") is grid  # no range to clip at
