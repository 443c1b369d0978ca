"""Grids: what they hold, that they minimise error, and that rounding is idempotent."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.arithmetic.clipping import Scheme, aciq_gauss, aciq_laplace, quantize_weights
from quant.arithmetic.grid import (
    THRESHOLD_SHARES,
    finest_fixed_point,
    fixed_point_grid,
    integer_grid,
    least_error_fixed_point,
    minimum_error_grid,
    sixteen_bit_grid,
)
from quant.sites.candidate import INTEGER_BITS
from simulators.inputs.errors import InputError


def sample(seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(4000, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("bits", "symmetric", "codes"), [(2, False, [-2, -1, 0, 1]), (2, True, [-1, 0, 1]), (4, False, list(range(-8, 8)))]
)
def test_codes_of_a_grid(bits: int, symmetric: bool, codes: list[int]) -> None:
    grid = integer_grid(bits, 1.0, symmetric)
    assert sorted(set(grid.encode(torch.linspace(-9, 9, 10001)).tolist())) == codes
    assert grid.round(torch.tensor([1.0])).item() == pytest.approx(1.0)  # the threshold is representable


@pytest.mark.slow
@given(seed=st.integers(0, 10**6), bits=st.sampled_from(INTEGER_BITS), scale=st.floats(1e-3, 1e3))
def test_dequantize_after_quantize_is_idempotent(seed: int, bits: int, scale: float) -> None:
    x = sample(seed, scale)
    grid = minimum_error_grid(x, bits)
    once = grid.round(x)
    assert torch.equal(grid.round(once), once)
    assert torch.equal(grid.encode(once), grid.encode(x))


def error_of(x: torch.Tensor, bits: int, scheme: Scheme) -> float:
    weights = quantize_weights(x, bits, scheme)
    return float((weights.codes * weights.steps[:, None] - x).square().mean())


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Of any scale, with outliers, or on few values: what a range is a bad guide to."""
    x = sample(draw(st.integers(0, 10**6)))[:1200].view(12, 100)
    kind = draw(st.sampled_from(["normal", "outlier", "constant", "few", "rows"]))
    if kind == "outlier":
        x[3, 7] = draw(st.floats(10, 1e4))
    elif kind == "constant":
        x = torch.full_like(x, draw(st.sampled_from([-0.3, 0.3, -1.0])))
    elif kind == "few":
        x = x.round()
    elif kind == "rows":
        x = x * torch.logspace(-7, 0, 12)[:, None]
    return x * draw(st.sampled_from([1e-7, 1e-5, 1e-4, 0.01, 0.3, 1.0, 30.0]))


def accumulated(error: float, before: float) -> bool:
    """Whether an error is no larger than another, but for what sums of float32 squares are off."""
    return error <= before * (1 + 1e-4) + 1e-45


@pytest.mark.slow
@settings(max_examples=40)
@given(x=tensors(), per_channel=st.booleans())
def test_more_bits_never_raise_the_error_of_weights(x: torch.Tensor, per_channel: bool) -> None:
    errors = [error_of(x, bits, Scheme(per_channel=per_channel)) for bits in (2, 4, 8, 16)]
    assert all(accumulated(after, before) for before, after in pairwise(errors)), errors


@pytest.mark.slow
@settings(max_examples=40)
@given(x=tensors())
def test_more_bits_never_raise_the_error_of_activations(x: torch.Tensor) -> None:
    narrow = [minimum_error_grid(x, bits) for bits in INTEGER_BITS]
    for wide in (sixteen_bit_grid(x), sixteen_bit_grid(x, least_error_fixed_point(x))):
        errors = [grid.squared_error(x.double().numpy()) for grid in (*narrow, wide)]
        assert all(accumulated(after, before) for before, after in pairwise(errors)), errors


@pytest.mark.parametrize("scale", [1e-7, 1e-5, 1e-4, 0.3, 700.0])
def test_sixteen_bits_hold_what_is_small(scale: float) -> None:
    x = sample(1, scale).view(40, 100)
    for bits_lost in (sixteen_bit_grid(x).round(x), least_error_fixed_point(x).round(x)):
        assert float((bits_lost - x).square().mean() / x.square().mean()) < 1e-6
    assert error_of(x, 16, Scheme()) < 1e-6 * float(x.square().mean())


def test_fractions_are_chosen_by_error_not_by_range() -> None:
    x = sample(2)
    x[0] = 8.1
    assert least_error_fixed_point(x).step == finest_fixed_point(8.1).step == 2.0**-11
    x[0] = 4.0001  # cut off by so little that the finer step of the others is worth it
    assert least_error_fixed_point(x[x.abs() <= 4.0001]).step == 2.0**-13
    assert finest_fixed_point(4.0001).step == 2.0**-12
    with pytest.raises(InputError, match="not finite"):
        finest_fixed_point(float("nan"))


