"""What tiles move adds up to what the layer has, to the bit; a buffer holds what it is said to hold."""

from simulators import Elementwise, Matmul, Trace, load_arch, simulate
from simulators.engine.fast import run_tasks
from simulators.engine.program import unroll
from simulators.platforms.bitfusion.machine import LOAD_WEIGHTS, MULTIPLY
from simulators.run.simulation import lower


def test_shares_of_tiles_are_whole_bits() -> None:
    # Tiles of 7, 7, 7 and 4 of 25 outputs; in floats 25 · (7 / 25) · 8 is a little more than 56.
    product = Matmul(
        name="x", out_features=25, in_features=4, steps=1, weight_bits=8, activation_bits=8, output_bits=16
    )
    behind = Elementwise(name="y", ops={"add": 25}, inputs=50, outputs=25, steps=1, activation_bits=8, output_bits=8)
    arch = load_arch("bitfusion", ["mapping={outer: outputs, out_tile: 7, in_tile: 4, vector_tile: 1}"])
    _, moved = simulate(Trace(name="shares", steps=1, layers=(product, behind)), arch).layers
    assert moved.bits["dram_write"] == 25 * 8
    assert moved.bits["dram_read"] == 25 * 8


def test_the_mean_share_of_active_inputs_is_exact() -> None:
    # 7 of 12 inputs, in tiles of 9 and 3 inputs of three vectors: 126 and 42 bits; in floats 216 · (7 / 12) is more.
    product = Matmul(
        name="x", out_features=4, in_features=12, steps=3, weight_bits=8, activation_bits=8, output_bits=16,
        active=(0.58, 0.58, 0.58),
    )  # fmt: skip
    mapping = "mapping={outer: outputs, out_tile: 4, in_tile: 9, vector_tile: 3}"
    arch = load_arch("bitfusion", ["skips_inactive_inputs=true", mapping])
    (moved,) = simulate(Trace(name="shares", steps=3, layers=(product,)), arch).layers
    assert moved.bits["input_buffer_write"] == 3 * 7 * 8


def test_weights_that_stay_are_not_overwritten_before_the_last_step() -> None:
    # 256 x 256 weights of 8 bits fill the whole buffer of 64 KiB.
    bits = {"weight_bits": 8, "activation_bits": 8, "output_bits": 8}
    stays = Matmul(name="u", out_features=256, in_features=256, steps=4, recurrent=True, **bits)
    behind = Matmul(name="v", out_features=256, in_features=256, steps=4, **bits)
    lowered = lower(Trace(name="two", steps=4, layers=(stays, behind)), load_arch("bitfusion"))
    tasks = unroll(lowered.program)
    start, end = run_tasks(lowered.machine, lowered.program)
    multiplied = max(end[i] for i, task in enumerate(tasks) if task.segment == 0 and task.queue == MULTIPLY)
    overwritten = min(start[i] for i, task in enumerate(tasks) if task.segment == 1 and task.queue == LOAD_WEIGHTS)
    assert overwritten >= multiplied
