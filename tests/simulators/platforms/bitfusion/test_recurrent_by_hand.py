"""Products whose vectors wait for each other, on a small Bit Fusion (`tests/helpers/small_bitfusion.py`), computed by
hand: cycles, the bits of every level, and energy. Times are written as in `test_by_hand.py`."""

from small_bitfusion import DRAIN, ONE_TILE, exactly, matmul, product, run


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
    assert run(matmul(6, 4, steps, recurrent=True), tiles) == exactly(expected)


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
    assert run(matmul(6, 4, steps, recurrent=True), tiles, "buffers.weight_kib=0.015625") == exactly(expected)


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
    assert run(matmul(4, 8, 3, **DELTA), ONE_TILE, "skips_inactive_inputs=true") == exactly(expected)


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
    assert run(matmul(4, 8, 3, **DELTA), tiles, *small) == exactly(expected)
