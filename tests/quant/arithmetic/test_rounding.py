"""Halves are rounded to the even code, and saturate, wherever a code is made: rounding them up would shift every product."""

import numpy as np
import pytest
import torch
from torch import nn

from quant.arithmetic import kernels
from quant.arithmetic.calibration import Calibration
from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.arithmetic.grid import Grid, integer_grid
from quant.arithmetic.integer_reference import IntegerArithmetic
from quant.arithmetic.products import OperandCodes, Weights, encode, split
from quant.arithmetic.weights import QuantizedWeights
from quant.arithmetic.whole_numbers import Multiplier, rescaled, rounded_sum, shifted

HALVES = [-9.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 6.5, 9.5]
EVEN = [-10, -2, -2, 0, 0, 2, 2, 6, 10]
FOUR_BITS = [-8, -2, -2, 0, 0, 2, 2, 6, 7]
"""EVEN in [-8, 7]."""
STEP = 0.25
GRID = integer_grid(4, 7 * STEP)
WORDS = Grid(16, STEP, -(2**15), 2**15 - 1)


def whole(codes: OperandCodes) -> list[int]:
    """Codes from their bytes: 256 · high + low + 128, or high where there is no low one."""
    high = codes.high.to(torch.int64).flatten()
    return (high if codes.low is None else 256 * high + codes.low.flatten() + 128).tolist()


def test_codes_of_a_grid() -> None:
    x = STEP * torch.tensor(HALVES)
    assert GRID.encode(x).tolist() == FOUR_BITS
    assert WORDS.encode(x).tolist() == EVEN
    assert WORDS.round(x).tolist() == [STEP * code for code in EVEN]


def test_codes_of_activations_as_bytes() -> None:
    x = STEP * torch.tensor(HALVES)
    assert whole(encode(x, GRID)) == whole(split(GRID.encode(x).to(torch.int32), GRID)) == FOUR_BITS
    assert whole(encode(x, WORDS)) == whole(split(WORDS.encode(x).to(torch.int32), WORDS)) == EVEN
    assert whole(encode(1e9 * x, WORDS)) == [-(2**15)] * 4 + [2**15 - 1] * 5


def test_codes_of_activations_in_gate_steps() -> None:
    """A grid whose step is two gate steps: odd numbers of them are halves."""
    x = torch.tensor([int(2 * half) for half in HALVES], dtype=torch.int16)
    two = 2 * kernels.GATE_STEP
    assert whole(encode(x, integer_grid(4, 7 * two))) == FOUR_BITS
    assert whole(encode(x, Grid(16, two, -(2**15), 2**15 - 1))) == EVEN


@pytest.mark.parametrize("wide", [False, True])
def test_codes_of_a_recurrent_product_s_state(wide: bool) -> None:
    h = STEP * torch.tensor(HALVES).numpy().reshape(1, 1, -1).repeat(2, 0)
    held, sent = np.zeros(h.shape, np.int32), np.zeros((1, *h.shape), np.bool_)
    high, low = np.empty(h.shape, np.int8), np.empty(h.shape, np.int8)
    grid = WORDS if wide else GRID
    limits = np.float32(grid.lowest), np.float32(grid.highest)
    kernels.transmit(h, 1, 0, np.float32(1 / STEP), *limits, -1, held, high, low, wide, sent)
    codes = OperandCodes(torch.from_numpy(high), torch.from_numpy(low) if wide else None)
    assert whole(codes) == 2 * (EVEN if wide else FOUR_BITS)
    assert sent.all()  # below no threshold


def test_codes_of_weights() -> None:
    """A row whose largest magnitude is seven steps: the threshold of `max`."""
    row = STEP * torch.tensor([7.0, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 6.5])
    for per_channel in (False, True):
        weights = quantize_weights(row[None], 4, Scheme("max", per_channel=per_channel))
        assert weights.steps.tolist() == [STEP]
        assert weights.codes.tolist() == [[7, -2, -2, 0, 0, 2, 2, 6]]


def test_results_of_products() -> None:
    sums = np.array([[int(2 * half)] for half in HALVES], np.int32)
    result = np.empty(sums.shape, np.float32)
    kernels.requantize(sums, np.array([STEP / 2], np.float32), np.zeros(1, np.float32), STEP, result)
    assert result[:, 0].tolist() == [STEP * code for code in EVEN]


