"""Small networks on SiLago, computed by hand from the fabric below and the energies of the shipped file: cycles, the bits
of every level, and energy.

Times in comments are cycles from the first; [a, b) is a task that begins in cycle a and ends before cycle b. A link
takes results before inputs before weights, each in order; a register file holds two rows of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hand_computed import Figures, simulated

from simulators import Conv2d, Elementwise, Matmul, load_arch
from simulators.run.simulation import simulator
from simulators.workloads.operations import AnyLayer

FABRIC = [
    "frequency_mhz=200",
    "fabric.rows=2", "fabric.columns=4", "fabric.window_columns=1",  # 8 cells; 3 columns share a row of inputs
    "cell.register_file_words=64", "cell.read_ports=2", "cell.mac_lanes=2", "cell.special_function_lanes=1",
    "cell.reduction_cycles=2", "cell.loop_setup_cycles=1", "cell.instructions_per_layer=32",
    "dimarch.row_bits=64", "dimarch.link_bits_per_cycle=64", "dimarch.read_latency_cycles=6",  # rows of 4 words
    "dram.gb_per_s=1.6",  # 64 bits a cycle
]  # fmt: skip
ROW = 64
CONFIGURATION = 32 + 6
"""Cycles of 32 instructions and the latency of the first row."""
FIRST_ROW = 1 + 1 + 1
"""Cycles of the link for two rows of inputs and one of weights, for one row of cells: then the first is multiplied."""
REDUCTION = 1 + 2
"""Cycles behind a dot product of operands below 16 bits: of the loop, and of adding lanes up."""
LEAKAGE = 5e-3 / 200e6 * 1e12
"""pJ of a cycle, from 5 mW: 25."""


def figures(cycles: int, busy: int, of: str, pj: float, bits: dict[str, int]) -> Figures:
    """Figures of a layer whose own component takes so many pJ."""
    on_chip = bits["sram_read"] + bits["sram_write"]
    energy = {of: pj, "sram": 0.08 * on_chip, "noc": 0.02 * on_chip, "register_file": 0.01 * bits["register_file_read"]}
    if "dram_read" in bits:
        energy["dram"] = 15 * (bits["dram_read"] + bits.get("dram_write", 0))
    return Figures(cycles, busy, bits, {**energy, "leakage": LEAKAGE * cycles})


def product(cycles: int, busy: int, macs: int, mac_pj: float = 0.542, **bits: int) -> Figures:
    """A product whose cells are busy so many cycles; a multiply-accumulate of 8 bits takes 0.542 pJ."""
    return figures(cycles, busy, "mac", mac_pj * macs, bits)


def held(layer: AnyLayer, expected: Figures, *changes: str) -> None:
    """Hold a layer against what it should cost, with more changes of the spec."""
    found = simulated([layer], "silago", [*FABRIC, *changes])
    assert found == [replace(expected, pj=pytest.approx(expected.pj, rel=1e-12, abs=0))]


def matmul(outputs: int, inputs: int, steps: int, **values: Any) -> Matmul:
    bits = {"weight_bits": 8, "activation_bits": 8, "output_bits": 16}
    return Matmul(name="P", out_features=outputs, in_features=inputs, steps=steps, **{**bits, **values})


def tiles(weights: int, activations: int, rows: int) -> Sequence[str]:
    """Tiles of so many rows of 64 bits."""
    return (f"dimarch.weight_tiles={weights}", f"dimarch.activation_tiles={activations}", f"dimarch.tile_rows={rows}")


# Two vectors of 12 words, which are 3 rows, for 10 outputs: waves of 8 cells and of 2. For each cell a row of weights, for
# each three columns of them one of inputs: 2 of the 4 columns, and 1.
TWO_VECTORS = {
    "sram_read": 2 * 3 * ROW * (8 + 2) + 2 * 3 * ROW * (2 + 1),
    "register_file_read": 2 * 2 * 10 * 12 * 16, "sram_write": 2 * 10 * 16,
}  # fmt: skip


@pytest.mark.parametrize(
    ("bits", "inputs", "mac_pj", "overhead"), [(16, 12, 1.666, 1), (8, 24, 0.542, 1 + 2), (4, 48, 0.15325, 1 + 2)]
)
def test_one_product(bits: int, inputs: int, mac_pj: float, overhead: int) -> None:
    """Words of 12 multiply-accumulates of 16 bits, or of two or four times as many of 8 or 4."""
    # Of the first wave, which has two rows of cells: inputs [38, 39), [39, 40), weights [40, 42), then a word a cycle:
    # [42, 46), [46, 50), [50, 54), as the link needs 3 cycles for a row. Four waves; the last results take a cycle.
    expected = product(
        CONFIGURATION + (1 + 1 + 2) + 4 * (12 + overhead) + 1, 4 * 12, 2 * 10 * inputs, mac_pj, **TWO_VECTORS
    )
    held(matmul(10, inputs, 2, weight_bits=bits, activation_bits=bits), expected)


def test_a_recurrent_product_whose_weights_stay() -> None:
    """The same two vectors, one after the other: each step begins with the latency of a row."""
    step = 6 + (1 + 1 + 2) + 2 * (12 + REDUCTION)
    expected = product(CONFIGURATION + 2 * step + 1, 4 * 12, 2 * 10 * 24, **TWO_VECTORS)
    held(matmul(10, 24, 2, recurrent=True), expected)


def test_a_recurrent_product_whose_weights_do_not_stay() -> None:
    """Each step brings 10·12 words of weights from DRAM before it begins, in 30 cycles."""
    weights = 10 * 12 * 16
    step = weights // 64 + 6 + (1 + 1 + 2) + 2 * (12 + REDUCTION)
    expected = product(
        CONFIGURATION + 2 * step + 1, 4 * 12, 2 * 10 * 24, **TWO_VECTORS, dram_read=2 * weights
    )  # fmt: skip
    held(matmul(10, 24, 2, recurrent=True), expected, *tiles(1, 768, 8))


def one_row_of_cells(outputs: int, vectors: int) -> dict[str, int]:
    """Traffic of vectors of 12 words for so many outputs, each in a wave by itself: a row of weights and one of inputs."""
    return {
        "sram_read": vectors * outputs * 3 * ROW * (1 + 1), "register_file_read": vectors * 2 * outputs * 12 * 16,
        "sram_write": vectors * outputs * 16,
    }  # fmt: skip


def test_weights_from_dram_one_piece_at_a_time() -> None:
    """Tiles of 320 bits hold the weights of one output, 192 bits, which serve both vectors before the next come."""
    # Weights [0, 3). Vectors [41, 56), [56, 71); then weights [71, 74), vectors [77, 92), [92, 107), results [107, 108).
    vectors = 2 * (12 + REDUCTION)
    expected = product(
        CONFIGURATION + FIRST_ROW + vectors + 3 + FIRST_ROW + vectors + 1, 4 * 12, 2 * 2 * 24,
        **one_row_of_cells(2, 2), dram_read=2 * 12 * 16,
    )  # fmt: skip
    held(matmul(2, 24, 2), expected, *tiles(1, 768, 5))


def test_weights_from_dram_while_others_are_used() -> None:
    """With a DRAM of 4 bits a cycle, weights of an output take 48 cycles and its vector 15: tiles of 512 bits hold two."""
    # Weights [0, 48), [48, 96) and, in place of the first, [96, 144). The last vector [147, 162), results [162, 163).
    expected = product(
        3 * 48 + FIRST_ROW + 12 + REDUCTION + 1, 3 * 12, 3 * 24, **one_row_of_cells(3, 1), dram_read=3 * 12 * 16
    )
    held(matmul(3, 24, 1), expected, *tiles(1, 768, 8), "dram.gb_per_s=0.1")


def test_activations_that_tiles_do_not_hold() -> None:
    """Tiles of 384 bits hold the weights of 2 outputs; inputs of 2·24·8 and results of 2·2·16 bits are more than that."""
    inputs, results = 2 * 24 * 8, 2 * 2 * 16
    # Vectors [41, 56), [56, 71), the last results [71, 72), and their way to DRAM with a vector of inputs: 32 and 192
    # bits [72, 76).
    expected = product(
        CONFIGURATION + FIRST_ROW + 2 * (12 + REDUCTION) + 1 + 4, 2 * 12, 2 * 2 * 24,
        sram_read=2 * 3 * ROW * (2 + 1), register_file_read=2 * 2 * 2 * 12 * 16, sram_write=results,
        dram_write=results, dram_read=inputs,
    )  # fmt: skip
    held(matmul(2, 24, 2), expected, *tiles(1, 1, 6))


def test_activations_of_a_recurrent_product_that_tiles_do_not_hold() -> None:
    """Tiles of 512 bits; inputs of 2·24·8 and results of 2·10·16 bits. A step's inputs are shared out among its waves."""
    inputs, results = 2 * 24 * 8, 2 * 10 * 16
    # Behind the first wave of a step 8·16 + 96 bits, which the other hides; behind the last 2·16 + 96 in two cycles.
    step = 6 + (1 + 1 + 2) + 2 * (12 + REDUCTION)
    expected = product(
        CONFIGURATION + 2 * step + 1 + 2, 4 * 12, 2 * 10 * 24, **TWO_VECTORS, dram_write=results, dram_read=inputs
    )
    held(matmul(10, 24, 2, recurrent=True), expected, *tiles(30, 1, 8))


