"""EdgeDRNN's arithmetic against the RTL's outputs, and against plain whole numbers computed another way."""

import math

import numpy as np
import pytest
from paths import REFERENCE
from plain_edgedrnn import plain_network

from quant.arithmetic.edgedrnn import Thresholds, gate_tables, run
from simulators.inputs.errors import InputError
from simulators.platforms.edgedrnn.cycle_law import DeltaMasks, sent_columns

NETWORKS = np.load(REFERENCE / "edgedrnn_arithmetic.npz")
NAMES = sorted(key.removesuffix("_config") for key in NETWORKS.files if key.endswith("_config"))


def layers_of(name: str) -> list[np.ndarray]:
    return [NETWORKS[f"{name}_weights{n}"] for n in (1, 2) if f"{name}_weights{n}" in NETWORKS.files]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_value_and_every_column_of_the_rtl(name: str) -> None:
    _, thx, thh = NETWORKS[f"{name}_config"].tolist()
    runs = run(layers_of(name), NETWORKS[f"{name}_inputs"], Thresholds(thx, thh))
    assert np.array_equal(runs[-1].outputs, NETWORKS[f"{name}_outputs"])
    assert np.array_equal(np.concatenate([layer.sent for layer in runs], axis=1), NETWORKS[f"{name}_sent"])


def test_there_are_five_networks_with_overflow_among_them() -> None:
    assert NAMES == ["a1", "a2", "a3", "a4", "a5"]
    assert np.abs(NETWORKS["a5_inputs"].astype(int)).max() > 1 << 14


@pytest.mark.parametrize("name", NAMES)
def test_plain_whole_numbers_say_the_same(name: str) -> None:
    _, thx, thh = NETWORKS[f"{name}_config"].tolist()
    outputs, sent = plain_network(layers_of(name), NETWORKS[f"{name}_inputs"][:12], thx, thh)
    assert np.array_equal(outputs, NETWORKS[f"{name}_outputs"][:12])
    assert np.array_equal(sent, NETWORKS[f"{name}_sent"][:12])


@pytest.mark.parametrize(("thx", "thh"), [(0, 0), (256, 40), (257, 0), (511, 511)])
def test_random_networks_at_the_full_range(thx: int, thh: int) -> None:
    chance = np.random.default_rng(thx + thh)
    layers = [chance.integers(-128, 128, (1 + i + h, 3, h)).astype(np.int8) for i, h in ((5, 8), (8, 16))]
    inputs = chance.integers(-32768, 32768, (10, 5)).astype(np.int16)
    runs = run(layers, inputs, Thresholds(thx, thh))
    outputs, sent = plain_network(layers, inputs, thx, thh)
    assert np.array_equal(runs[-1].outputs, outputs)
    assert np.array_equal(np.concatenate([layer.sent for layer in runs], axis=1), sent)
    assert runs[0].sent[0, 0] == (thx <= 256)


def test_gates_take_multiples_of_a_sixteenth() -> None:
    sigmoids, tanhs = gate_tables()
    assert set(sigmoids.tolist()) == set(range(0, 257, 16))
    assert set(tanhs.tolist()) == set(range(-256, 257, 16))
    assert (sigmoids[32768], tanhs[32768], tanhs[32768 + 128]) == (128, 0, 16 * round(16 * math.tanh(0.5)))


def test_a_longer_sequence_begins_like_a_shorter_one() -> None:
    inputs = NETWORKS["a1_inputs"]
    whole, part = (run(layers_of("a1"), x, Thresholds(4, 8))[-1] for x in (inputs, inputs[:7]))
    assert np.array_equal(whole.outputs[:7], part.outputs)


def test_sent_columns_count_the_bytes_of_a_step() -> None:
    (layer, *_) = run(layers_of("a1"), NETWORKS["a1_inputs"], Thresholds(0, 0))
    border = 1 + NETWORKS["a1_inputs"].shape[1]
    parts = layer.sent.astype(np.uint8)
    masks = DeltaMasks(parts[:, 0], parts[:, 1:border], parts[:, border:])
    assert sent_columns(masks).tolist() == layer.sent.sum(axis=1).tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Thresholds(512, 0), "input threshold: 512: expected a whole number from 0 to 511"),
        (lambda: Thresholds(0, -1), "state threshold: -1"),
        (lambda: run([], np.zeros((1, 8), np.int16), Thresholds(0, 0)), "0 layers"),
        (lambda: run([np.zeros((9, 3, 8), np.int8)], np.zeros((1, 8), np.int16), Thresholds(0, 0)), "layer 1: weights"),
        (lambda: run([np.zeros((17, 3, 8), np.int8)], np.zeros((1, 8)), Thresholds(0, 0)), "inputs: float64"),
    ],
)
def test_refused_in_one_line(call, message: str) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*$") as error:
        call()
    assert message in str(error.value)
