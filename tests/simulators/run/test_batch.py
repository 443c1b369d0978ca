"""A batch has the figures of as many single simulations."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from placing_platform import placing

from simulators import Elementwise, InputError, Matmul, Trace, load_arch, load_trace, simulate, simulate_batch
from simulators.run import trace_batch
from simulators.run.network_walk import simulate_networks
from simulators.run.trace_batch import TraceBatch


def network(steps: int, sizes: list[tuple[int, int, bool, bool]]) -> Trace:
    """Products (outputs, inputs, recurrent, with an elementwise layer behind) at 8 bits."""
    layers: list[Matmul | Elementwise] = []
    for i, (outputs, inputs, recurrent, elementwise) in enumerate(sizes):
        layers.append(
            Matmul(name=f"M{i}", out_features=outputs, in_features=inputs, steps=steps, recurrent=recurrent,
                   weight_bits=8, activation_bits=8, output_bits=16 if elementwise else 8)
        )  # fmt: skip
        if elementwise:
            left = 8 if i + 1 < len(sizes) else 16
            layers.append(
                Elementwise(name=f"E{i}", ops={"add": 9}, inputs=outputs, outputs=5, steps=steps, output_bits=left)
            )
    return Trace(name="drawn", steps=steps, layers=tuple(layers))


def at(trace: Trace, bits: np.ndarray) -> Trace:
    """The trace with a candidate's bits, built the long way."""
    products = iter(bits.tolist())
    layers = [layer.model_dump() for layer in trace.layers]
    for i, layer in enumerate(layers):
        if layer["op"] != "elementwise":
            layer["weight_bits"], layer["activation_bits"] = next(products)
            if i:
                layers[i - 1]["output_bits"] = layer["activation_bits"]
        layer["output_bits"] = 16
    return Trace(name="candidate", steps=trace.steps, layers=layers)


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.data(),
    arch=st.sampled_from(["bitfusion", "bitfusion-2mib", "silago", "silago-64kib"]),
    sizes=st.lists(
        st.tuples(st.integers(1, 90), st.integers(1, 90), st.booleans(), st.booleans()), min_size=1, max_size=4
    ),
)
def test_a_batch_equals_single_simulations(data: st.DataObject, arch: str, sizes: list) -> None:
    spec, trace = load_arch(arch), network(data.draw(st.integers(1, 6)), sizes)
    seed = data.draw(st.integers(0, 1 << 30))
    pairs = np.array(spec.precisions)
    bits = pairs[np.random.default_rng(seed).integers(0, len(pairs), (7, len(sizes)))]
    traces = [at(trace, candidate) for candidate in bits]
    for batch in (simulate_batch(trace, spec, bits), simulate_batch(traces, spec)):
        for i, candidate in enumerate(traces):
            report = simulate(candidate, spec)
            assert batch.cycles[i] == report.cycles
            assert batch.latency_ms[i] == report.latency_ms
            assert batch.energy_uj[i] == report.energy_uj


def test_traces_of_different_depth_in_one_batch() -> None:
    spec = load_arch("bitfusion")
    traces = [load_trace("lstm-128-8bit"), load_trace("mohaq-sru-4bit"), load_trace("lstm-128-8bit")]
    assert simulate_batch(traces, spec).cycles.tolist() == [simulate(trace, spec).cycles for trace in traces]


def test_no_candidates() -> None:
    trace = network(2, [(3, 4, False, True)])
    assert simulate_batch(trace, load_arch("silago"), np.zeros((0, 1, 2), np.int64)).cycles.tolist() == []
    assert simulate_batch([], load_arch("silago")).energy_uj.tolist() == []


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ([[[8, 8]]], r"it must be integers \(candidates, 2, 2\)"),
        ([[[8.0, 8.0], [8.0, 8.0]]], "float64"),
        ([[[8, 8], [0, 8]]], "0 to 8: widths are 1 to 16"),
        ([[[8, 8], [8, 8]], [[8, 8], [8, 4]]], "candidate 1: layer M1: 8x4 bits"),
    ],
)
def test_bad_candidates_are_named(bits: list, message: str) -> None:
    trace = network(2, [(3, 4, False, True), (5, 3, False, False)])
    with pytest.raises(InputError, match=message):
        simulate_batch(trace, load_arch("silago"), np.array(bits))


