"""Grids: what they hold, that they minimise error, and that rounding is idempotent."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quant.quantizer import (
    INTEGER_BITS,
    THRESHOLD_SHARES,
    fixed_point_grid,
    integer_grid,
    minimum_error_grid,
    weight_grid,
)
from simulators.errors import InputError


def sample(seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(4000, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("bits", "symmetric", "codes"), [(2, False, [-2, -1, 0, 1]), (2, True, [-1, 0, 1]), (4, False, list(range(-8, 8)))]
)
def test_codes_of_a_grid(bits: int, symmetric: bool, codes: list[int]) -> None:
    grid = integer_grid(bits, 1.0, symmetric)
    assert sorted(set(grid.encode(torch.linspace(-9, 9, 10001)).tolist())) == codes
    assert grid.round(torch.tensor([1.0])).item() == pytest.approx(1.0)  # the threshold is representable


@given(seed=st.integers(0, 10**6), bits=st.sampled_from(INTEGER_BITS), scale=st.floats(1e-3, 1e3))
def test_dequantize_after_quantize_is_idempotent(seed: int, bits: int, scale: float) -> None:
    x = sample(seed, scale)
    grid = minimum_error_grid(x, bits)
    once = grid.round(x)
    assert torch.equal(grid.round(once), once)
    assert torch.equal(grid.encode(once), grid.encode(x))


@given(seed=st.integers(0, 10**6))
def test_more_bits_never_raise_the_error_of_weights(seed: int) -> None:
    x = sample(seed)
    errors = [float((weight_grid(x, bits).round(x) - x).square().mean()) for bits in (2, 4, 8, 16)]
    assert errors == sorted(errors, reverse=True)


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
    zeros = torch.zeros(5)
    assert torch.equal(weight_grid(zeros, 4).round(zeros), zeros)
    with pytest.raises(InputError, match="not finite"):
        minimum_error_grid(torch.tensor([1.0, np.inf]), 4)
    with pytest.raises(InputError, match="3 bits: it must be one of 2, 4, 8, 16"):
        weight_grid(zeros, 3)
