"""Small networks on Bit Fusion, computed by hand from the figures below: cycles, the bits of every level, and energy.

Times in comments are cycles from the first; [a, b) is a task that begins in cycle a and ends before cycle b. DRAM takes
inputs before results before weights, each in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hand_computed import Figures, simulated

from simulators import ActivationMatmul, Conv2d, Elementwise, Matmul
from simulators.workloads.operations import AnyLayer

FIGURES = [
    "frequency_mhz=500",
    "array.rows=4", "array.columns=8", "array.unit_operand_bits=8",  # 32 units; fill and drain take 4 + 8 - 2 cycles
    "buffers.input_kib=0.25", "buffers.weight_kib=0.125", "buffers.output_kib=0.25",  # halves of 1024, 512, 1024 bits
    "buffers.partial_sum_bits=32",
    "dram.bits_per_cycle=64", "dram.pj_per_bit=15",
    "post_processing.lanes=4", "post_processing.cycles_per_op={add: 1, sigmoid: 1, exp: 3}",
    "post_processing.pj_per_op={add: 0.333, sigmoid: 3.332, exp: 5}",
    "energy.unit_pj_per_cycle=0.5",
    "energy.input_buffer_pj_per_bit={read: 0.06, write: 0.11}",
    "energy.weight_buffer_pj_per_bit={read: 0.02, write: 0.03}",
    "energy.output_buffer_pj_per_bit={read: 0.035, write: 0.075}",
    "energy.sram_leakage_mw=100", "energy.unit_leakage_mw=0.5",
]  # fmt: skip
ARRAY = 0.5 * 32
"""pJ of a cycle of the array."""
LEAKAGE = (100 + 0.5 * 32) * 1e-3 / 500e6 * 1e12
"""pJ of a cycle, from mW and MHz: 0.232."""
DRAIN = 4 + 8 - 2


def memory(bits: dict[str, int]) -> dict[str, float]:
    """pJ of DRAM and buffers."""
    of = {
        "dram_read": 0,
        "dram_write": 0,
        **{f"{b}_buffer_{d}": 0 for b in ("input", "weight", "output") for d in ("read", "write")},
    }
    of |= bits
    return {
        "dram": 15 * (of["dram_read"] + of["dram_write"]),
        "input_buffer": 0.06 * of["input_buffer_read"] + 0.11 * of["input_buffer_write"],
        "weight_buffer": 0.02 * of["weight_buffer_read"] + 0.03 * of["weight_buffer_write"],
        "output_buffer": 0.035 * of["output_buffer_read"] + 0.075 * of["output_buffer_write"],
    }  # fmt: skip


def product(cycles: int, busy: int, leakage: float = LEAKAGE, **bits: int) -> Figures:
    """A product whose array is busy so many cycles, and a cycle of which leaks so many pJ."""
    return Figures(cycles, busy, bits, {"array": ARRAY * busy, **memory(bits), "leakage": leakage * cycles})


def elementwise(cycles: int, busy: int, pj: float, **bits: int) -> Figures:
    """Elementwise work whose operations take so many pJ."""
    return Figures(cycles, busy, bits, {"post_processing": pj, **memory(bits), "leakage": LEAKAGE * cycles})


def held(layers: AnyLayer | tuple[AnyLayer, ...], tiles: str, *expected: Figures, changes: Sequence[str] = ()) -> None:
    """Hold layers against what they should cost, with a mapping for all products and more changes of the spec."""
    layers = layers if isinstance(layers, tuple) else (layers,)
    found = simulated(layers, "bitfusion", [*FIGURES, f"mapping={{{tiles}}}", *changes])
    assert found == [replace(one, pj=pytest.approx(one.pj, rel=1e-12, abs=0)) for one in expected]


def matmul(outputs: int, inputs: int, steps: int, **values: Any) -> Matmul:
    bits = {"weight_bits": 8, "activation_bits": 8, "output_bits": 16}
    return Matmul(name="P", out_features=outputs, in_features=inputs, steps=steps, **{**bits, **values})


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
    held(matmul(10, 12, 3), TEN_BY_TWELVE, PLAIN)


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
    held(matmul(10, 12, 3), TEN_BY_TWELVE, expected, changes=(f"corrections.{correction}=false",))


def test_leakage_can_be_switched_off() -> None:
    without = {component: pj for component, pj in PLAIN.pj.items() if component != "leakage"}
    expected = replace(PLAIN, pj=without)
    held(matmul(10, 12, 3), TEN_BY_TWELVE, expected, changes=("corrections.leakage=false",))


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
    held(matmul(8, 4, 3), TEN_BY_TWELVE, without)
    sums = 3 * 8 * 32
    more = {"dram_read": sums, "output_buffer_write": sums, "output_buffer_read": sums}
    bits = {level: count + more.get(level, 0) for level, count in without.bits.items()}
    held(matmul(8, 4, 3), TEN_BY_TWELVE, product(37, 3, **bits), changes=("corrections.skip_first_preload=false",))


ONE_TILE = "outer: outputs, out_tile: 8, in_tile: 8, vector_tile: 8"


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
    held(matmul(4, 8, 2, weight_bits=weight_bits, activation_bits=activation_bits), ONE_TILE, expected)


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
    held(layer, ONE_TILE, expected)
    skipping = product(expected.cycles - 2, 2, **expected.bits)
    held(layer, ONE_TILE, skipping, changes=("skips_pruned_weights=true",))


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
    held(layer, ONE_TILE, expected, changes=("skips_inactive_inputs=true",))
    # Hardware that does not skip: inputs of 128 bits [0, 2), weights [2, 6), 2 vectors of two rows' worth [6, 10).
    whole = product(
        10 + DRAIN + 2, 4, dram_read=weights + 2 * 8 * 8, weight_buffer_write=weights, input_buffer_write=2 * 8 * 8,
        input_buffer_read=2 * 8 * 8, weight_buffer_read=2 * weights, output_buffer_write=sums,
        output_buffer_read=sums, dram_write=2 * 4 * 16,
    )  # fmt: skip
    held(layer, ONE_TILE, whole)


def test_a_recurrent_product_whose_weights_stay() -> None:
    """6·4 weights of 8 bits are loaded once, in as many parts as there are tiles; vectors stay on chip."""
    weights, steps = 6 * 4 * 8, 3
    # Parts of 96 bits [0, 2), [2, 4); products of 4 and 2 outputs [2, 3), [4, 5); drains [3, 13), [13, 23), behind which
    # the next step begins: 1 + 10 + 10 cycles each. The last results are stored in one cycle.
    expected = product(
        23 + 2 * 21 + 1, 2 * steps, dram_read=weights, weight_buffer_write=weights,
        input_buffer_read=steps * 2 * 4 * 8, weight_buffer_read=steps * weights,
        output_buffer_write=steps * 6 * 32, output_buffer_read=steps * 6 * 32, dram_write=steps * 6 * 16,
    )  # fmt: skip
    tiles = "outer: outputs, out_tile: 4, in_tile: 4, vector_tile: 1"
    held(matmul(6, 4, steps, recurrent=True), tiles, expected)


def test_a_recurrent_product_whose_weights_do_not_stay() -> None:
    """A weight buffer of 128 bits takes tiles of 2·4·8 bits, which come again at every step."""
    weights, steps = 6 * 4 * 8, 3
    # Weights [0, 1), [1, 2); products [1, 2), [2, 3); weights [2, 3). The third product waits for the part of the output
    # buffer whose results leave after the drain [2, 12), in [12, 13). Drains of the others [12, 22), [22, 32). The next
    # step has one product before its drains of 30 cycles. The last results are stored in one cycle.
    expected = product(
        32 + 2 * 31 + 1, 3 * steps, dram_read=steps * weights, weight_buffer_write=steps * weights,
        input_buffer_read=steps * 3 * 4 * 8, weight_buffer_read=steps * weights,
        output_buffer_write=steps * 6 * 32, output_buffer_read=steps * 6 * 32, dram_write=steps * 6 * 16,
    )  # fmt: skip
    tiles = "outer: outputs, out_tile: 2, in_tile: 4, vector_tile: 1"
    held(matmul(6, 4, steps, recurrent=True), tiles, expected, changes=("buffers.weight_kib=0.015625",))


DELTA = {"recurrent": True, "active": (1.0, 0.5, 0.0)}
"""Of 8 inputs, 3 steps transmit 8, 4 and one at least."""


def test_a_recurrent_product_of_a_delta_network() -> None:
    """Weights that stay are loaded whole; each step reads those of the inputs that it has."""
    weights, inputs, sums = 4 * 8 * 8, 8 + 4 + 1, 3 * 4 * 32
    # Weights of 256 bits [0, 4); products of 2, 1 and 1 rows' worth, each with its drain; the last results are 64 bits.
    expected = product(
        4 + (2 + 1 + 1) + 3 * DRAIN + 1, 4, dram_read=weights, weight_buffer_write=weights,
        input_buffer_read=inputs * 8, weight_buffer_read=4 * inputs * 8, output_buffer_write=sums,
        output_buffer_read=sums, dram_write=3 * 4 * 16,
    )  # fmt: skip
    held(matmul(4, 8, 3, **DELTA), ONE_TILE, expected, changes=("skips_inactive_inputs=true",))


def test_a_recurrent_product_of_a_delta_network_whose_weights_do_not_stay() -> None:
    """Each step loads the columns of the inputs that it has, in 4, 2 and one part of two inputs."""
    inputs, sums = 8 + 4 + 1, 4 * 32
    # Of the first step, weights [0, 1), [1, 2), [2, 3), [3, 4) and parts [1, 2), [2, 3), [3, 4), [4, 5); drain [5, 15); of
    # the others weights are there before: parts and drains [15, 17), [17, 27), [27, 28), [28, 38); results [38, 39).
    expected = product(
        39, 4 + 2 + 1, dram_read=4 * inputs * 8, weight_buffer_write=4 * inputs * 8, input_buffer_read=inputs * 8,
        weight_buffer_read=4 * inputs * 8, output_buffer_write=(4 + 2 + 1) * sums,
        output_buffer_read=(3 + 1 + 0) * sums + 3 * sums, dram_write=3 * 4 * 16,
    )  # fmt: skip
    tiles = "outer: outputs, out_tile: 4, in_tile: 2, vector_tile: 1"
    small = ("skips_inactive_inputs=true", "buffers.weight_kib=0.025")  # 204 bits; halves of 102
    held(matmul(4, 8, 3, **DELTA), tiles, expected, changes=small)


def convolution(**values: Any) -> Conv2d:
    """Two channels of a map of 3 by 3, to three: windows of 2 by 2 at 2 by 2 places."""
    shape = {"in_channels": 2, "out_channels": 3, "kernel": (2, 2), "input_size": (3, 3), "steps": 1}
    return Conv2d(name="C", weight_bits=8, activation_bits=8, output_bits=8, **{**shape, **values})  # type: ignore[arg-type]


def test_a_convolution() -> None:
    """The map is read once. 4 windows take the 4 positions of the kernel one after the other, its 2 channels at once."""
    weights, pixels = 3 * 2 * 4 * 8, 9 * 2 * 8
    # Inputs of 144 bits [0, 3), weights of 192 [3, 6), product [6, 22); results of 4·3·8 bits take 2 cycles.
    expected = product(
        22 + DRAIN + 2, 4 * 4, dram_read=weights + pixels, weight_buffer_write=weights, input_buffer_write=pixels,
        input_buffer_read=4 * 8 * 8, weight_buffer_read=4 * weights, output_buffer_write=4 * 3 * 32,
        output_buffer_read=4 * 3 * 32, dram_write=4 * 3 * 8,
    )  # fmt: skip
    held(convolution(), ONE_TILE, expected)


def test_a_convolution_row_by_row() -> None:
    """Two windows a tile: each reads two rows of the map, and so the middle one twice; weights stay meanwhile."""
    weights, two_rows = 3 * 2 * 4 * 8, 2 * 3 * 2 * 8
    # Inputs of 96 bits [0, 2), [2, 4), weights [4, 7), products [7, 15), [15, 23); the second drain is behind its own
    # product; results of 2·3·8 bits take a cycle.
    expected = product(
        23 + DRAIN + 2 + 1, 4 * 4, dram_read=weights + 2 * two_rows, weight_buffer_write=weights,
        input_buffer_write=2 * two_rows, input_buffer_read=4 * 8 * 8, weight_buffer_read=4 * weights,
        output_buffer_write=4 * 3 * 32, output_buffer_read=4 * 3 * 32, dram_write=4 * 3 * 8,
    )  # fmt: skip
    held(convolution(), "outer: outputs, out_tile: 8, in_tile: 8, vector_tile: 2", expected)


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
    held(layer, ONE_TILE, expected)


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
    held(layers, "outer: vectors, out_tile: 4, in_tile: 4, vector_tile: 2", first, second)


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
    held(layer, ONE_TILE, expected)


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
