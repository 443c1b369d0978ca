"""A cell from a file outside the project, through every command; and what a cell may lack or get wrong."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from paths import ROOT

from quant.arithmetic.delta import Delta
from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.integer_reference import IntegerArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.weights import QuantizedWeights
from quant.evaluation.code import cell_code
from quant.networks.gated import GatedCell
from quant.networks.geometry import geometry
from quant.networks.gru import Gru
from quant.networks.ligru import LiGru
from quant.networks.lstm import Lstm
from quant.networks.network import Network
from quant.networks.registry import CELLS, register_cell
from quant.networks.step import StepRoundings, Tensors
from quant.own.own_model import OwnModel
from quant.own.recurrent_layers import Recurrent
from quant.sites.candidate import homogeneous
from quant.speech.batches import UtteranceBatch, pack
from simulators import InputError
from simulators.inputs import plugins

EXAMPLE = ROOT / "docs/examples/minimal_gated_unit.py"


@pytest.mark.slow
def test_the_docs_cell_goes_through_every_command(tmp_path: Path) -> None:
    if importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("espeakng-loader is not installed: the embedded corpus cannot be made")
    shutil.copy(EXAMPLE, tmp_path / "mgu.py")

    def mohaq(line: str) -> str:
        # A step is a few small products: a second thread costs more than it gives.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "mohaq", *line.split()]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
        assert done.returncode == (0 if "--plugin" in line or line.startswith("simulate") else 2), done.stderr
        return done.stdout or done.stderr

    mohaq("train --cell mgu --small --layers 1 --epochs 1 --out run --plugin mgu.py")
    card = (tmp_path / "run/model.md").read_text()
    assert "Bidirectional minimal gated unit: 1 layers of 48 cells a direction" in card
    assert "--small --cell mgu --layers 1 --cells 48 --plugin mgu.py --epochs 1" in card
    model = "--model run/model.safetensors"
    with ThreadPoolExecutor(2) as pool:
        retrained, evaluated, checked, _, _, refused = pool.map(mohaq, (
            f"retrain {model} --bits 2 --out retrained --plugin mgu.py",
            f"evaluate {model} --bits 4 --json --plugin mgu.py",
            f"evaluate {model} --bits 8 --integer 1 --plugin mgu.py",
            f"trace {model} --bits 4 --steps 20 --out mgu.yaml --plugin mgu.py",
            f"export {model} --bits 4 --out exported --plugin mgu.py",
            f"evaluate {model} --bits 8",
        ))  # fmt: skip
        simulated, exported = pool.map(mohaq, (
            "simulate mgu.yaml --arch bitfusion --json", "evaluate --model exported --json --plugin mgu.py",
        ))  # fmt: skip
    error = json.loads(evaluated)["error"]
    assert 10 < error < 95
    assert f"| 4x4 | {error:.2f} |" in card
    assert json.loads(exported)["error"] == error
    assert "error rate" in retrained
    assert "in whole numbers alone" in checked
    names = [layer["name"] for layer in json.loads(simulated)["layers"]]
    assert names == ["W0", "U0f", "E0f", "U0b", "E0b", "FC"]
    assert refused.startswith("mohaq: run/model.safetensors: cell 'mgu': ")
    assert refused.endswith("(a cell of your own is brought by --plugin FILE.py)\n")
    assert refused.count("\n") == 1


@pytest.fixture
def own_cells() -> Iterator[None]:
    """Cells that a test registers are forgotten again."""
    registered = dict(CELLS._registered)
    yield
    CELLS._registered.clear()
    CELLS._registered.update(registered)


def test_an_edit_of_a_cell_voids_its_errors(tmp_path: Path, own_cells: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.VARIABLE, "")
    path, digests = tmp_path / "mgu.py", []
    for change in (
        ("", ""),
        ("    # Of one cell and step", "    # What one cell and step does"),
        ("(1 - f) * h", "(1.0 - f) * h"),
    ):
        path.write_text(EXAMPLE.read_text().replace(*change))
        plugins.load([path])
        digests.append(cell_code(CELLS.get("mgu")).digest())
        CELLS._registered.clear()
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


class SlowLstm(Lstm):
    name = "slow-lstm"

    def fast_step(self) -> None:  # type: ignore[override]
        return None


class SlowGru(Gru):
    name = "slow-gru"

    def fast_step(self) -> None:  # type: ignore[override]
        return None


class SlowLiGru(LiGru):
    name = "slow-ligru"

    def fast_step(self) -> None:  # type: ignore[override]
        return None


class Bare(GatedCell):
    """What must be written, and no more: one gate, h = tanh(W x + U h' + b)."""

    name, title, gates, vector_words = "bare", "Elman network", 1, 1
    ops: ClassVar = {"add": 2, "tanh": 1}

    def step(
        self, u: torch.Tensor, a: torch.Tensor, bias: torch.Tensor, state: Tensors, roundings: StepRoundings
    ) -> Tensors:
        return (roundings.gate(roundings.sum(u + a).tanh()),)


def network_of(cell: str) -> tuple[Network, UtteranceBatch]:
    net = Network(geometry(cell, {"inputs": 6, "layers": 2, "cells": 8, "outputs": 5}))
    net.initialise(torch.Generator().manual_seed(2))
    generator = np.random.default_rng(3)
    utterances = [np.cumsum(generator.normal(size=(n, 6)) * 0.2, 0).astype(np.float32) for n in (40, 23, 31)]
    return net.requires_grad_(False), pack(utterances, None, [0, 1, 2])


@pytest.mark.slow
@pytest.mark.parametrize("slow", [SlowLstm(), SlowGru(), SlowLiGru()])
@pytest.mark.parametrize("bits", [4, 16])
@pytest.mark.parametrize("threshold", [None, 2])
def test_a_step_in_torch_quantizes_as_a_compiled_one_does(
    slow: GatedCell, bits: int, threshold: int | None, own_cells: None
) -> None:
    """Apart from gates that round to the other of two codes, which at few bits is carried on."""
    register_cell(slow)
    fast, results, deltas = slow.name.removeprefix("slow-"), [], []
    for cell in (fast, slow.name):
        net, batch = network_of(cell)
        calibration = calibrate(net, batch.features, batch.lengths)
        delta = None if threshold is None else Delta(dict.fromkeys(("U0", "U1"), threshold), batch.lengths)
        arithmetic = QuantizedArithmetic(homogeneous(net.sites, bits), QuantizedWeights(net), calibration, delta)
        results.append(net(batch.features, batch.lengths, arithmetic))
        deltas.append(delta)
    near = (results[0] - results[1]).abs() <= 2.0**-9 * float(results[0].abs().max())
    assert float(near.float().mean()) > 0.97
    if threshold is not None:
        for site in ("U0", "U1"):
            np.testing.assert_allclose(deltas[0].active[site].mean(), deltas[1].active[site].mean(), atol=5e-3)  # type: ignore[union-attr]


def test_training_differentiates_a_step_as_it_is_done_by_hand() -> None:
    generator = torch.Generator().manual_seed(1)
    for cell in (Lstm(), Gru(), LiGru()):
        u, w, bias = (
            torch.randn(shape, generator=generator, dtype=torch.double).requires_grad_()
            for shape in ((7, 2, 3, cell.gates * 4), (2, cell.gates * 4, 4), cell.vectors_shape(4))
        )
        inputs = (u, w, bias) if cell.recurrent_biases else (u, w)
        by_hand = cell.differentiable(u, w, bias)
        through_time = GatedCell.differentiable(cell, u, w, bias)
        torch.testing.assert_close(by_hand, through_time)
        expected = torch.autograd.grad(by_hand.square().sum(), inputs)
        for ours, theirs in zip(torch.autograd.grad(through_time.square().sum(), inputs), expected, strict=True):
            torch.testing.assert_close(ours, theirs)
        with torch.no_grad():
            both = cell.outputs_and_memory(u, w, bias), GatedCell.outputs_and_memory(cell, u, w, bias)
        for ours, theirs in zip(*both, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_a_cell_of_one_method_is_trained_evaluated_and_traced(own_cells: None) -> None:
    register_cell(Bare())
    net, batch = network_of("bare")
    bits = homogeneous(net.sites, 8)
    calibration = calibrate(net, batch.features, batch.lengths)
    exact = net(batch.features, batch.lengths, FloatArithmetic())
    rounded = net(batch.features, batch.lengths, QuantizedArithmetic(bits, QuantizedWeights(net), calibration))
    true = torch.arange(len(exact))[:, None] < batch.lengths
    assert float((exact - rounded)[true].abs().max()) < 0.1 * float(exact[true].abs().max())
    assert not exact[~true].std(0).any()  # past an utterance's end there is the output layer's bias alone
    assert [traced.layer.name for traced in net.trace_layers(bits, 3)][:3] == ["W0", "U0f", "E0f"]
    with pytest.raises(InputError, match=r"^cell bare: it has no integer_step, without which there is no integer-only"):
        net(batch.features, batch.lengths, IntegerArithmetic(bits, QuantizedWeights(net), calibration, "W0"))


def test_a_module_of_ones_own_may_have_it(own_cells: None) -> None:
    register_cell(Bare())
    torch.manual_seed(0)
    x, outputs = torch.randn(9, 5, 4), []
    module = torch.nn.Sequential(Recurrent("bare", 4, 3), torch.nn.Linear(6, 2))
    model = OwnModel(module, x[:, :1], [x], lambda m: outputs.append(m(x)) or 1.0)  # type: ignore[func-returns-value]
    for bits in (None, homogeneous(model.sites, 16), homogeneous(model.sites, 2)):
        model.evaluate(bits)
    exact, wide, narrow = outputs
    assert float((exact - wide).abs().max()) < 2e-3 < float((exact - narrow).abs().max())
    names = [layer.name for layer in model.trace(homogeneous(model.sites, 4)).layers]
    assert names == ["0.W", "0.Uf", "0.Uf.gates", "0.Ub", "0.Ub.gates", "1"]
    assert Bare.__module__ in model.code.modules


class Forgetful(Bare):
    name, states = "forgetful", 2


def test_a_step_that_returns_too_little_is_named(own_cells: None) -> None:
    register_cell(Forgetful())
    net, batch = network_of("forgetful")
    with pytest.raises(
        InputError, match=r"cell forgetful: step returns values of shape \(2, 3, 8\): it must return 2 of"
    ):
        net(batch.features, batch.lengths)


class Unnamed(Bare):
    name = "unnamed"


class Wrong:
    name = "wrong"


@pytest.mark.parametrize(
    ("cell", "attributes", "message"),
    [
        (Bare, {"name": "gru"}, "cell 'gru': it is built in already"),
        (Wrong, {}, r"cell wrong: Wrong: it must be an instance of quant\.networks\.recurrent_cell\.RecurrentCell"),
        (Unnamed, {"ops": {"divide_by": 1}}, "cell unnamed: ops: 'divide_by': it must be one of add, multiply"),
        (Unnamed, {"ops": {"add": -1}}, "cell unnamed: ops: add: -1: it must be a whole number of at least 0"),
        (Unnamed, {"gates": 0}, "cell unnamed: gates: 0: it must be a whole number of at least 1"),
        (Unnamed, {"states": 0}, "cell unnamed: states: 0: it must be a whole number of at least 1"),
        (Unnamed, {"vector_words": 1.5}, "cell unnamed: vector_words: 1.5: it must be a whole number of at least 0"),
    ],
)
def test_what_is_no_cell_is_named(cell: type, attributes: dict[str, object], message: str, own_cells: None) -> None:
    with pytest.raises(InputError, match=message):
        register_cell(type(cell.__name__, (cell,), attributes)())


def test_a_cell_lacks_nothing_in_silence(own_cells: None) -> None:
    class Lacking(GatedCell):
        name, title, vector_words = "lacking", "lacking", 1
        ops: ClassVar = {"add": 1}
        step = Bare.step

    with pytest.raises(InputError, match=r"cell lacking: Lacking\.gates: missing"):
        register_cell(Lacking())
    with pytest.raises(TypeError, match="step"):
        GatedCell()  # type: ignore[abstract]
