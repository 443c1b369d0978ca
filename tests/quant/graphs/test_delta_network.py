"""Networks from files as delta networks: what is held in time, what it changes, what it saves."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

import onnx
from onnx import helper
from onnx_graphs import model_of, saved
from small_network import FRAMES, small_network

from quant import homogeneous, load
from quant.graphs.data_settings import Chunks, DataSettings
from quant.graphs.delta_network import DeltaNetwork
from quant.graphs.graph_model import GraphModel
from search.evaluation.sent_costs import SentCosts, sent_costs
from simulators import Matmul, load_arch
from simulators.inputs.errors import InputError

INPUTS, CELLS, STEPS = 4, 5, 30
RANDOM = np.random.default_rng(5)
W, U = (RANDOM.normal(size=(1, CELLS, n)).astype(np.float32) * 0.5 for n in (INPUTS, CELLS))
BIAS = RANDOM.normal(size=(1, 2 * CELLS)).astype(np.float32) * 0.1
OUT = RANDOM.normal(size=(CELLS, 3)).astype(np.float32)
WALK = (RANDOM.normal(size=(STEPS, 1, INPUTS)).cumsum(0) * 0.2).astype(np.float32)


def elman() -> onnx.ModelProto:
    """x (T, 1, 4) and a first h: a simple recurrent layer and a product of its states, (T, 1, 3); its last h."""
    nodes = [
        helper.make_node("RNN", ["x", "w", "r", "b", "", "h"], ["y4", "last"], name="rnn", hidden_size=CELLS),
        helper.make_node("Squeeze", ["y4", "axis"], ["s"], name="squeeze"),
        helper.make_node("MatMul", ["s", "m"], ["y"], name="out"),
    ]
    constants = {"w": W, "r": U, "b": BIAS, "m": OUT, "axis": np.array([1])}
    return model_of(nodes, {"x": WALK, "h": np.zeros((1, 1, CELLS), np.float32)}, constants, ["y", "last"])


@pytest.fixture
def recurrent(tmp_path: Path) -> GraphModel:
    return load(saved(elman(), tmp_path), [{"x": WALK, "h": np.zeros((1, 1, CELLS), np.float32)}])


def in_floating_point(thresholds: dict[str, float]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Outputs (T, 3) by the definition, without any rounding, and what was sent (T, K): thresholds are in the units of
    what products read."""
    h, last = np.zeros(CELLS), {"rnn.W": np.zeros(INPUTS), "rnn.U": np.zeros(CELLS), "out": np.zeros(CELLS)}
    made, sent = [], {site: [] for site in last}

    def held(site: str, x: np.ndarray) -> np.ndarray:
        changes = np.abs(x - last[site]) > thresholds[site]
        last[site] = np.where(changes, x, last[site])
        sent[site].append(changes)
        return last[site]

    for x in WALK[:, 0].astype(np.float64):
        h = np.tanh(W[0] @ held("rnn.W", x) + U[0] @ held("rnn.U", h) + BIAS[0, :CELLS] + BIAS[0, CELLS:])
        made.append(held("out", h) @ OUT)
    return np.array(made), {site: np.array(masks) for site, masks in sent.items()}


def test_an_output_is_that_of_the_definition(recurrent: GraphModel) -> None:
    network, bits = DeltaNetwork(recurrent), homogeneous(recurrent.sites, 16)
    thresholds = {
        site: int(size / recurrent.formats.inputs[site][16].step)
        for site, size in (("rnn.W", 0.15), ("rnn.U", 0.1), ("out", 0.2))
    }
    exact = {site: (count + 0.5) * recurrent.formats.inputs[site][16].step for site, count in thresholds.items()}
    expected, sent = in_floating_point(exact)
    found = network.evaluate_delta(bits, thresholds)
    shares = {site: float(masks.mean()) for site, masks in sent.items()}
    assert found.active == pytest.approx(shares)
    assert all(0.05 < share < 0.95 for share in shares.values())
    error = np.sqrt(np.square(expected - recurrent.float_outputs()[0][:, 0].numpy()).sum())
    whole = np.sqrt(np.square(recurrent.float_outputs()[0].numpy()).sum())
    assert found.rate.error == pytest.approx(100 * error / whole, rel=1e-2)
    weights = {"rnn.W": INPUTS * CELLS, "rnn.U": CELLS * CELLS, "out": 3 * CELLS}
    saved_macs = sum(weights[site] * (1 - share) for site, share in shares.items())
    assert found.eliminated == pytest.approx(saved_macs / sum(weights.values()))
    trace = network.trace_delta(bits, thresholds)
    masks = {layer.name: layer.active for layer in trace.layers if isinstance(layer, Matmul)}
    for site, bools in sent.items():
        assert masks[site] == tuple(f"{int(''.join('01'[x] for x in row[::-1]), 2):x}" for row in bools.tolist())


