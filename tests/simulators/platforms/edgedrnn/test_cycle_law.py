"""The cycle law against every step of the RTL's runs, against a plain transcription of it, and what it refuses."""

import csv
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import REFERENCE

from simulators.inputs.errors import InputError
from simulators.platforms.edgedrnn.cycle_law import DeltaMasks, layer_cycles, sent_columns, step_cycles
from simulators.platforms.edgedrnn.network import (
    DeltaTiming,
    LayerSize,
    bias_is_sent,
    column_addresses,
    layer_sizes,
    sums_are_right,
)
from simulators.workloads.masks import masks_of, sent_of

TABLE = REFERENCE / "edgedrnn_cycles.csv"


def configurations() -> list[list[dict[str, str]]]:
    with open(TABLE, newline="", encoding="utf-8") as file:
        return [list(rows) for _, rows in groupby(csv.DictReader(file), key=lambda row: row["configuration"])]


def plain_layer(bias: int, inputs: Sequence[int], states: Sequence[int], lanes: int, latency: int) -> int:
    """Cycles of one layer in one step, slot by slot, with an unbounded list of ends."""
    slots = [(bias, False), *((x, False) for x in inputs), (0, False), (0, False), *((h, False) for h in states)]
    slots[len(inputs)] = (slots[len(inputs)][0], True)
    slots[-1] = (slots[-1][0], True)
    t, free, mem, ends = -1, 0, 0, []
    for sent, closing in slots:
        t = t + 1
        if len(ends) >= 33:
            t = max(t, ends[len(ends) - 33] + 2)
        if sent:
            cmd = mem if t < mem else t + 1
            free = max(cmd + latency, free) + 3 * len(states) // lanes
            mem = free
            ends.append(free)
        elif closing:
            free = max(free, t) + 1
            ends.append(free)
    return free + 13 + 5 * len(states) // lanes


@pytest.mark.parametrize("rows", configurations(), ids=lambda rows: rows[0]["configuration"])
def test_every_step_of_the_rtl(rows: list[dict[str, str]]) -> None:
    first = rows[0]
    timing = DeltaTiming(int(first["num_pe"]), int(first["memory_latency"]))
    sizes = layer_sizes(
        int(first["input_size"]), [int(size) for size in first["hidden_sizes"].split("x")], timing.lanes
    )
    bias = np.array([int(row["bias"]) for row in rows], np.uint8)
    assert [bool(sent) for sent in bias] == [bias_is_sent(int(first["thx"])), *[False] * (len(rows) - 1)]
    layers = [
        DeltaMasks(
            bias,
            sent_of([row["x_masks"].split(";")[layer] for row in rows], size.inputs),
            sent_of([row["h_masks"].split(";")[layer] for row in rows], size.hidden),
        )
        for layer, size in enumerate(sizes)
    ]
    assert step_cycles(layers, sizes, timing).tolist() == [int(row["rtl_cycles"]) for row in rows]


def test_the_table_is_whole() -> None:
    assert sum(map(len, configurations())) == 670


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_agrees_with_the_plain_transcription(data: st.DataObject) -> None:
    lanes = data.draw(st.sampled_from([2, 8, 16]))
    latency = data.draw(st.integers(0, 40))
    size = LayerSize(data.draw(st.integers(1, 40)) * lanes, data.draw(st.integers(1, 4)) * lanes)
    chance = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    dense, sparse = chance.random(2)
    inputs = chance.random((3, size.inputs)) < np.where(np.arange(size.inputs) < size.inputs * dense, 1, sparse / 20)
    states = chance.random((3, size.hidden)) < sparse
    masks = DeltaMasks(np.array([1, 0, 0], np.uint8), inputs.astype(np.uint8), states.astype(np.uint8))
    parts = layer_cycles(masks, size, DeltaTiming(lanes, latency))
    expected = [plain_layer(int(step == 0), inputs[step], states[step], lanes, latency) for step in range(3)]
    assert parts.min() >= 0
    assert parts.sum(axis=1).tolist() == expected


