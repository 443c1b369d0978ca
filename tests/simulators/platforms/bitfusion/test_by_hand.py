"""Layers on a small Bit Fusion (`tests/helpers/small_bitfusion.py`), computed by hand: cycles, the bits of every level,
and energy.

Times in comments are cycles from the first; [a, b) is a task that begins in cycle a and ends before cycle b. DRAM takes
inputs before results before weights, each in order.
"""

from dataclasses import replace

import pytest
from hand_computed import Figures, simulated
from small_bitfusion import DRAIN, ONE_TILE, elementwise, exactly, matmul, product, run

from simulators import ActivationMatmul, Conv2d, Elementwise

TEN_BY_TWELVE = "outer: outputs, out_tile: 8, in_tile: 8, vector_tile: 4"
"""8 and 2 outputs; 8 and 4 inputs; 3 vectors, the whole of them."""
# Inputs of 3·8·8 and 3·4·8 bits take 3 and 2 cycles: [0, 3), [3, 5). Weights of 8·8·8 and 8·4·8 take 8 and 4: [5, 13),
# [13, 17). Products take 3 vectors · 2 or 1 rows' worth: [13, 19), [19, 22); drain [22, 32), results of 3·8·16 bits
# [32, 38). The other outputs: inputs [19, 22), [22, 24) as halves are free, weights of 2·8·8 and 2·4·8 bits [24, 26),
# [26, 27); products [26, 32), [32, 35), drain [35, 45), results of 3·2·16 bits [45, 47).
PLAIN = product(
    47, 2 * (6 + 3),
    dram_read=10 * 12 * 8 + 2 * 3 * 12 * 8, weight_buffer_write=10 * 12 * 8, input_buffer_write=2 * 3 * 12 * 8,
    input_buffer_read=2 * 3 * 12 * 8, weight_buffer_read=3 * 10 * 12 * 8,
    output_buffer_write=2 * 3 * 10 * 32, output_buffer_read=3 * 10 * 32 + 3 * 10 * 32, dram_write=3 * 10 * 16,
)  # fmt: skip


def test_one_product() -> None:
    """Weights are read once, inputs once for each tile of outputs. A row's columns share a read of an input; each vector
    reads its weights; each part of the reduction writes its sums, and the second reads those of the first."""
    assert run(matmul(10, 12, 3), TEN_BY_TWELVE) == exactly(PLAIN)


def corrected(cycles: int, busy: int = PLAIN.busy, **bits: int) -> Figures:
    """The same product where more bits move."""
    return product(cycles, busy, **{**PLAIN.bits, **{level: PLAIN.bits[level] + more for level, more in bits.items()}})


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        # Results of 32 bits: [32, 44), and from 45 on 3 cycles.
        ("true_output_bits", corrected(48, dram_write=3 * 10 * 16)),
        # Every output has a read of its own, of 3·8 and 3·4 inputs: 10 in place of 2.
        ("share_inputs_in_row", corrected(47, input_buffer_read=(10 - 2) * 3 * 12 * 8)),
        # All parts take the cycles of 3 vectors, 8 outputs and 8 inputs: [13, 19), [19, 25); with inputs [19, 22), [25, 27)
        # and weights [22, 24), [27, 28), those of the other outputs [25, 31), [31, 37). Drain [37, 47), results [47, 49).
        ("true_edge_tiles", corrected(49, busy=4 * 6)),
        # Drains of one cycle: [22, 23), and so results before weights: [24, 30). Weights [30, 32), [32, 33), products
        # [32, 38), [38, 41), drain [41, 42), results [42, 44).
        ("fill_drain", corrected(44)),
    ],
)  # fmt: skip
def test_what_is_corrected_can_be_switched_off(correction: str, expected: Figures) -> None:
    assert run(matmul(10, 12, 3), TEN_BY_TWELVE, f"corrections.{correction}=false") == exactly(expected)


def test_leakage_can_be_switched_off() -> None:
    without = {component: pj for component, pj in PLAIN.pj.items() if component != "leakage"}
    expected = replace(PLAIN, pj=without)
    assert run(matmul(10, 12, 3), TEN_BY_TWELVE, "corrections.leakage=false") == exactly(expected)