def test_whole_numbers() -> None:
    doubled = np.array([int(2 * half) for half in HALVES])
    assert shifted(doubled, 1).tolist() == EVEN
    assert shifted(4 * doubled, 3).tolist() == EVEN
    assert shifted(doubled, -2).tolist() == (4 * doubled).tolist()
    assert Multiplier.of(np.array(0.5))(doubled).tolist() == EVEN
    assert Multiplier.of(np.array(0.125))(4 * doubled).tolist() == EVEN
    assert rescaled(doubled, 8, 7).tolist() == EVEN
    # -9.5 and 0.25 are -9.25, no half any more: a sum is rounded once.
    assert rounded_sum((doubled, 1), (np.array(1), 2), to=0).tolist() == [-9, -2, -1, 0, 1, 2, 3, 7, 10]
    assert rounded_sum((doubled << 20, 1), to=0).tolist() == [-(2**15)] * 4 + [2**15 - 1] * 5


def test_biases_of_the_reference() -> None:
    """A product without inputs leaves its biases, in steps of its result."""
    steps = torch.ones(len(HALVES))
    codes = QuantizedWeights(nn.Module(), only={("A", 8): Weights(torch.ones(len(HALVES), 3), steps, 8)})
    calibration = Calibration({"A": {8: integer_grid(8, 1.0)}}, {}, {"A": WORDS}, {})
    reference = IntegerArithmetic({"A": (8, 8)}, codes, calibration, "other")
    found = reference.product("A", torch.zeros(1, 3), torch.empty(0), STEP * torch.tensor(HALVES))
    assert found[0].tolist() == [STEP * code for code in EVEN]


OPEN = 16.0
"""What opens a gate: its sigmoid is 1 in 16 bits; as an input, its hyperbolic tangent is."""


def sru_output(
    sums: tuple[float, float, float],
    biases: tuple[float, float],
    step: float,
    scale: tuple[float, float, float] = (1, 1, 1),
) -> int:
    """The first output, in gate steps, of an SRU cell: sums of its products for x, forget and reset gate, biases of the
    gates, the step of these sums and what they are scaled by; the state's step is a gate's."""
    u = np.array(sums, np.float32).reshape(1, 1, 3, 1)
    vectors = np.array([[[0.0], [0.0], [biases[0]], [biases[1]]]] * 2, np.float32)
    h, scales = np.zeros((1, 1, 2, 1), np.int16), np.array(scale, np.float32).reshape(3, 1)
    kernels.sru_forward_fixed(u, scales, vectors, np.array([1]), h, 0, 0, step, kernels.GATE_STEP)
    return int(h[0, 0, 0, 0])


@pytest.mark.slow
def test_each_product_of_sru_has_its_own_scale() -> None:
    step = 2.0**-10
    plain = sru_output((1.5, 0.75, -0.5), (0.0, 0.0), step)
    assert plain != sru_output((1.5, 0.75, 0.75), (0.0, 0.0), step)
    assert sru_output((3.0, 3.0, -4.0), (0.0, 0.0), step, (1 / 2, 1 / 4, 1 / 8)) == plain


@pytest.mark.parametrize("gate", ["forget", "reset"])
def test_gates_of_sru(gate: str) -> None:
    """Half a step opens a gate as none does, one and a half do as two; the other gate is open or closed."""
    step = 2.0**-10

    def output(total: float, bias: float) -> int:
        if gate == "forget":
            return sru_output((0.5, total, OPEN), (bias, 0.0), step)
        return sru_output((OPEN, -OPEN, total), (0.0, bias), step)

    of_steps = [output(n * step, 0.0) for n in range(3)]
    assert len(set(of_steps)) == 3
    assert [output(0.0, n * step / 2) for n in range(5)] == [of_steps[i] for i in (0, 0, 1, 2, 2)]


def test_states_and_outputs_of_sru() -> None:
    """Half-open gates halve an input of n gate steps to the state, whose tangent it is, and that to the output."""
    gate = kernels.GATE_STEP
    found = [sru_output((n * gate, 0.0, 0.0), (0.0, 0.0), gate) for n in range(1, 12)]
    states = [0, 1, 2, 2, 2, 3, 4, 4, 4, 5, 6]
    assert found == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3]
    assert found == [round(state / 2) for state in states]  # Python's own: ties to even