def test_pruned_weights() -> None:
    """Two of four weights are kept, with two bits that say which: 10 bits for 16, so a row of 64 bits takes 40. Cells that
    skip the others multiply 2 words of a row."""
    layer, sram_read = matmul(2, 24, 1, weight_sparsity=(2, 4)), 3 * (2 * 40 + ROW)
    expected = product(
        CONFIGURATION + FIRST_ROW + 12 + REDUCTION + 1, 12, 2 * 24, sram_read=sram_read,
        register_file_read=2 * 2 * 12 * 16, sram_write=2 * 16,
    )  # fmt: skip
    held(layer, expected)
    # Rows [41, 43), [43, 45); inputs and weights of the third [43, 45), for until then there was no place: [45, 47).
    skipping = product(
        CONFIGURATION + FIRST_ROW + 6 + REDUCTION + 1, 6, 2 * 12, sram_read=sram_read,
        register_file_read=2 * 2 * 6 * 16, sram_write=2 * 16,
    )  # fmt: skip
    held(layer, skipping, "skips_pruned_weights=true")


def test_inputs_that_a_delta_network_transmits() -> None:
    """Half of 24 inputs are 6 words: two rows for 2 outputs. A step that transmits nothing takes a word."""
    expected = product(
        CONFIGURATION + FIRST_ROW + 6 + REDUCTION + 1, 6, 2 * 12, sram_read=2 * ROW * (2 + 1),
        register_file_read=2 * 2 * 6 * 16, sram_write=2 * 16,
    )  # fmt: skip
    held(matmul(2, 24, 1, active=0.5), expected, "skips_inactive_inputs=true")
    # 12 words and 1: 3 rows and one. Of the second step there is one row of inputs to wait for.
    steps = 6 + FIRST_ROW + 12 + REDUCTION + 6 + (FIRST_ROW - 1) + 1 + REDUCTION
    recurrent = product(
        CONFIGURATION + steps + 1, 12 + 1, 2 * (24 + 1), sram_read=(3 + 1) * ROW * (2 + 1),
        register_file_read=2 * 2 * (12 + 1) * 16, sram_write=2 * 2 * 16,
    )  # fmt: skip
    held(matmul(2, 24, 2, recurrent=True, active=(1.0, 0.0)), recurrent, "skips_inactive_inputs=true")


