"""Searches of thresholds beside bits of networks from files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

from onnx_graphs import saved
from small_network import FRAMES, small_network

from quant import load
from quant.graphs.graph_model import GraphModel
from quant.sites.delta_pair import in_codes, thresholds_in, widths
from search import Experiment, run
from simulators import InputError, Matmul, load_arch, load_trace, simulate

SKIPS = ("skips_inactive_inputs=true",)
WALK = FRAMES.cumsum(1) / 4


def network(folder: Path) -> GraphModel:
    return load(saved(small_network(), folder), [{"x": FRAMES}, {"x": WALK[:, :7]}, {"x": WALK}])


def experiment(**changes: Any) -> Experiment:
    settings = {
        "name": "t", "model": "none", "population": 6, "offspring": 4, "generations": 1, "steps": 12, "set": SKIPS,
        "thresholds": {"gru.*": [0, 24, 96], "out": [0, 64]}, "constraints": {"error": 60.0}, **changes,
    }  # fmt: skip
    return Experiment.model_validate(settings)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["random", "surrogate"])
def test_error_and_cost_are_those_of_a_delta_network_at_the_thresholds(method: str, tmp_path: Path) -> None:
    model, arch = network(tmp_path), load_arch("bitfusion", SKIPS)
    result = run(experiment(method=method), tmp_path / "run", model=model)
    visited = [solution for solution in result.visited if solution.quality is not None]
    assert len({tuple(thresholds_in(s.bits).values()) for s in visited}) > 2
    for solution in visited:
        bits = {site: widths(pair) for site, pair in solution.bits.items()}
        steps = {site: model.formats.inputs[site][bits[site][1]].step for site in bits}
        codes = {site: in_codes(threshold, steps[site]) for site, threshold in thresholds_in(solution.bits).items()}
        found = model.deltas.evaluate_delta(bits, codes)
        assert solution.quality.error == found.rate.error_max
        reports = [simulate(model.deltas.trace_delta(bits, codes, number), arch) for number in range(3)]
        assert solution.cost.latency_ms == pytest.approx(np.mean([report.latency_ms for report in reports]), rel=1e-12)
        assert solution.cost.energy_uj == pytest.approx(np.mean([report.energy_uj for report in reports]), rel=1e-12)
        assert solution.cost.latency_worst_ms == max(report.latency_ms for report in reports)
    trace = load_trace(tmp_path / "run" / "solutions" / "000.yaml")
    assert trace.digest == network(tmp_path).trace_utterance(result.front[0].bits).digest


def test_more_is_saved_at_higher_thresholds(tmp_path: Path) -> None:
    model, arch = network(tmp_path), load_arch("bitfusion", SKIPS)
    candidates = [model.parse_bits(f"8,gru.*=8@{threshold}") for threshold in (0, 32, 512)]
    found = list(model.evaluate_deltas(candidates))
    latencies = [sum(simulate(trace, arch).cycles for trace in traces) for _, traces in found]
    assert latencies == sorted(latencies, reverse=True)
    assert latencies[0] > latencies[2]
    errors = [rates.error for rates, _ in found]
    assert errors == [model.evaluate(bits).error for bits in candidates]
    assert errors[0] == pytest.approx(model.evaluate(model.parse_bits("8")).error, rel=1e-3)
    assert errors[0] < errors[2]


def test_what_is_previewed_is_of_an_utterance_of_mean_length(tmp_path: Path) -> None:
    model = network(tmp_path)
    assert model.mean_steps() == 10  # of 12, 7 and 12
    trace = model.expected_trace(model.parse_bits("8,gru.*=8@32"), 10, {"gru.W": 0.5, "gru.U": 0.2})
    by_name = {layer.name: layer for layer in trace.layers}
    for site, sent, inputs in (("gru.W", 2, 4), ("gru.U", 1, 5)):
        layer = by_name[site]
        assert isinstance(layer, Matmul)
        assert layer.masks is not None
        assert (layer.in_features, len(layer.masks)) == (inputs, 10)
        assert {int(mask, 16).bit_count() for mask in layer.masks} == {sent}
    out = by_name["out"]
    assert isinstance(out, Matmul)
    assert out.masks is None


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"thresholds": {"*": [0, 8]}}, "conv can have none: a convolution reads each frame several times"),
        ({"thresholds": {"lstm.*": [0, 8]}}, "no such site: the sites are conv, gru.W, gru.U, out"),
        ({"set": ()}, "bitfusion computes what is not sent as well: set skips_inactive_inputs=true"),
    ],
)
def test_thresholds_that_nothing_is_made_of_get_one_line(changes: dict[str, Any], rule: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"thresholds.*{rule}"):
        run(experiment(**changes), tmp_path / "run", model=network(tmp_path))
    with pytest.raises(InputError, match="bits of conv: 8x8@4: no threshold: a convolution reads each frame"):
        network(tmp_path).trace_utterance(network(tmp_path).parse_bits("8@4"))


def test_a_network_from_a_file_is_not_retrained_with_thresholds(tmp_path: Path) -> None:
    beacons = {"threshold": 2.0, "above": 3.0, "below": 80.0}
    with pytest.raises(InputError, match="thresholds: a network from a file is not retrained with them"):
        run(experiment(beacons=beacons), tmp_path / "run", model=network(tmp_path))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("thresholds", "rule"),
    [
        ({"gru.W": [0, 400]}, r"thresholds\.gru\.W: 400: at most 256 on EdgeDRNN"),
        ({"gru.U": [0, 600]}, r"thresholds\.gru\.U: 600: at most 511 on EdgeDRNN"),
    ],
)
def test_edgedrnns_registers_hold_for_networks_from_files(
    thresholds: dict[str, list[int]], rule: str, tmp_path: Path
) -> None:
    changes = {"arch": "edgedrnn", "set": (), "thresholds": thresholds}
    with pytest.raises(InputError, match=rule):
        run(experiment(**changes), tmp_path / "run", model=network(tmp_path))


@pytest.mark.slow
def test_nothing_is_learnt_of_candidates_with_thresholds(tmp_path: Path) -> None:
    run(experiment(method="random"), tmp_path / "first", model=network(tmp_path))
    with pytest.raises(InputError, match="its candidates have thresholds, of which nothing is learnt"):
        run(experiment(learn_from=[str(tmp_path / "first")]), tmp_path / "run", model=network(tmp_path))