@pytest.mark.parametrize(("inputs", "hidden", "lanes"), [(40, 768, 8), (16, 64, 16), (504, 32, 8)])
def test_closed_forms_of_nothing_and_of_everything(inputs: int, hidden: int, lanes: int) -> None:
    size = LayerSize(inputs, hidden)
    for sent, expected in (
        (0, inputs + hidden + 16 + 5 * hidden // lanes),
        (1, 3 * hidden * (inputs + hidden) // lanes + 15 + 5 * hidden // lanes),
    ):
        masks = DeltaMasks(
            np.zeros(1, np.uint8), np.full((1, inputs), sent, np.uint8), np.full((1, hidden), sent, np.uint8)
        )
        assert layer_cycles(masks, size, DeltaTiming(lanes)).sum() == expected
        assert sent_columns(masks).tolist() == [sent * (inputs + hidden)]


def test_half_a_group_of_inputs_is_scanned_as_a_whole_one() -> None:
    """12 inputs with 8 lanes scan 16 slots; the last, a zero, closes the list whatever the inputs are."""
    (size,) = layer_sizes(12, [16], 8)
    masks = DeltaMasks(np.zeros(1, np.uint8), np.ones((1, 12), np.uint8), np.zeros((1, 16), np.uint8))
    assert layer_cycles(masks, size, DeltaTiming(8)).sum() == plain_layer(0, [1] * 12 + [0] * 4, [0] * 16, 8, 0)


def test_columns_of_a_smaller_layer_overlap_those_before_it() -> None:
    equal, shrinking = (column_addresses(layer_sizes(16, hidden), 100) for hidden in ([16, 16], [32, 16]))
    assert equal[1].start == equal[0].stop == 100 + 33 * 48
    assert shrinking[0] == range(100, 100 + 49 * 96, 96)
    assert shrinking[1].start == 100 + 49 * 48 < shrinking[0].stop


def test_masks_there_and_back() -> None:
    assert sent_of(["0000000a"], 4).tolist() == [[0, 1, 0, 1]]
    assert masks_of(sent_of(["0", "a5", "1ff"], 9)) == ["0", "a5", "1ff"]
    assert sent_of(["5"], 4).tolist() == [[1, 0, 1, 0]]


@pytest.mark.parametrize(("threshold", "sent"), [(0, True), (256, True), (257, False), (511, False)])
def test_a_threshold_beyond_one_loses_the_bias(threshold: int, sent: bool) -> None:
    assert bias_is_sent(threshold) is sent


@pytest.mark.parametrize(("hidden", "latency", "right"), [(8, 0, False), (8, 1, True), (16, 0, True)])
def test_short_bursts_without_latency_overtake_sums(hidden: int, latency: int, right: bool) -> None:
    assert sums_are_right(LayerSize(8, hidden), DeltaTiming(8, latency)) is right


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bias_is_sent(512), "input threshold: 512: expected a whole number from 0 to 511"),
        (lambda: bias_is_sent(-1), "input threshold: -1"),
        (lambda: sent_of(["xyz"], 4), "mask 'xyz' of step 0: expected a hexadecimal number"),
        (lambda: sent_of(["1", "10"], 4), "mask '10' of step 1: bit 4 of 4 elements"),
        (lambda: layer_sizes(10, [16]), "inputs: 10: expected a multiple of half of the 8 lanes"),
        (lambda: layer_sizes(16, [12]), "hidden size: 12: expected a multiple of the 8 lanes"),
        (lambda: layer_sizes(16, [8] * 5), "5 layers: EdgeDRNN runs 1 to 4"),
        (lambda: layer_sizes(16, [1032]), "hidden size: 1032"),
        (lambda: DeltaTiming(8, -1), "memory_latency: -1"),
        (lambda: DeltaTiming(8, 1_048_577), "memory_latency: 1048577: expected a whole number from 0 to 1048576"),
        (lambda: DeltaTiming(0), "lanes: 0"),
        (
            lambda: layer_cycles(
                DeltaMasks(np.zeros(2, np.uint8), np.zeros((2, 8), np.uint8), np.zeros((1, 8), np.uint8)),
                LayerSize(8, 8), DeltaTiming(),
            ),
            "masks of states: shape (1, 8): expected (2, 8)",
        ),
        (lambda: step_cycles([], layer_sizes(8, [8]), DeltaTiming()), "masks of 0 layers: the network has 1"),
    ],
)  # fmt: skip
def test_refused_in_one_line(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError) as error:
        call()
    assert message in str(error.value)
    assert "\n" not in str(error.value)
