"""Which product reads what a layer leaves, and so how wide that is at other bits."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from simulators import Elementwise, Matmul, Trace, load_arch, load_trace, simulate, simulate_batch
from simulators.inputs.shipped import names
from simulators.workloads.readers import readers


def product(name: str, outputs: int, inputs: int, recurrent: bool = False, bits: int = 8, left: int = 16) -> Matmul:
    return Matmul(
        name=name, out_features=outputs, in_features=inputs, steps=10, recurrent=recurrent, weight_bits=bits,
        activation_bits=bits, output_bits=left,
    )  # fmt: skip


def work(name: str, inputs: int, outputs: int, recurrent: bool = False, left: int = 16) -> Elementwise:
    return Elementwise(
        name=name, ops={"add": inputs}, inputs=inputs, outputs=outputs, steps=10, recurrent=recurrent, output_bits=left
    )


def test_gates_of_two_matrices_read_both_and_leave_what_is_behind_all_directions() -> None:
    """Positions: W 0, Uf 1, Ef 2, Ub 3, Eb 4, W 5, U 6, E 7."""
    layers = [
        product("W0", 64, 6), product("U0f", 32, 8, True), work("E0f", 64, 8, True, 8), product("U0b", 32, 8, True),
        work("E0b", 64, 8, True, 8), product("W1", 32, 16), product("U1", 32, 8, True), work("E1", 64, 8, True, 8),
    ]  # fmt: skip
    assert readers(layers) == [None, None, 5, None, 5, None, None, 6]


def test_one_matrix_of_inputs_and_state_reads_the_layer_before() -> None:
    layers = [product("P", 8, 16, left=8), product("WU", 32, 16, True), work("E", 32, 8, True, 8), product("FC", 4, 8)]
    assert readers(layers) == [1, None, 3, None]


def test_widths_say_what_the_order_does_not() -> None:
    """A residual of 16 bits in front of a product of 8, and a product of 4 behind one of 8."""
    layers = [
        product("A", 8, 8), work("add", 16, 8, left=16), product("B", 8, 8, left=4), product("side", 8, 8, left=16),
        product("C", 8, 8, bits=4),
    ]  # fmt: skip
    assert readers(layers) == [None, None, 4, None, None]


@pytest.mark.parametrize("name", names("traces"))
def test_a_shipped_trace_at_its_own_widths_is_itself(name: str) -> None:
    trace = load_trace(name)
    bits = np.array([[trace.layers[i].operand_bits for i in trace.products]])
    for left, layer in zip(trace.widths(bits)[2][0], trace.layers, strict=True):
        assert left == layer.outputs_total().width_bits, layer.name


def test_an_lstm_at_other_bits_is_the_one_that_is_written_with_them(tmp_path: Path) -> None:
    trace, arch = load_trace("lstm-128-8bit"), load_arch("bitfusion-dram64")
    assert trace.at_bits(8, 8).layers == trace.layers
    content = yaml.safe_load(trace.to_yaml())
    for layer in content["layers"]:
        if layer["op"] == "matmul":
            layer |= {"weight_bits": 4, "activation_bits": 4}
        else:
            layer |= {"output_bits": 4}
    (tmp_path / "four.yaml").write_text(yaml.safe_dump(content))
    written: Trace = load_trace(str(tmp_path / "four.yaml"))
    cycles = simulate(written, arch).cycles
    assert simulate(trace.at_bits(4, 4), arch).cycles == cycles
    assert simulate_batch(trace, arch, np.full((1, 2, 2), 4)).cycles[0] == cycles
