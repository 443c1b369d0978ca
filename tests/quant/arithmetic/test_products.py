"""Exact products of integer codes, and how the fastest of a machine is found."""

import time
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch

from quant.arithmetic import products
from quant.arithmetic.grid import Grid
from quant.arithmetic.products import Weights, split

MEASURED = (products._exact_int8, products._worthwhile_int8, products._faster)


@pytest.fixture
def unmeasured() -> Iterator[None]:
    """As if nothing were known of the machine yet."""
    for found in MEASURED:
        found.cache_clear()
    yield
    for found in MEASURED:
        found.cache_clear()


@pytest.mark.parametrize(("seconds_a_row", "measured"), [(2e-4, False), (0.0, True)])
def test_a_slow_int8_product_is_measured_at_a_small_shape_only(
    seconds_a_row: float, measured: bool, unmeasured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    now_s = [0.0]

    def timed(x: torch.Tensor, y: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        rows.append(len(x))
        now_s[0] += seconds_a_row * len(x)
        return torch.tensor(64 * 2**14)  # right for the probe of exactness

    def other(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        now_s[0] += 1e-3
        return x

    monkeypatch.setattr(time, "perf_counter", lambda: now_s[0])
    monkeypatch.setattr(torch, "_int_mm", timed)
    for name in ("_in_float32", "_in_float64"):
        monkeypatch.setattr(products, name, other)
    pays = [products.int8_pays(2000, 64, 128, beyond) for beyond in (False, True)]
    assert (2048 in rows) == measured
    assert pays == [measured, measured]


@pytest.mark.parametrize(
    ("dtype", "per_step", "in_steps", "high", "low"),
    [
        (torch.float32, 0.25, [0, 1, 127, 128, 255, 256, 4660.25], [0, 0, 0, 0, 0, 1, 18], [-128, -127, -1, 0, 127, -128, -76]),
        (torch.float32, 0.25, [-1, -128, -129, -256, -257], [-1, -1, -1, -1, -2], [127, 0, -1, -128, 127]),
        (torch.float32, 0.25, [0.5, 1.5, -0.5, -1.5], [0, 0, 0, -1], [-128, -126, -128, 126]),  # ties go to even
        (torch.float32, 0.25, [32767, 32769, 1e9, -32768, -1e9], [127, 127, 127, -128, -128], [127, 127, 127, -128, -128]),
        # int16 has 14 fractional bits: a quarter is 2^12 of its units.
        (torch.int16, 2**12, [0, 1, 7, 7.75, -1, -7, -8], [0, 0, 0, 0, -1, -1, -1], [-128, -127, -121, -120, 127, 121, 120]),
    ],
)  # fmt: skip
def test_codes_of_16_bits_are_two_bytes(
    dtype: torch.dtype, per_step: float, in_steps: list[float], high: list[int], low: list[int]
) -> None:
    """By hand: a code is 256 · high + low + 128."""
    x = (torch.tensor([in_steps], dtype=torch.float64) * per_step).to(dtype)
    found = products.encode(x, Grid(16, 0.25, -(2**15), 2**15 - 1))
    assert found.low is not None
    assert (found.high.tolist(), found.low.tolist()) == ([high], [low])


@pytest.mark.parametrize(("weight_bits", "activation_bits"), list(product((2, 8, 16), repeat=2)))
@pytest.mark.parametrize("highest", [2**15 - 129, 2**15 - 1])
def test_sums_are_exact_until_they_are_rounded_to_float32_once(
    weight_bits: int, activation_bits: int, highest: int
) -> None:
    """Of codes of all signs, and of the largest and smallest there are: those above `highest`, which two signed bytes
    cannot hold beyond 32,639, are left out."""
    generator = np.random.default_rng(weight_bits + activation_bits)

    def codes(bits: int, rows: int) -> np.ndarray:
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        drawn = generator.integers(low, high, (rows, 37), endpoint=True)
        drawn[0], drawn[1], drawn[2] = low, high, np.where(np.arange(37) % 2, low, high)
        return np.minimum(drawn, highest)

    x, w = codes(activation_bits, 1030), codes(weight_bits, 9)
    weights = Weights(torch.from_numpy(w).float(), torch.ones(9), weight_bits)
    operands = split(torch.from_numpy(x).to(torch.int32), Grid(activation_bits, 1.0, -(2**15), 2**15 - 1))
    found = weights.multiply(operands)
    assert found.double().numpy().tolist() == (x @ w.T).astype(np.float32).astype(np.float64).tolist()
    assert weights.largest_row == np.abs(w).sum(1).max()
