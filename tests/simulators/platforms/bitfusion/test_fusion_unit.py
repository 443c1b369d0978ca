"""A fusion unit of bit-bricks multiplies like integers: exhaustively to 8 bits, sampled at 16."""

from itertools import product

import numpy as np
import pytest

from simulators import InputError
from simulators.platforms.bitfusion.fusion_unit import digits, multiply, products_per_cycle
from simulators.platforms.bitfusion.tiling import precision

SIGNS = list(product((False, True), repeat=2))


def whole_range(bits: int, signed: bool) -> np.ndarray:
    return np.arange(-(1 << (bits - 1)), 1 << (bits - 1)) if signed else np.arange(1 << bits)


@pytest.mark.parametrize("signed", SIGNS)
@pytest.mark.parametrize("bits", list(product((2, 4, 8), repeat=2)))
def test_every_pair_of_operands_up_to_8_bits(bits: tuple[int, int], signed: tuple[bool, bool]) -> None:
    a, w = np.meshgrid(whole_range(bits[0], signed[0]), whole_range(bits[1], signed[1]))
    assert np.array_equal(multiply(a, w, *bits, *signed), a * w)


@pytest.mark.parametrize("signed", SIGNS)
@pytest.mark.parametrize("bits", [(16, b) for b in (2, 4, 8, 16)] + [(b, 16) for b in (2, 4, 8)])
def test_sampled_operands_of_16_bits(bits: tuple[int, int], signed: tuple[bool, bool]) -> None:
    rng = np.random.default_rng(0)
    operands = []
    for b, s in zip(bits, signed, strict=True):
        values = whole_range(b, s)
        operands.append(np.concatenate([rng.choice(values, 20_000), values[[0, 0, -1, -1]]]))
    a, w = operands
    w[-4:] = w[[-4, -1, -4, -1]]  # all four corners
    assert np.array_equal(multiply(a, w, *bits, *signed), a * w)


def test_the_simulator_counts_the_same_products() -> None:
    for a, w in product((2, 4, 8, 16), repeat=2):
        fused = precision(w, a, 8)
        assert fused.products / fused.passes == products_per_cycle(a, w)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="values from 8 to 8: 4 bits hold -8 to 7"):
        digits(8, 4, True)
    with pytest.raises(InputError, match="3 bits: a fusion unit takes"):
        digits(1, 3, True)