def test_state_and_what_was_sent_go_from_call_to_call(recurrent: GraphModel, tmp_path: Path) -> None:
    settings = DataSettings(state={"h": "last"}, chunks={"x": Chunks(length=1, axis=0)}, hop_ms=10.0)
    stepwise = load(saved(elman(), tmp_path, "again.onnx"), [{"x": WALK}], settings=settings)
    bits = homogeneous(stepwise.sites, 16)
    thresholds = {"rnn.W": 900, "rnn.U": 700, "out": 1500}
    formats, other = recurrent.formats, stepwise.formats
    assert formats.inputs["rnn.U"][16] == other.inputs["rnn.U"][16]
    whole = DeltaNetwork(recurrent).evaluate_delta(bits, thresholds)
    by_call = DeltaNetwork(stepwise).evaluate_delta(bits, thresholds)
    assert by_call.active == whole.active
    assert by_call.rate.error == pytest.approx(whole.rate.error, rel=1e-4)
    with pytest.raises(InputError, match="every chunk has masks of its own"):
        DeltaNetwork(stepwise).trace_delta(bits, thresholds)


def test_a_trace_for_each_chunk_sends_what_the_whole_sends(recurrent: GraphModel, tmp_path: Path) -> None:
    settings = DataSettings(state={"h": "last"}, chunks={"x": Chunks(length=1, axis=0)}, hop_ms=10.0)
    stepwise = load(saved(elman(), tmp_path, "again.onnx"), [{"x": WALK}], settings=settings)
    bits = recurrent.parse_bits("16,rnn.W=16@40,rnn.U=16@20,out=16@50")
    ((_, of_whole),) = recurrent.evaluate_deltas([bits])
    ((_, of_chunks),) = stepwise.evaluate_deltas([bits])
    (whole,), chunks = list(of_whole), list(of_chunks)
    assert len(chunks) == STEPS
    for number, layer in enumerate(whole.layers):
        if isinstance(layer, Matmul):
            sent = [chunk.layers[number] for chunk in chunks]
            assert layer.active == tuple(mask for one in sent if isinstance(one, Matmul) for mask in one.masks or ())
    mean = stepwise.trace_utterance(bits)
    for layer in mean.layers:
        if isinstance(layer, Matmul):
            (mask,) = layer.masks or ()
            of_site = next(one for one in whole.layers if one.name == layer.name)
            assert isinstance(of_site, Matmul)
            share = sum(int(each, 16).bit_count() for each in of_site.masks or ()) / STEPS
            assert int(mask, 16).bit_count() == round(share)


def test_without_a_threshold_nothing_changes(tmp_path: Path) -> None:
    model = load(saved(small_network(), tmp_path), [{"x": FRAMES}, {"x": 2 * FRAMES}])
    network, bits = DeltaNetwork(model), homogeneous(model.sites, 4, 8)
    assert [site.name for site in network.sites] == ["gru.W", "gru.U", "out"]  # a convolution sends everything
    found = network.evaluate_delta(bits, dict.fromkeys(("gru.W", "gru.U", "out"), 0))
    assert found.rate.error == pytest.approx(model.evaluate(bits).error, rel=1e-3)
    none = network.evaluate_delta(bits, {})
    assert (none.active, none.eliminated) == ({}, 0.0)