@pytest.mark.slow
@pytest.mark.parametrize("places", [(0, 1, 2), (7, 2, 0), (-3, 5, -1), (1 << 62, 1 << 40, -(1 << 62), 0)])
def test_any_whole_number_is_a_place(places: tuple[int, ...]) -> None:
    """What a platform says of where parameters lie reaches its lowering as it is, in batches and in sweeps too."""
    arch = placing(*places)
    trace = network(3, [(5, 4, False, False), (3, 5, False, False), (7, 3, False, False)])
    bits = np.array(arch.precisions)[np.random.default_rng(1).integers(0, 9, (40, 3))]
    traces = [at(trace, candidate) for candidate in bits]
    single = [simulate(candidate, arch) for candidate in traces]
    swept = TraceBatch(traces).on(arch)
    for found in (simulate_batch(trace, arch, bits), simulate_batch(traces, arch), swept):
        assert found.cycles.tolist() == [report.cycles for report in single]
        assert found.energy_uj.tolist() == [report.energy_uj for report in single]


def test_a_reason_names_the_layer_that_cannot_be_run() -> None:
    """Two layers of one shape: SiLago has no 2 bits, of whichever of them."""

    def network(*widths: int) -> Trace:
        size = {"out_features": 8, "in_features": 8, "steps": 2, "output_bits": 16}
        layers = [Matmul(name=n, weight_bits=w, activation_bits=w, **size) for n, w in zip("AB", widths, strict=True)]
        return Trace(name="t", steps=2, layers=tuple(layers))

    arch, traces = load_arch("silago"), [network(2, 8), network(8, 2)]
    swept = TraceBatch(traces).on(arch)
    for trace, reason, layer in zip(traces, swept.reason.tolist(), "AB", strict=True):
        with pytest.raises(InputError) as alone:
            simulate(trace, arch)
        assert swept.reasons[reason] == str(alone.value)
        assert swept.reasons[reason].startswith(f"layer {layer}: 2x2 bits")


def test_a_platform_runs_the_precisions_that_its_spec_lists() -> None:
    arch, trace = placing(0), network(3, [(5, 4, False, False)])
    with pytest.raises(
        InputError, match=r"layer M0: 16x16 bits: placing multiplies 2x2, 2x4, .* \(weights x activations\)"
    ):
        simulate(trace.at_bits(16, 16), arch)
    with pytest.raises(InputError, match="candidate 1: layer M0: 8x3 bits"):
        simulate_batch(trace, arch, np.array([[[8, 8]], [[8, 3]]]))
    swept = TraceBatch([trace, trace.at_bits(3, 8)]).on(arch)
    assert swept.reason.tolist() == [-1, 0]
    assert "3x8 bits" in swept.reasons[0]


def layer(name: str, op: str) -> Matmul | Elementwise:
    if op == "product":
        return Matmul(
            name=name, out_features=20, in_features=20, steps=4, weight_bits=8, activation_bits=8, output_bits=8
        )
    return Elementwise(name=name, ops={"add": 20}, inputs=20, outputs=20, steps=4)


def test_networks_that_group_otherwise_are_batched_apart() -> None:
    """Three layers each, and two segments; but the elementwise work runs behind the first product or the second."""
    arch = load_arch("bitfusion")
    orders = (("product", "elementwise", "product"), ("product", "product", "elementwise"))
    traces = [
        Trace(name="n", steps=4, layers=tuple(layer(f"x{i}", op) for i, op in enumerate(order))) for order in orders
    ]
    assert simulate_batch(traces, arch).cycles.tolist() == [simulate(trace, arch).cycles for trace in traces]
    for both in (traces, traces[::-1]):
        with pytest.raises(InputError, match="2 traces of several networks"):
            TraceBatch(both).on(arch)


def test_a_candidate_that_takes_too_long_is_left_out_and_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    arch = load_arch("bitfusion")
    traces = [load_trace("mohaq-sru-8bit").at_bits(*bits) for bits in ((8, 8), (4, 4), (2, 2))]
    together = TraceBatch(traces).on(arch)

    def counting(simulation: object, numbers: np.ndarray) -> object:
        batch = simulate_networks(simulation, numbers)
        if together.cycles[1] in batch.cycles:
            raise InputError("more than 2^60 cycles")
        return batch

    monkeypatch.setattr(trace_batch, "simulate_networks", counting)
    figures = TraceBatch(traces).on(arch)
    assert figures.cycles.tolist() == [together.cycles[0], 0, together.cycles[2]]
    assert figures.energy_uj.tolist() == [together.energy_uj[0], 0.0, together.energy_uj[2]]
    assert figures.reason.tolist() == [-1, 0, -1]
    assert figures.reasons == ("more than 2^60 cycles",)