def test_sums_that_are_loaded_before_there_are_any() -> None:
    """The published model reads the sums from DRAM before there are any, and the first part of the reduction reads them
    from the buffer."""
    # One tile: inputs of 3·4·8 bits [0, 2), sums of 3·8·32 [2, 14), weights of 8·4·8 [14, 18), product [18, 21), drain
    # [21, 31), results of 3·8·16 [31, 37). Without the sums all but the loads of inputs begin 12 earlier.
    without = product(
        37 - 12, 3, dram_read=8 * 4 * 8 + 3 * 4 * 8, weight_buffer_write=8 * 4 * 8, input_buffer_write=3 * 4 * 8,
        input_buffer_read=3 * 4 * 8, weight_buffer_read=3 * 8 * 4 * 8, output_buffer_write=3 * 8 * 32,
        output_buffer_read=3 * 8 * 32, dram_write=3 * 8 * 16,
    )  # fmt: skip
    assert run(matmul(8, 4, 3), TEN_BY_TWELVE) == exactly(without)
    sums = 3 * 8 * 32
    more = {"dram_read": sums, "output_buffer_write": sums, "output_buffer_read": sums}
    bits = {level: count + more.get(level, 0) for level, count in without.bits.items()}
    assert run(matmul(8, 4, 3), TEN_BY_TWELVE, "corrections.skip_first_preload=false") == exactly(
        product(37, 3, **bits)
    )