def test_what_has_no_one_order_of_what_it_reads_is_refused(tmp_path: Path) -> None:
    before = small_network()
    gru = next(node for node in before.graph.node if node.op_type == "GRU")
    gru.attribute[[attribute.name for attribute in gru.attribute].index("linear_before_reset")].i = 0
    shorter = elman()
    shorter.graph.node[0].input[4] = "lengths"
    shorter.graph.initializer.append(onnx.numpy_helper.from_array(np.array([20], np.int32), "lengths"))
    network = DeltaNetwork(load(saved(before, tmp_path), [{"x": FRAMES}]))
    bits = homogeneous(network.model.sites, 8)
    assert [site.name for site in network.sites] == ["gru.W", "out"]
    assert network.without["gru.U"].startswith("the reset gate stands before the product")
    held = network.evaluate_delta(bits, {"gru.W": 0, "out": 0})
    assert held.rate.error == pytest.approx(network.model.evaluate(bits).error, rel=1e-3)
    with pytest.raises(InputError, match=r"bits of gru\.U: 8x8@4: no threshold: the reset gate stands before"):
        network.codes(network.model.parse_bits("8,gru.U=8@4"))
    given = {"x": WALK, "h": np.zeros((1, 1, CELLS), np.float32)}
    network = DeltaNetwork(load(saved(shorter, tmp_path), [given]))
    bits = homogeneous(network.model.sites, 8)
    assert network.evaluate_delta(bits, {}).eliminated == 0
    with pytest.raises(InputError, match="utterances of several lengths in a batch"):
        network.evaluate_delta(bits, {"rnn.W": 0})


def test_every_vector_of_a_batch_has_a_mask(tmp_path: Path) -> None:
    """A batch of two utterances sends what each of them sends by itself, in turns."""
    first = np.zeros((1, 2, CELLS), np.float32)
    batch = load(saved(elman(), tmp_path), [{"x": np.concatenate([WALK, 2 * WALK], 1), "h": first}])
    bits = batch.parse_bits("16,rnn.W=16@40,rnn.U=16@20,out=16@50")
    ((_, (whole,)),) = batch.evaluate_deltas([bits])
    masks = {layer.name: layer.masks for layer in whole.layers if isinstance(layer, Matmul)}
    formats = batch.formats
    for number in range(2):
        alone = load(saved(elman(), tmp_path, "a.onnx"), [{"x": (1 + number) * WALK, "h": first[:, :1]}])
        alone._formats = formats  # ranges of both
        ((_, (trace,)),) = alone.evaluate_deltas([bits])
        for layer in trace.layers:
            if isinstance(layer, Matmul):
                assert layer.masks == (masks[layer.name] or ())[number::2]


def test_directions_have_shares_of_their_own(tmp_path: Path) -> None:
    module = torch.nn.LSTM(INPUTS, CELLS, bidirectional=True).eval()
    model = load(module, [{"input": WALK}])
    sites = [site.name for site in model.sites]
    bits = model.parse_bits(f"8,{sites[0]}=8@0,{sites[-2]}=8@512")
    ((_, traces),) = model.evaluate_deltas([bits])
    (found,) = sent_costs(bits, traces, [load_arch("bitfusion", ["skips_inactive_inputs=true"])])
    assert isinstance(found, SentCosts)
    exact = model.deltas.evaluate_delta(homogeneous(model.sites, 8), model.deltas.codes(bits)).active
    assert found.shares == pytest.approx(exact)
    assert exact[sites[0]] != pytest.approx(exact[sites[-2]], abs=0.1)


def test_thresholds_of_what_cannot_have_them_get_one_line(tmp_path: Path) -> None:
    model = load(saved(small_network(), tmp_path), [{"x": FRAMES}])
    network, bits = DeltaNetwork(model), homogeneous(model.sites, 8)
    with pytest.raises(InputError, match="threshold of conv: unknown site"):
        network.evaluate_delta(bits, {"conv": 1})
    with pytest.raises(InputError, match="threshold of out: -1: it must be at least 0"):
        network.evaluate_delta(bits, {"out": -1})
    with pytest.raises(InputError, match="utterance 1: there are 1, counted from 0"):
        network.trace_delta(bits, {}, 1)
    layer = torch.nn.Conv1d(6, 3, 1)
    picture = load(layer, [{"input": FRAMES.transpose(0, 2, 1).copy()}])
    with pytest.raises(InputError, match="no product has an order of time"):
        DeltaNetwork(picture)