def test_what_a_flat_function_reads_is_clipped_where_it_is_flat() -> None:
    x = 3 * sample(4)
    x[0] = 714.0
    assert least_error_fixed_point(x).step == 2.0**-5  # 714 takes a range of 1,024
    grid = least_error_fixed_point(x, torch.sigmoid)
    assert 2.0**-12 <= grid.step <= 2.0**-10


@pytest.mark.parametrize("bits", INTEGER_BITS)
def test_the_threshold_is_the_best_of_those_tried(bits: int) -> None:
    x = sample(3)
    largest = float(x.abs().max())
    chosen = float((minimum_error_grid(x, bits).round(x) - x).square().mean())
    tried = [float((integer_grid(bits, share * largest).round(x) - x).square().mean()) for share in THRESHOLD_SHARES]
    # The search sees a histogram of 201 bins, not the values: at 8 bits a bin is as wide as a step.
    assert chosen <= min(tried) * (1.02 if bits < 8 else 1.6)


def test_fixed_point_takes_the_most_fraction_that_fits() -> None:
    assert [fixed_point_grid(x).step for x in (0.0, 1.99, 2.0, 31.9, 32.0, 255.0, 256.0)] == [
        2.0**-14,
        2.0**-14,
        2.0**-10,
        2.0**-10,
        2.0**-7,
        2.0**-7,
        2.0**-6,
    ]
    with pytest.raises(InputError, match="does not fit"):
        fixed_point_grid(1e12)


def test_degenerate_tensors() -> None:
    zeros = torch.zeros(5, 3)
    for scheme in (Scheme(), Scheme("max"), Scheme("aciq-gauss"), Scheme(per_channel=True)):
        assert not quantize_weights(zeros, 4, scheme).codes.any()
    with pytest.raises(InputError, match="not finite"):
        minimum_error_grid(torch.tensor([1.0, np.inf]), 4)
    for scheme in (Scheme(), Scheme("max"), Scheme("mse", per_channel=True)):
        assert quantize_weights(torch.tensor([[1.0, 1e15]]), 4, scheme).codes.any()
        with pytest.raises(InputError, match=r"cannot quantize values as large as 3e\+38: at most 1e\+15"):
            quantize_weights(torch.tensor([[1.0, 3e38]]), 4, scheme)
    with pytest.raises(InputError, match="3 bits: it must be one of 2, 4, 8, 16"):
        quantize_weights(zeros, 3, Scheme())


def test_aciq_thresholds_are_the_published_ones() -> None:
    """Banner et al. 2019, section 2: the optima for a Laplace of b = 1 and a normal of deviation 1."""
    assert [aciq_laplace(bits, 1.0) for bits in (2, 3, 4)] == pytest.approx([2.83, 3.89, 5.03], abs=0.01)
    assert [aciq_gauss(bits, 1.0) for bits in (2, 3, 4)] == pytest.approx([1.71, 2.15, 2.55], abs=0.01)


@pytest.mark.parametrize("rule", ["max", "percentile", "aciq-laplace", "aciq-gauss"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_each_rule_clips_where_it_says(rule: str, per_channel: bool) -> None:
    x = sample(5).view(8, 500)
    weights = quantize_weights(x, 4, Scheme(rule, per_channel=per_channel))
    rows = x if per_channel else x.flatten()[None]
    b, deviation = (rows - rows.mean(1, keepdim=True)).abs().mean(1), rows.std(1, correction=0)
    expected = {
        "max": rows.abs().amax(1),
        "percentile": torch.tensor(np.percentile(rows.abs().numpy(), 99.9, axis=1), dtype=torch.float32),
        "aciq-laplace": aciq_laplace(4, 1.0) * b,
        "aciq-gauss": aciq_gauss(4, 1.0) * deviation,
    }[rule]
    limits = torch.minimum(expected, rows.abs().amax(1)).expand(8)
    torch.testing.assert_close(weights.steps * 7, limits, rtol=1e-4, atol=0)


def test_a_step_for_each_row_errs_less() -> None:
    x = sample(6).view(8, 500) * torch.logspace(-2, 0, 8)[:, None]
    assert error_of(x, 4, Scheme(per_channel=True)) < 0.5 * error_of(x, 4, Scheme())


def test_unknown_rules_are_named() -> None:
    with pytest.raises(InputError, match="clipping of weights: 'median': it must be one of mse, max"):
        Scheme("median")
    with pytest.raises(InputError, match="clipping of activations: 'aciq-gauss'"):
        Scheme(activations="aciq-gauss")
