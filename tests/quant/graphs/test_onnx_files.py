"""Files that are no network, or not a sound one: one line, and nothing is run."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

import onnx
from graph_runs import graph_of, in_float
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import saved
from small_network import FRAMES, small_network

from quant.graphs.onnx_files import MOST_BYTES
from simulators.inputs.errors import InputError

WHOLE = small_network().SerializeToString()


def refused(path: Path, rule: str) -> None:
    """The file gets one line that names it and says this."""
    with pytest.raises(InputError, match=rule) as raised:
        graph_of(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def changed(change: Callable[[onnx.ModelProto], None], folder: Path) -> Path:
    model = small_network()
    change(model)
    return saved(model, folder)


NO_FILES = {
    "nothing": b"", "its name": b"ONNX", "noise": random.Random(1).randbytes(64), "no end": WHOLE[:-7],
    "half": WHOLE[: len(WHOLE) // 2],
}  # fmt: skip


@pytest.mark.parametrize("data", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_whole_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(data)
    refused(path, "not an ONNX file, or not a whole one")


def test_a_file_of_two_gibibytes(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)  # sparse: it takes no room, and is not read
    refused(path, "2,147,483,648 bytes: an ONNX file has less than 2 GiB")


def external(model: onnx.ModelProto, location: str, **more: str) -> None:
    tensor = next(entry for entry in model.graph.initializer if entry.name == "m")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)


def test_data_beside_the_file_are_read(tmp_path: Path) -> None:
    values = next(entry for entry in small_network().graph.initializer if entry.name == "m")
    (tmp_path / "weights.bin").write_bytes(b"ahead" + numpy_helper.to_array(values).tobytes())
    path = changed(lambda model: external(model, "weights.bin", offset="5", length="60"), tmp_path)
    whole = saved(small_network(), tmp_path, "whole.onnx")
    outputs, expected = (in_float(graph_of(p), {"x": FRAMES})[0]["y"] for p in (path, whole))
    np.testing.assert_array_equal(outputs, expected)


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", "a/../../weights.bin", "link.bin"])
def test_data_outside_the_folder(location: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(60))
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.bin").symlink_to(tmp_path / "weights.bin")
    refused(changed(lambda model: external(model, location), inner), "outside the model's folder")
    refused(changed(lambda model: external(model, "\0"), inner), "no name of a file")


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"offset": "8"}, "its data do not fit sizes"),
        ({"offset": "-4"}, "bytes from -4 of weights.bin"),
        ({"length": "1000000000000"}, "1000000000000 bytes from 0"),
        ({"offset": "x"}, "must be whole numbers"),
    ],
)
def test_bytes_that_are_not_there(more: dict[str, str], rule: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(60))
    refused(changed(lambda model: external(model, "weights.bin", **more), tmp_path), rule)


def test_a_file_beside_that_is_missing(tmp_path: Path) -> None:
    refused(changed(lambda model: external(model, "weights.bin"), tmp_path), "weights.bin, which is not there")


def custom(model: onnx.ModelProto) -> None:
    model.graph.node[2].domain = "com.example"


def cycle(model: onnx.ModelProto) -> None:
    model.graph.node[1].input[0] = "q"


def undefined(model: onnx.ModelProto) -> None:
    model.graph.node[2].input[0] = "nowhere"


def twice(model: onnx.ModelProto) -> None:
    model.graph.node[2].output[0] = "t"


def newer(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 999


def output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "other"


def sizes(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 5


def huge(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 1 << 40


def words(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = TensorProto.STRING


def function(model: onnx.ModelProto) -> None:
    model.functions.add(name="own", domain="")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (custom, r"node act \(Relu\): an operator of domain com.example"),
        (cycle, r"node conv \(Conv\): it reads q, which a later node makes: a cycle"),
        (undefined, r"node act \(Relu\): it reads nowhere, which nothing makes"),
        (twice, r"node act \(Relu\): value t is made twice"),
        (newer, "operators of version 999: expected 7 to"),
        (output, "no node makes its output other"),
        (sizes, r"tensor k: its data do not fit sizes \[5, 6, 3\]"),
        (huge, "expected at most 268,435,456 elements"),
        (words, "type 8 of ONNX's tensors"),
        (function, "function own of its own"),
    ],
)
def test_a_graph_that_is_not_sound(change: Callable[[onnx.ModelProto], None], rule: str, tmp_path: Path) -> None:
    refused(changed(change, tmp_path), rule)


def test_an_operation_that_is_not_known_is_named(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[2].op_type = "MelWeightMatrix"

    path = changed(change, tmp_path)
    with pytest.raises(InputError, match=r"node act \(MelWeightMatrix\): an operation that is not known here"):
        in_float(graph_of(path), {"x": FRAMES})


def test_sizes_that_do_not_fit_name_the_node(tmp_path: Path) -> None:
    path = saved(small_network(), tmp_path)
    with pytest.raises(InputError, match=r"node conv \(Conv\): "):
        in_float(graph_of(path), {"x": np.zeros((1, 12, 7), np.float32)})


@pytest.mark.parametrize(
    ("node", "sizes"),
    [
        (helper.make_node("ConstantOfShape", ["big"], ["y"], name="one"), [1 << 20, 1 << 20]),
        (helper.make_node("Expand", ["one", "big"], ["y"], name="one"), [1 << 20, 1 << 20]),
    ],
)
def test_a_constant_that_would_fill_the_memory(node: onnx.NodeProto, sizes: list[int], tmp_path: Path) -> None:
    graph = helper.make_graph(
        [node], "big", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(sizes), "big"), numpy_helper.from_array(np.ones(1, np.float32), "one")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    path = saved(model, tmp_path)
    with pytest.raises(InputError, match=r"node one .*: a result of sizes"):
        graph_of(path)


def mutated(data: bytes, changes: list[tuple[int, int]], end: int) -> bytes:
    """Some bytes replaced, and the end cut off."""
    made = bytearray(data)
    for place, value in changes:
        made[place % len(made)] = value
    return bytes(made[: len(made) - end])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4),
    end=st.sampled_from([0, 0, 0, 1, 9, 200]),
)
def test_a_mutated_file_is_computed_or_refused(changes: list[tuple[int, int]], end: int, tmp_path: Path) -> None:
    """Whatever bytes a file has, it is a network that computes something, or one line says what is wrong with it."""
    path = tmp_path / "mutated.onnx"
    path.write_bytes(mutated(WHOLE, changes, end))
    try:
        in_float(graph_of(path), {"x": FRAMES})
    except InputError as error:
        assert "\n" not in str(error)