@pytest.mark.parametrize(
    ("weight_bits", "activation_bits", "busy"),
    [
        # 2 vectors of 8 inputs on 4 rows, each of which adds up so many products a cycle:
        (8, 8, 2 * 2),  # 1
        (4, 8, 2 * 1),  # 2
        (2, 2, 2 * 1),  # 16: all at once
        (16, 16, 2 * 2 * 4),  # 1, in four passes
        (16, 8, 2 * 2 * 2),  # 1, in two
        (4, 16, 2 * 1 * 2),  # 2, in two
        (3, 5, 2 * 1),  # as 4 and 8 bits; memory and buffers have 3 and 5
    ],
)
def test_widths(weight_bits: int, activation_bits: int, busy: int) -> None:
    weights, inputs, results = 4 * 8 * weight_bits, 2 * 8 * activation_bits, 2 * 4 * 16
    loads = -(-weights // 64) + -(-inputs // 64)  # one after the other, inputs first
    expected = product(
        loads + busy + DRAIN + 2, busy, dram_read=weights + inputs, weight_buffer_write=weights,
        input_buffer_write=inputs, input_buffer_read=inputs, weight_buffer_read=2 * weights,
        output_buffer_write=2 * 4 * 32, output_buffer_read=2 * 4 * 32, dram_write=results,
    )  # fmt: skip
    assert run(matmul(4, 8, 2, weight_bits=weight_bits, activation_bits=activation_bits), ONE_TILE) == exactly(expected)


def test_pruned_weights() -> None:
    """Two of four weights are kept, with two bits that say which: 4·8/2 of 10 bits. Hardware that skips the others
    multiplies half of the inputs, and reads them all."""
    weights, inputs, sums = 4 * 4 * (8 + 2), 2 * 8 * 8, 2 * 4 * 32
    # Inputs [0, 2), weights of 160 bits [2, 5); results of 2·4·16 bits take 2 cycles.
    expected = product(
        5 + 4 + DRAIN + 2, 4, dram_read=weights + inputs, weight_buffer_write=weights, input_buffer_write=inputs,
        input_buffer_read=inputs, weight_buffer_read=2 * weights, output_buffer_write=sums, output_buffer_read=sums,
        dram_write=2 * 4 * 16,
    )  # fmt: skip
    layer = matmul(4, 8, 2, weight_sparsity=(2, 4))
    assert run(layer, ONE_TILE) == exactly(expected)
    skipping = product(expected.cycles - 2, 2, **expected.bits)
    assert run(layer, ONE_TILE, "skips_pruned_weights=true") == exactly(skipping)


def test_inputs_that_a_delta_network_transmits() -> None:
    """Three of eight inputs of each vector: hardware that skips the others neither loads nor multiplies them, and reads
    the weights of three; it loads all weights, for each vector leaves out others."""
    weights, sums = 4 * 8 * 8, 2 * 4 * 32
    layer = matmul(4, 8, 2, active=0.375)
    # Inputs of 2·3·8 bits [0, 1), weights [1, 5), 2 vectors of a row's worth [5, 7).
    expected = product(
        7 + DRAIN + 2, 2, dram_read=weights + 2 * 3 * 8, weight_buffer_write=weights, input_buffer_write=2 * 3 * 8,
        input_buffer_read=2 * 3 * 8, weight_buffer_read=2 * 4 * 3 * 8, output_buffer_write=sums,
        output_buffer_read=sums, dram_write=2 * 4 * 16,
    )  # fmt: skip
    assert run(layer, ONE_TILE, "skips_inactive_inputs=true") == exactly(expected)
    # Hardware that does not skip: inputs of 128 bits [0, 2), weights [2, 6), 2 vectors of two rows' worth [6, 10).
    whole = product(
        10 + DRAIN + 2, 4, dram_read=weights + 2 * 8 * 8, weight_buffer_write=weights, input_buffer_write=2 * 8 * 8,
        input_buffer_read=2 * 8 * 8, weight_buffer_read=2 * weights, output_buffer_write=sums,
        output_buffer_read=sums, dram_write=2 * 4 * 16,
    )  # fmt: skip
    assert run(layer, ONE_TILE) == exactly(whole)


CONVOLUTION = Conv2d(
    name="C", in_channels=2, out_channels=3, kernel=(2, 2), input_size=(3, 3), steps=1, weight_bits=8, activation_bits=8,
    output_bits=8,
)  # fmt: skip
"""Two channels of a map of 3 by 3, to three: windows of 2 by 2 at 2 by 2 places."""


def test_a_convolution() -> None:
    """The map is read once. 4 windows take the 4 positions of the kernel one after the other, its 2 channels at once."""
    weights, pixels = 3 * 2 * 4 * 8, 9 * 2 * 8
    # Inputs of 144 bits [0, 3), weights of 192 [3, 6), product [6, 22); results of 4·3·8 bits take 2 cycles.
    expected = product(
        22 + DRAIN + 2, 4 * 4, dram_read=weights + pixels, weight_buffer_write=weights, input_buffer_write=pixels,
        input_buffer_read=4 * 8 * 8, weight_buffer_read=4 * weights, output_buffer_write=4 * 3 * 32,
        output_buffer_read=4 * 3 * 32, dram_write=4 * 3 * 8,
    )  # fmt: skip
    assert run(CONVOLUTION, ONE_TILE) == exactly(expected)


def test_a_convolution_row_by_row() -> None:
    """Two windows a tile: each reads two rows of the map, and so the middle one twice; weights stay meanwhile."""
    weights, two_rows = 3 * 2 * 4 * 8, 2 * 3 * 2 * 8
    # Inputs of 96 bits [0, 2), [2, 4), weights [4, 7), products [7, 15), [15, 23); drains [15, 25), [25, 35); the last
    # results, of 2·3·8 bits, [35, 36).
    expected = product(
        36, 4 * 4, dram_read=weights + 2 * two_rows, weight_buffer_write=weights,
        input_buffer_write=2 * two_rows, input_buffer_read=4 * 8 * 8, weight_buffer_read=4 * weights,
        output_buffer_write=4 * 3 * 32, output_buffer_read=4 * 3 * 32, dram_write=4 * 3 * 8,
    )  # fmt: skip
    assert run(CONVOLUTION, "outer: outputs, out_tile: 8, in_tile: 8, vector_tile: 2") == exactly(expected)


def test_products_of_two_activations() -> None:
    """Two heads, each a matrix of 4 by 8 times 2 vectors; the matrix is read as 4 bits, vectors as 8."""
    matrix, inputs, sums = 4 * 8 * 4, 2 * 8 * 8, 2 * 4 * 32
    # Inputs of both heads [0, 2), [2, 4), matrices [4, 6), [6, 8). Products of 4 by 8 bits take 2 vectors · 1: [6, 8),
    # [8, 10); drains [8, 18), [18, 28); results of 2·4·16 bits [28, 30).
    expected = product(
        30, 2 * 2, dram_read=2 * (matrix + inputs), weight_buffer_write=2 * matrix, input_buffer_write=2 * inputs,
        input_buffer_read=2 * inputs, weight_buffer_read=2 * 2 * matrix, output_buffer_write=2 * sums,
        output_buffer_read=2 * sums, dram_write=2 * 2 * 4 * 16,
    )  # fmt: skip
    layer = ActivationMatmul(
        name="A", out_features=4, in_features=8, vectors=2, heads=2, steps=1, second_bits=4, activation_bits=8,
        output_bits=16,
    )  # fmt: skip
    assert run(layer, ONE_TILE) == exactly(expected)


OPS = {"add": 12, "sigmoid": 6, "exp": 2}
OPS_PJ = 12 * 0.333 + 6 * 3.332 + 2 * 5


def test_elementwise_work_behind_a_product() -> None:
    """What the elementwise layer takes of the product never goes to DRAM: its sums are read where they lie. What else it
    takes, and what it hands on, passes the output buffer, shared out among 6 results a step and rounded up."""
    layers = (
        matmul(6, 4, 2),
        Elementwise(name="E", ops=OPS, inputs=8, outputs=3, steps=2, vector_parameters=5),
    )
    # Inputs of 64 bits [0, 1); others' 2·16 bits a step, of 8/6 and 4/6 of it: 43 bits [1, 2) and 22 [2, 3); 5 vectors of
    # 16 bits [3, 5); weights of 128 and 64 bits [5, 7), [7, 8). Products [7, 9), [9, 11); drains [9, 19), [19, 29). 12 + 6
    # + 2·3 lane cycles a step, of which 32 and 16 on 4 lanes: [19, 27), [29, 33); results of 64 and 32 bits [27, 28),
    # [33, 34).
    first = product(
        34 - 12, 4, dram_read=6 * 4 * 8 + 2 * 4 * 8, weight_buffer_write=6 * 4 * 8, input_buffer_write=2 * 4 * 8,
        input_buffer_read=2 * 2 * 4 * 8, weight_buffer_read=2 * 6 * 4 * 8, output_buffer_write=2 * 6 * 32,
        output_buffer_read=2 * 6 * 32,
    )  # fmt: skip
    passing = (43 + 22) + (64 + 32)
    second = elementwise(
        12, 8 + 4, 2 * OPS_PJ, dram_read=5 * 16 + 43 + 22, output_buffer_write=passing,
        output_buffer_read=passing, dram_write=64 + 32,
    )  # fmt: skip
    assert run(layers, "outer: vectors, out_tile: 4, in_tile: 4, vector_tile: 2") == exactly(first, second)


def test_elementwise_work_by_itself() -> None:
    """Everything passes the output buffer, chunk by chunk."""
    layer = Elementwise(name="E", ops=OPS, inputs=10, outputs=6, steps=2, vector_parameters=5)
    read, written = 2 * 10 * 16, 2 * 6 * 16
    # Six chunks: loads of 54 or 53 bits, stores of 32 bits take a cycle, 8 lane cycles two. Loads [0, 1), [1, 2), 5
    # vectors of 16 bits [2, 4), operations from 4 on without a pause, for a chunk is stored and the next but one loaded in
    # the time of one: [4, 16). The last result [16, 17). Two chunks would take 3 + 3 + 2 + 12 + 2, five 2 + 2 + 5·3 + 1.
    expected = elementwise(
        17, 12, 2 * OPS_PJ, dram_read=read + 5 * 16, output_buffer_write=read + written,
        output_buffer_read=read + written, dram_write=written,
    )  # fmt: skip
    assert run(layer, ONE_TILE) == exactly(expected)


def test_the_figures_of_the_shipped_file() -> None:
    """One vector of 16 inputs and 32 outputs at 8 bits, which the array of 16 by 32 units multiplies in a cycle."""
    # Inputs of 128 bits [0, 1), weights of 4,096 at 192 bits a cycle [1, 23), product, drain of 16 + 32 - 2, results of
    # 512 bits in 3 cycles.
    weights, inputs, sums, results = 32 * 16 * 8, 16 * 8, 32 * 32, 32 * 16
    cycles = 1 + 22 + 1 + 46 + 3
    bits = {
        "dram_read": weights + inputs, "weight_buffer_write": weights, "input_buffer_write": inputs,
        "input_buffer_read": inputs, "weight_buffer_read": weights, "output_buffer_write": sums,
        "output_buffer_read": sums, "dram_write": results,
    }  # fmt: skip
    pj = {
        "array": 0.235104e3, "dram": 15 * (weights + inputs + results),
        "input_buffer": (0.0595 + 0.1137) * inputs, "weight_buffer": (0.0214 + 0.0289) * weights,
        "output_buffer": (0.0332 + 0.0731) * sums, "leakage": (212 + 30) * 1e-3 / 500e6 * 1e12 * cycles,
    }  # fmt: skip
    mapping = "mapping={outer: outputs, out_tile: 32, in_tile: 16, vector_tile: 1}"
    (found,) = simulated([matmul(32, 16, 1)], "bitfusion", [mapping])
    assert found == Figures(cycles, 1, bits, pytest.approx(pj, rel=3e-3, abs=0))  # figures of SRAM have three digits
