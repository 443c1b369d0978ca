"""Traces at other bits and frames, and SCALE-Sim's topologies."""

from pathlib import Path

import pytest

from simulators import Conv2d, InputError, Matmul, load_arch, load_trace, simulate
from simulators.workloads.workload import load_workload

CONVOLUTIONS = """Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 224, 224, 7, 7, 3, 64, 2,
Conv 2, 56, 30, 3, 1, 64, 32, 1,
Conv 2, 56, 30, 3, 1, 64, 32, 1,
"""
PRODUCTS = "Layer,M,N,K\ngemm,5,7,11\n\nother,1,2,3\n"


def test_a_convolution_topology(tmp_path: Path) -> None:
    file = tmp_path / "my net.csv"
    file.write_text(CONVOLUTIONS)
    trace = load_workload(str(file), "4x8", 2)
    first, second, third = trace.layers
    assert isinstance(first, Conv2d)
    assert isinstance(second, Conv2d)
    assert (trace.name, first.name, second.name, third.name) == ("my_net", "Conv1", "Conv_2", "Conv_2.4")
    assert first.output_size == (109, 109)
    assert first.macs == 2 * 109 * 109 * 64 * 3 * 49
    assert second.output_size == (54, 30)
    assert (first.weight_bits, first.activation_bits, first.output_bits, third.output_bits) == (4, 8, 8, 16)
    assert simulate(trace, load_arch("bitfusion")).cycles > 0


def test_a_product_topology(tmp_path: Path) -> None:
    file = tmp_path / "g.csv"
    file.write_text(PRODUCTS)
    first, second = load_workload(str(file), "8").layers
    assert isinstance(first, Matmul)
    assert (first.steps, first.out_features, first.in_features) == (5, 7, 11)
    assert second.macs == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1:1: a header and at least one layer"),
        ("Layer,M,N,K\n", ":1:1: a header"),
        ("a,b,c\nx,1,2\n", ":1:1: header a,b,c: neither"),
        ("Layer,M,N,K\nx,1,2\n", ":2:4: 3 of 4 columns"),
        ("Layer,M,N,K\nx,1,two,3\n", ":2:3: 'two': expected a whole number"),
        ("Layer,M,N,K\nx,1,-2,3\n", ":2:3: '-2'"),
        ("Layer,M,N,K\nx,1,999999999,3\n", ":2:1: layer x:"),
        (CONVOLUTIONS + "big, 3, 3, 5, 5, 1, 1, 1\n", ":5:1: layer big: kernel"),
    ],
)
def test_a_bad_topology_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        load_workload(str(file), "8")
    assert str(error.value).startswith(str(file))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_bits_and_frames_of_a_trace_can_be_replaced() -> None:
    trace = load_trace("mohaq-sru-8bit")
    assert trace.at_bits(4, 4).layers == load_trace("mohaq-sru-4bit").layers
    assert load_workload("mohaq-sru-8bit", "4", 7).layers == load_trace("mohaq-sru-4bit").at_steps(7).layers
    assert trace.at_steps(7).steps == trace.at_steps(7).layers[3].steps == 7


@pytest.mark.parametrize(
    ("bits", "steps", "message"),
    [
        ("17", None, "bits '17'"),
        ("4by8", None, "bits '4by8'"),
        ("0", None, "bits '0'"),
        (None, 0, "steps: 0"),
        (None, 1 << 30, "steps"),
    ],
)
def test_bad_bits_and_frames(bits: str | None, steps: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_workload("mohaq-sru-8bit", bits, steps)


def test_a_topology_needs_bits(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="says nothing of bits"):
        load_workload(str(tmp_path / "x.csv"))
    with pytest.raises(InputError, match="cannot be read"):
        load_workload(str(tmp_path / "x.csv"), "8")


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ((33, 16), "layer L0: weight_bits: 33: input should be less than or equal to 32"),
        ((0, 16), "layer L0: weight_bits: 0: input should be greater than or equal to 1"),
        ((8, 17), "layer L0: activation_bits: 17: input should be less than or equal to 16"),
        ((8.5, 16), "weight_bits: 8.5: expected a whole number"),
    ],
)
def test_widths_that_a_network_cannot_have_are_one_line(bits: tuple[int, int], message: str) -> None:
    with pytest.raises(InputError) as error:
        load_trace("mohaq-sru-8bit").at_bits(*bits)
    assert str(error.value) == message
