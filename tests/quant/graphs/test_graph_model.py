"""Networks from ONNX files as the search takes them: sites, errors, traces, data, state."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

import onnx
from fuzz.mutations import bomb, npy
from onnx import TensorProto, helper
from onnx_graphs import model_of, saved
from scipy.io.wavfile import write
from small_network import FRAMES, small_network

from quant import homogeneous, load
from quant.graphs.data_settings import DataSettings
from quant.graphs.fidelity import rates
from quant.graphs.graph_model import GraphModel
from quant.own.own_model import OwnModel
from simulators import load_arch, simulate
from simulators.inputs.errors import InputError

RANDOM = np.random.default_rng(8)


def values(*sizes: int) -> np.ndarray:
    return (RANDOM.normal(size=sizes) * 0.4).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return saved(small_network(), tmp_path)


@pytest.fixture
def model(path: Path) -> GraphModel:
    return load(path, [{"x": FRAMES}, {"x": FRAMES[:, ::-1].copy()}])


def test_sites_errors_and_a_simulated_trace(model: GraphModel) -> None:
    assert [site.name for site in model.sites] == ["conv", "gru.W", "gru.U", "out"]
    assert model.evaluate(None).error == 0.0
    errors = [model.evaluate(homogeneous(model.sites, bits)).error for bits in (16, 8, 4, 2)]
    assert errors == sorted(errors)
    assert errors[0] < 0.1 < errors[2]
    trace = model.trace(homogeneous(model.sites, 8))
    assert trace.macs == 12 * (6 * 3 * 4 + 15 * 4 + 15 * 5 + 5 * 3)
    assert simulate(trace, load_arch("bitfusion")).latency_ms > 0


def test_a_trace_of_other_frames(model: GraphModel) -> None:
    bits = homogeneous(model.sites, 8)
    assert model.trace(bits, 30).steps == 30
    assert model.trace(bits, 30).macs * 12 == model.trace(bits).macs * 30


def test_the_trace_is_that_of_the_same_module(tmp_path: Path) -> None:
    """A GRU and a linear layer: as an ONNX file and as a module they cost the same."""

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.GRU(6, 8, batch_first=False)
            self.out = torch.nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.rnn(x)[0])

    own = OwnModel(Module(), torch.zeros(10, 1, 6), [torch.randn(10, 1, 6)], lambda module: 0.0)
    nodes = [
        helper.make_node("GRU", ["x", "w", "r", "b"], ["g4"], name="rnn", hidden_size=8, linear_before_reset=1),
        helper.make_node("Squeeze", ["g4", "one"], ["g"]),
        helper.make_node("MatMul", ["g", "m"], ["p"], name="out"),
        helper.make_node("Add", ["p", "mb"], ["y"]),
    ]
    constants = {
        "w": values(1, 24, 6), "r": values(1, 24, 8), "b": values(1, 48), "one": np.array([1]), "m": values(8, 3),
        "mb": values(3),
    }  # fmt: skip
    x = values(10, 1, 6)
    graph = load(saved(model_of(nodes, {"x": x}, constants), tmp_path), [{"x": x}])
    expected, found = (m.trace(homogeneous(m.sites, 8)) for m in (own, graph))  # type: ignore[attr-defined]
    assert [layer.shape for layer in found.layers] == [layer.shape for layer in expected.layers]


def unrolled(steps: int) -> list[Any]:
    """h = tanh(W x_t + U h + b), step after step, as an exported cell in a loop of Python is."""
    nodes = [helper.make_node("Split", ["x"], [f"x{t}" for t in range(steps)], axis=0, num_outputs=steps)]
    h = "h0"
    for t in range(steps):
        nodes += [
            helper.make_node("Squeeze", [f"x{t}", "zero"], [f"f{t}"]),
            helper.make_node("Gemm", [f"f{t}", "w", "b"], [f"u{t}"], name="in", transB=1),
            helper.make_node("Gemm", [h, "u"], [f"a{t}"], name="again", transB=1),
            helper.make_node("Add", [f"u{t}", f"a{t}"], [f"s{t}"]),
            helper.make_node("Tanh", [f"s{t}"], [h := "y" if t == steps - 1 else f"h{t + 1}"]),
        ]
    return nodes


def test_an_unrolled_loop_is_one_recurrent_layer(tmp_path: Path) -> None:
    constants = {"w": values(5, 4), "u": values(5, 5), "b": values(5), "zero": np.array([0])}
    given = {"x": values(6, 1, 4), "h0": values(1, 5)}
    model = load(saved(model_of(unrolled(6), given, constants), tmp_path), [given])
    trace = model.trace(homogeneous(model.sites, 8))
    assert [(layer.name, layer.steps, layer.waits_for_itself) for layer in trace.layers[:2]] == [
        ("in", 6, False),
        ("again", 6, True),
    ]
    assert trace.steps == 6
    assert trace.macs == 6 * (5 * 4 + 5 * 5)
    assert trace.ops == 6 * 2 * 5
    assert trace.weight_bits_total == 8 * (5 * 4 + 5 * 5)


def looped(op: str) -> list[Any]:
    """The same cell in a Scan or in a Loop."""

    def value(name: str, *sizes: int, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, sizes)

    cell = [
        helper.make_node("Gemm", ["f", "w", "b"], ["u_"], name="in", transB=1),
        helper.make_node("Gemm", ["h", "u"], ["a_"], name="again", transB=1),
        helper.make_node("Add", ["u_", "a_"], ["s_"]),
        helper.make_node("Tanh", ["s_"], ["new"]),
        helper.make_node("Identity", ["new"], ["out"]),
    ]
    if op == "Scan":
        body = helper.make_graph(
            cell, "body", [value("h", 1, 5), value("f", 1, 4)], [value("new", 1, 5), value("out", 1, 5)]
        )
        return [helper.make_node("Scan", ["h0", "x"], ["last", "y"], body=body, num_scan_inputs=1)]
    nodes = [helper.make_node("Gather", ["x", "i"], ["f"], axis=0), *cell, helper.make_node("Identity", ["go"], ["on"])]
    inputs = [value("i", kind=TensorProto.INT64), value("go", kind=TensorProto.BOOL), value("h", 1, 5)]
    outputs = [value("on", kind=TensorProto.BOOL), value("new", 1, 5), value("out", 1, 5)]
    return [
        helper.make_node(
            "Loop", ["six", "", "h0"], ["last", "y"], body=helper.make_graph(nodes, "body", inputs, outputs)
        )
    ]


@pytest.mark.parametrize("op", ["Scan", "Loop"])
def test_a_cell_in_a_loop_is_one_recurrent_layer(op: str, tmp_path: Path) -> None:
    weights = {"w": values(5, 4), "u": values(5, 5), "b": values(5)}
    given = {"x": values(6, 1, 4), "h0": values(1, 5)}
    loop, flat_nodes = model_of(looped(op), given, weights | {"six": np.array(6)}), unrolled(6)
    looping = load(saved(loop, tmp_path, "loop.onnx"), [given])
    flat = load(saved(model_of(flat_nodes, given, weights | {"zero": np.array([0])}), tmp_path), [given])
    for bits in (None, homogeneous(flat.sites, 8)):
        torch.testing.assert_close(looping.outputs(bits)[0][-1], flat.outputs(bits)[0])
    found, expected = (m.trace(homogeneous(m.sites, 8)) for m in (looping, flat))
    assert [layer.shape for layer in found.layers] == [layer.shape for layer in expected.layers]


def streaming(tmp_path: Path) -> Path:
    """A network that gets three frames and its state, and gives the state back."""
    nodes = [
        helper.make_node("GRU", ["x", "w", "r", "b", "", "h"], ["g4", "hn"], name="rnn", hidden_size=5),
        helper.make_node("Squeeze", ["g4", "one"], ["g"]),
        helper.make_node("MatMul", ["g", "m"], ["p"], name="out"),
        helper.make_node("Sigmoid", ["p"], ["y"]),
    ]
    constants = {
        "w": values(1, 15, 4),
        "r": values(1, 15, 5),
        "b": values(1, 30),
        "one": np.array([1]),
        "m": values(5, 1),
    }
    given = {"x": values(12, 1, 4), "h": np.zeros((1, 1, 5), np.float32)}
    return saved(model_of(nodes, given, constants, ["y", "hn"]), tmp_path)


CHUNKS: dict[str, Any] = {"state": {"h": "hn"}, "chunks": {"x": {"length": 3, "axis": 0}}, "hop_ms": 30.0}


def test_state_is_carried_from_chunk_to_chunk(tmp_path: Path) -> None:
    path, x = streaming(tmp_path), values(12, 1, 4)
    whole = load(path, [{"x": x}], settings=DataSettings(state={"h": "hn"}))
    chunked = load(path, [{"x": x}], settings=DataSettings.model_validate(CHUNKS))
    for bits in (None, homogeneous(whole.sites, 16)):
        torch.testing.assert_close(
            chunked.outputs(bits)[0].flatten(), whole.outputs(bits)[0].flatten(), atol=1e-3, rtol=0
        )
    started = load(path, [{"x": x, "h": values(1, 1, 5)}], settings=DataSettings.model_validate(CHUNKS))
    assert not torch.equal(started.outputs(None)[0], chunked.outputs(None)[0])


def test_the_trace_of_a_chunk_says_how_long_it_is_and_what_the_worst_takes(tmp_path: Path) -> None:
    from simulators import Trace, load_trace

    model = load(streaming(tmp_path), [{"x": values(12, 1, 4)}], settings=DataSettings.model_validate(CHUNKS))
    trace: Trace = model.trace(homogeneous(model.sites, 8))
    assert trace.chunk is not None
    assert (trace.steps, trace.chunk.length_ms, trace.chunk.hop_ms) == (3, 30.0, 30.0)
    report = simulate(trace, load_arch("bitfusion"))
    assert report.real_time_factor == report.latency_ms / 30.0
    assert report.to_dict()["latency_ms_per_chunk"] == report.latency_ms
    trace.save(tmp_path / "chunk.yaml")
    assert load_trace(tmp_path / "chunk.yaml") == trace
    with pytest.raises(InputError, match="300 frames: model takes chunks, and its trace is of one call: 3"):
        model.trace(homogeneous(model.sites, 8), 300)


def test_a_graph_of_quantizers_comes_with_its_scales(tmp_path: Path) -> None:
    codes, scale = RANDOM.integers(-127, 128, (4, 3)).astype(np.int8), np.float32(0.01)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        helper.make_node("DequantizeLinear", ["wq", "ws"], ["wd"]),
        helper.make_node("MatMul", ["xd", "wd"], ["y"], name="out"),
    ]
    constants = {"xs": np.float32(0.02), "xz": np.uint8(100), "wq": codes, "ws": scale}
    x = values(1, 9, 4)
    model = load(saved(model_of(nodes, {"x": x}, constants), tmp_path), [{"x": x}])
    own, at8 = model.outputs(None)[0], model.outputs(homogeneous(model.sites, 8))[0]
    torch.testing.assert_close(at8, own, atol=2.0**-14, rtol=0)  # the same integers; results are 16 bits wide
    assert model.evaluate(homogeneous(model.sites, 4)).error > 1.0


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_integers_that_are_given_keep_their_range(kind: type, tmp_path: Path) -> None:
    """Without a zero point, the least and the largest of 8 bits among them: at that width nothing is lost."""
    least, most = np.iinfo(kind).min, np.iinfo(kind).max
    x = np.linspace(least, most, 36).round().astype(kind).reshape(1, 12, 3)
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "ws"], ["wd"]),
        helper.make_node("MatMul", ["xd", "wd"], ["y"], name="out"),
    ]
    ones = 64 * np.eye(3, dtype=np.int8)
    constants = {"xs": np.float32(2.0**-8), "w": ones, "ws": np.float32(2.0**-6)}
    model = load(saved(model_of(nodes, {"x": x}, constants), tmp_path), [{"x": x}])
    own, at8 = model.outputs(None)[0], model.outputs(homogeneous(model.sites, 8))[0]
    torch.testing.assert_close(own, torch.from_numpy(x * np.float32(2.0**-8)))
    torch.testing.assert_close(at8, own, atol=2.0**-14, rtol=0)


def test_audio_is_read_as_parts_of_the_largest_sample(tmp_path: Path) -> None:
    samples = np.array([0, 1, -32768, 32767, 16384], np.int16)
    folder = tmp_path / "audio"
    folder.mkdir()
    write(folder / "a.wav", 16000, samples)
    (folder / "data.yaml").write_text("sample_rate: 16000\n")
    nodes = [
        helper.make_node("Unsqueeze", ["x", "last"], ["c"]),
        helper.make_node("MatMul", ["c", "w"], ["y"], name="out"),
    ]
    constants = {"last": np.array([2], np.int64), "w": np.ones((1, 1), np.float32)}
    given = samples[None].astype(np.float32)
    model = load(saved(model_of(nodes, {"x": given}, constants), tmp_path), folder)
    (out,) = model.outputs(None)
    assert out.flatten().tolist() == [0.0, 2.0**-15, -1.0, 1 - 2.0**-15, 0.5]


def test_errors_against_labels_and_of_decisions(path: Path) -> None:
    first = load(path, [{"x": FRAMES}]).outputs(None)[0]
    right = first.argmax(-1).flatten().numpy()
    wrong = np.where(np.arange(12) < 3, (right + 1) % 3, right)
    model = load(path, [{"x": FRAMES, "labels": wrong}], settings=DataSettings(error="labels"))
    assert model.evaluate(None).error == 25.0
    fidelity = load(path, [{"x": FRAMES}], settings=DataSettings(error="decisions"))
    assert fidelity.evaluate(None).error == 0.0
    with pytest.raises(InputError, match="utterance 0: no array of labels"):
        load(path, [{"x": FRAMES}], settings=DataSettings(error="labels")).evaluate(None)


@pytest.mark.parametrize("error", ["signal", "decisions"])
def test_an_output_is_held_against_one_of_its_own_sizes(error: str) -> None:
    with pytest.raises(InputError, match=r"sizes \[3, 4\], and the float network's \[1, 4\]: they must be the same"):
        rates([(torch.ones(3, 4), torch.ones(1, 4))], DataSettings(error=error))


def test_what_decides_an_error_is_in_the_digests(path: Path) -> None:
    plain, other = (load(path, [{"x": x}]) for x in (FRAMES, FRAMES * 2))
    assert plain.data_digest != other.data_digest
    assert plain.digest == other.digest
    graph = small_network()
    graph.graph.node[4].attribute[1].i = 0
    assert load(saved(graph, path.parent, "other.onnx"), [{"x": FRAMES}]).digest != plain.digest


def folder_of(tmp_path: Path, arrays: Sequence[np.ndarray], text: str = "") -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for number, array in enumerate(arrays):
        np.savez(folder / f"{number}.npz", x=array)
    if text:
        (folder / "data.yaml").write_text(text)
    return folder


def test_a_folder_of_data(path: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [FRAMES, FRAMES * 2], "error: decisions\ncalibrate: 1\n")
    np.save(folder / "2.npy", FRAMES)
    model = load(path, folder)
    assert [one.name for one in model.data.utterances] == ["0.npz", "1.npz", "2.npy"]
    assert model.error_name == "decisions that are not the float network's"


@pytest.mark.parametrize("suffix", ["npy", "npz", "wav"])
def test_a_fifo_among_data_is_refused_before_it_is_opened(suffix: str, path: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [FRAMES], "sample_rate: 16000\n")
    os.mkfifo(folder / f"z.{suffix}")
    with pytest.raises(InputError, match=f"z.{suffix}: .*FIFO"):
        load(path, folder)


def test_data_larger_than_what_is_read_are_refused_by_their_header(path: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, [])
    (folder / "z.npz").write_bytes(bomb("x.npy", (1 << 28) + 1))
    with pytest.raises(InputError, match="array x: 268,435,457 bytes are more than are read"):
        load(path, folder)
    (folder / "z.npz").unlink()
    (folder / "z.npy").write_bytes(npy(FRAMES, shape=(10**12,)))
    with pytest.raises(InputError, match=r"z.npy: not an array"):
        load(path, folder)
    with open(folder / "z.npy", "wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(InputError, match=r"z.npy: more than 268,435,456 bytes"):
        load(path, folder)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("eror: labels\n", r"data.yaml:1:7: eror: unknown key; did you mean error"),
        ("output: z\n", r"data\.yaml: output: z: the network has no such output; its are y"),
        ("state: {h: y}\n", r"data\.yaml: state: h: the network has no such input; its are x"),
        ("sample_rate: 0\n", "data.yaml:1:"),
    ],
)
def test_settings_that_cannot_be(text: str, rule: str, path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rule):
        load(path, folder_of(tmp_path, [FRAMES], text))


def test_data_that_do_not_fit(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"0.npz: input x has sizes \[12, 6\]: expected \['batch', 'time', 6\]"):
        load(path, folder_of(tmp_path, [FRAMES[0]]))
    with pytest.raises(InputError, match="utterance 0: nothing gives input x"):
        load(path, [{}])
    with pytest.raises(InputError, match="utterance 0: z: no input of the network"):
        load(path, [{"x": FRAMES, "z": FRAMES}])
    with pytest.raises(InputError, match="values that are not finite"):
        load(path, [{"x": FRAMES * np.nan}])
    with pytest.raises(InputError, match=r"no data: expected \.npz, \.npy, \.wav files"):
        load(path, tmp_path)
