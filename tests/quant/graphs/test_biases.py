"""A bias costs the same however a network is written, and what it costs in the models of this project: nothing beside a
product or a convolution, whose sums begin with it, and a 16-bit word and an addition beside a recurrence."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

from graph_runs import graph_of
from onnx import helper
from onnx_graphs import by_onnxruntime, model_of, saved

from quant import homogeneous, load
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.own.own_model import OwnModel
from simulators import Trace, load_arch, simulate

INPUTS, CHANNELS, CELLS, CLASSES, FRAMES, KERNEL = 6, 8, 10, 3, 12, 3
X = np.random.default_rng(4).normal(size=(1, INPUTS, FRAMES)).astype(np.float32)
WEIGHTS = (
    CHANNELS * INPUTS * KERNEL + 3 * CELLS * CHANNELS + 3 * CELLS * CELLS + CLASSES * CELLS
)  # of one frame each, for the convolution keeps their number
VECTORS = 4 * CELLS
"""Of a GRU: r, z, and both of n."""


class Biased(nn.Module):
    """x (1, 6, T) to (T, 1, 3), a bias in each layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gru = nn.Conv1d(INPUTS, CHANNELS, KERNEL, padding=1), nn.GRU(CHANNELS, CELLS)
        self.out = nn.Linear(CELLS, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.gru(self.conv(x).permute(2, 0, 1))[0])


def in_onnx(folder: Path, apart: bool) -> Path:
    """The same network in a file, its biases inside Conv and Gemm, or added behind Conv and MatMul."""
    random = np.random.default_rng(6)
    shapes = {
        "k": (CHANNELS, INPUTS, KERNEL), "kb": (CHANNELS,), "w": (1, 3 * CELLS, CHANNELS), "r": (1, 3 * CELLS, CELLS),
        "b": (1, 6 * CELLS), "m": (CELLS, CLASSES), "mb": (CLASSES,),
    }  # fmt: skip
    constants = {name: (random.normal(size=shape) * 0.4).astype(np.float32) for name, shape in shapes.items()}
    constants |= {"axis": np.array([1]), "sizes": np.array([-1, CELLS])}
    inside = ["kb"] if not apart else []
    nodes = [helper.make_node("Conv", ["x", "k", *inside], ["c0" if apart else "c"], name="conv", pads=[1, 1])]
    if apart:
        constants["kb"] = constants["kb"][:, None]
        nodes.append(helper.make_node("Add", ["kb", "c0"], ["c"], name="conv bias"))
    nodes += [
        helper.make_node("Transpose", ["c"], ["t"], perm=[2, 0, 1]),
        helper.make_node("GRU", ["t", "w", "r", "b"], ["g"], name="gru", hidden_size=CELLS, linear_before_reset=1),
        helper.make_node("Squeeze", ["g", "axis"], ["s"]),
        helper.make_node("Reshape", ["s", "sizes"], ["f"]),
    ]
    if apart:
        nodes += [
            helper.make_node("MatMul", ["f", "m"], ["p"], name="out"),
            helper.make_node("Add", ["p", "mb"], ["y"], name="out bias"),
        ]
    else:
        nodes.append(helper.make_node("Gemm", ["f", "m", "mb"], ["y"], name="out"))
    return saved(model_of(nodes, {"x": X}, constants), folder, f"{'apart' if apart else 'inside'}.onnx")


def traces(folder: Path) -> Iterator[Trace]:
    """The network brought in each way, at 8 bits."""
    module, x = Biased(), torch.from_numpy(X)
    own = OwnModel(module, x, [x], lambda _: 0.0)
    yield own.trace(homogeneous(own.sites, 8))
    for model in (module, in_onnx(folder, apart=False), in_onnx(folder, apart=True)):
        found = load(model, [{"x": X}])
        yield found.trace(homogeneous(found.sites, 8))


@pytest.mark.slow
def test_a_network_costs_the_same_however_it_is_written(tmp_path: Path) -> None:
    energies, arch = [], load_arch("bitfusion")
    for trace in traces(tmp_path):
        assert trace.weight_bits_total == 8 * WEIGHTS + 16 * VECTORS
        assert trace.macs == FRAMES * WEIGHTS
        energies.append(simulate(trace, arch).energy_uj)
    assert energies == [energies[0]] * 4


def test_a_recogniser_of_this_project_counts_its_biases_so() -> None:
    sizes = {"inputs": CHANNELS, "layers": 1, "cells": CELLS, "outputs": CLASSES, "causal": True}
    net = Network(geometry("gru", sizes))
    layers = net.trace_layers(homogeneous(net.sites, 8), FRAMES)
    trace = Trace(name="gru", steps=FRAMES, layers=tuple(each.layer for each in layers))
    weights = 3 * CELLS * (CHANNELS + CELLS) + CLASSES * CELLS
    assert trace.weight_bits_total == 8 * weights + 16 * VECTORS
    assert net.get_parameter("bias").numel() == CLASSES


def test_what_is_added_behind_a_convolution_is_its_bias_where_it_is_one_a_channel(tmp_path: Path) -> None:
    """A map of constants is none, nor is one number for each place of a row."""
    for transposed in (False, True):
        for shape, is_bias in (
            ((4, 1), True),
            ((1, 4, 1), True),
            ((1, 4, 4), False),
            ((4,), False),
            ((1, 1, 4), False),
        ):
            op, kernel = ("ConvTranspose", (INPUTS, 4, 1)) if transposed else ("Conv", (4, INPUTS, 1))
            nodes = [helper.make_node(op, ["x", "k"], ["c"], name="c"), helper.make_node("Add", ["c", "a"], ["y"])]
            random = np.random.default_rng(3)
            constants = {"k": random.normal(size=kernel), "a": random.normal(size=shape)}
            values = {name: value.astype(np.float32) for name, value in constants.items()}
            path = saved(model_of(nodes, {"x": X[:, :, :4]}, values), tmp_path)
            assert [node.op for node in graph_of(path).nodes] == ([op] if is_bias else [op, "Add"])
            found = load(path, [{"x": X[:, :, :4]}]).outputs(None)[0].numpy()
            pytest.importorskip("onnxruntime", reason="ONNX Runtime is what results are compared with")
            assert np.allclose(found, by_onnxruntime(path, {"x": X[:, :, :4]})["y"], atol=1e-6)