def test_a_convolution() -> None:
    """Two channels of a map of 3 by 3, windows of 2 by 2 at 4 places: 8 operands of 8 bits, a row, for 3 outputs."""
    layer = Conv2d(
        name="C", in_channels=2, out_channels=3, kernel=(2, 2), input_size=(3, 3), steps=1, weight_bits=8,
        activation_bits=8, output_bits=8,
    )  # fmt: skip
    expected = product(
        CONFIGURATION + FIRST_ROW + 4 * (4 + REDUCTION) + 1, 4 * 4, 4 * 3 * 8, sram_read=4 * ROW * (3 + 1),
        register_file_read=4 * 2 * 3 * 4 * 16, sram_write=4 * 3 * 8,
    )  # fmt: skip
    held(layer, expected)


@pytest.mark.parametrize("spilled", [False, True])
def test_elementwise_work(spilled: bool) -> None:
    """A step of 10 sigmoids on the special lanes of 8 cells, 2 cycles, and 21 additions on all, 3; two operands each."""
    layer = Elementwise(name="E", ops={"sigmoid": 10, "add": 21}, inputs=20, outputs=10, steps=3)
    read, written = 3 * 20 * 16, 3 * 10 * 16
    bits = {"sram_read": read, "register_file_read": 3 * 2 * 31 * 16, "sram_write": written}
    # 320 bits on four links [38, 40), operations [40, 45), [45, 50), [50, 55), the last 160 bits [55, 56).
    cycles = CONFIGURATION + 2 + 3 * (2 + 3) + 1
    if spilled:
        # 480 bits to and from DRAM, behind the first results [45, 46), for which the third step's inputs wait: [46, 54),
        # [54, 62), [62, 70).
        cycles, bits = CONFIGURATION + 2 + 5 + 1 + 3 * 8, {**bits, "dram_read": read, "dram_write": written}
    expected = figures(cycles, 3 * 5, "elementwise", 3 * (10 * 3.332 + 21 * 0.333), bits)
    held(layer, expected, *(tiles(1, 1, 8) if spilled else ()))


CONSTANTS = Elementwise(name="E", ops={"sigmoid": 10, "add": 21}, inputs=20, outputs=10, steps=3, vector_parameters=18)
"""Each step reads 18 constants of 16 bits, which are five rows: two for one of the four links."""


def with_constants(cycles: int, **bits: int) -> Figures:
    """What the three steps take, with so many bits from DRAM."""
    read = 3 * (20 * 16 + 5 * ROW)
    bits = {"sram_read": read, "register_file_read": 3 * 2 * 31 * 16, "sram_write": 3 * 10 * 16, **bits}
    return figures(cycles, 3 * 5, "elementwise", 3 * (10 * 3.332 + 21 * 0.333), bits)


def test_constants_that_stay() -> None:
    """They are read at every step, behind the inputs, and but for the first step while the one before works."""
    # Inputs of two steps [38, 40), [40, 42), their constants [42, 44), [44, 46). Operations [44, 49), [49, 54) and, with
    # inputs [50, 52) and constants [52, 54) behind the first results, [54, 59), the last results [59, 60).
    held(CONSTANTS, with_constants(CONFIGURATION + 2 + 2 + 2 + 3 * 5 + 1))


def test_constants_from_dram_that_tiles_hold() -> None:
    """They come once: five tiles' rows are the first layer's, and the second's come from DRAM while that one works."""
    first, second = simulated([CONSTANTS, CONSTANTS.but(name="F")], "silago", [*FABRIC, *tiles(1, 768, 5)])
    cycles = CONFIGURATION + 2 + 2 + 2 + 3 * 5 + 1
    for found, expected in ((first, with_constants(cycles)), (second, with_constants(cycles, dram_read=18 * 16))):
        assert found == replace(expected, pj=pytest.approx(expected.pj, rel=1e-12, abs=0))


def test_constants_from_dram_that_tiles_do_not_hold() -> None:
    """Four rows hold no 288 bits: they come at every step, in 5 cycles, when the step before is done."""
    # From DRAM [38, 43), to the cells [43, 45), operations [45, 50); [50, 62) and [62, 74) likewise, results [74, 75).
    expected = with_constants(CONFIGURATION + 3 * (5 + 2 + 5) + 1, dram_read=3 * 18 * 16)
    held(CONSTANTS, expected, *tiles(1, 768, 4))


def test_a_link_that_many_rows_of_cells_wait_for_has_fewer_of_them() -> None:
    """17 outputs on 4 rows of 4 cells, of two vectors of 3 words: 16 outputs and one, or 12 and 5."""
    # A link of 32 bits brings a row of weights to R rows of cells in 2·R cycles and one of inputs in 1, and takes results of
    # 32 bits in R; cells take 3 + 3. So 2·(3·4 + 1) + 2·(3 + 3) for 16 and 1, 2·(3·3 + 1) + 2·(3·2 + 1) for 12 and 5.
    fabric = [*FABRIC, "fabric.rows=4", "dimarch.link_bits_per_cycle=32"]
    ((_, row),) = simulator(load_arch("silago", fabric)).mappings([matmul(17, 6, 2, output_bits=32)])
    assert row["loops"] == ("for 2 waves of 12 outputs", "  for 2 vectors", "    for 1 rows of 3 words")
