"""Every operator of a GRU with its own width: on scikit-learn's digits, row by row, and beside an independent model."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from independent_gru import IndependentGru
from sklearn.datasets import load_digits

from quant.own.gru_classifier import Sequences, new_classifier, train_classifier
from quant.own.operator_gru import OPERATORS, WIDTHS, OperatorGru
from search import Experiment, run
from simulators import InputError, load_arch, simulate


def digits() -> tuple[Sequences, Sequences]:
    data = load_digits()
    x, y = (data.images / 16.0).astype(np.float32), data.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(y))
    return tuple(Sequences(x[part], y[part]) for part in (order[:1200], order[1200:]))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def model() -> OperatorGru:
    seen, held_out = digits()
    return OperatorGru.of(train_classifier(seen, epochs=25), seen, held_out)


def same(width: int) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(OPERATORS, (width, width))


@pytest.mark.slow
def test_sixteen_bits_classify_as_floating_point_does(model: OperatorGru) -> None:
    exact, wide = model.evaluate(None), model.evaluate(same(16))
    assert exact.error < 7
    assert wide.error == pytest.approx(exact.error, abs=0.6)
    assert model.evaluate(same(8)).error < exact.error + 3
    assert model.evaluate(same(2)).error > 40


def uneven() -> tuple[OperatorGru, Sequences]:
    """A network with large weights, so that formats saturate, and sequences of 1 to 6 steps."""
    draw = np.random.default_rng(5)
    data = Sequences(draw.normal(size=(9, 6, 3)).astype(np.float32), np.arange(9) % 3, draw.integers(1, 7, 9))
    network = new_classifier(data, 5, 3).requires_grad_(False)
    for parameter in network.parameters():
        parameter *= 2.5
    seen = Sequences(0.6 * data.x, data.y, data.steps)
    return OperatorGru.of(network, seen, data), data


def test_the_float_model_is_torchs_at_the_last_true_step() -> None:
    model, data = uneven()
    network = new_classifier(data, 5, 3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 2.5
        theirs = [network(torch.from_numpy(x[None, :n]))[0].numpy() for x, n in zip(data.x, data.steps, strict=True)]
    np.testing.assert_allclose(model.parameters.scores(data), theirs, atol=1e-4)


@pytest.mark.slow
def test_whole_numbers_are_those_of_an_independent_model() -> None:
    model, data = uneven()
    weights = {name: value.tolist() for name, value in asdict(model.parameters).items()}
    draw = np.random.default_rng(1)
    drawn = [dict(zip(OPERATORS, draw.integers(2, 17, len(OPERATORS)).tolist(), strict=True)) for _ in range(12)]
    for widths in (dict.fromkeys(OPERATORS, 8), dict.fromkeys(OPERATORS, 16), *drawn):
        bits = {operator: (width, width) for operator, width in widths.items()}
        formats = {operator: (model.fraction(operator, width), width) for operator, width in widths.items()}
        independent = IndependentGru(weights, formats)
        theirs = [independent.scores(x[:n].tolist()) for x, n in zip(data.x, data.steps, strict=True)]
        np.testing.assert_array_equal(model.run(data, bits), theirs, err_msg=str(widths))


@pytest.mark.slow
@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_has_its_own_width(model: OperatorGru, operator: str) -> None:
    """Narrowing one operator changes results, and not as narrowing another does."""
    part = Sequences(model.data.x[:40], model.data.y[:40])
    wide = model.run(part, same(12))
    narrow = model.run(part, same(12) | {operator: (3, 3)})
    assert not np.array_equal(wide, narrow)


@pytest.mark.slow
def test_formats_hold_what_was_seen(model: OperatorGru) -> None:
    for operator in OPERATORS:
        for width in (2, 8, 16):
            largest = model.ranges[operator] * 2.0 ** model.fraction(operator, width)
            assert largest <= 2 ** (width - 1)


@pytest.mark.slow
def test_weights_are_stored_at_their_own_widths(model: OperatorGru) -> None:
    """8 inputs, 48 cells, 10 classes: by hand. Where hardware has the widths, the trace says the same."""
    by_hand = 144 * 8 * 5 + 144 * 48 * 3 + 10 * 48 * 7 + 16 * (144 + 48)
    assert model.stored_bits(same(8) | {"W": (5, 5), "U": (3, 3), "FC": (7, 7)}) == by_hand
    bits = same(8) | {"U": (4, 4), "h": (4, 4), "FC": (16, 16)}
    assert model.stored_bits(bits) == model.trace(bits).weight_bits_total


@pytest.mark.slow
@pytest.mark.parametrize("steps", [0, -3, 2**20 + 1])
def test_a_sequence_of_no_steps_is_not_traced(model: OperatorGru, steps: int) -> None:
    assert model.trace(same(8), 5).steps == 5
    with pytest.raises(InputError, match=f"steps: {steps}: it must lie between 1 and 1048576"):
        model.trace(same(8), steps)


@pytest.mark.slow
def test_it_is_traced_and_searched(model: OperatorGru, tmp_path: Path) -> None:
    bits = same(8) | {"U": (4, 4), "h": (6, 6)}
    trace = model.trace(bits)
    assert [layer.name for layer in trace.layers] == ["W", "U", "E", "FC"]
    assert (trace.layers[1].weight_bits, trace.layers[0].weight_bits) == (8, 8)  # U by h: 6 bits are held in 8
    assert simulate(trace, load_arch("bitfusion")).cycles > 0
    experiment = Experiment(
        name="operators", population=12, offspring=6, generations=4, steps=8, constraints={},
        objectives=("error_plain", "size", "latency"),
    )  # fmt: skip
    result = run(experiment, tmp_path / "run", model=model)
    assert {pair[0] for s in result.visited for pair in s.bits.values()} == set(WIDTHS)
    assert min(s.quality.error for s in result.front if s.quality) < 12
    for solution in result.front:
        assert solution.cost.memory_mib * 2**23 == model.stored_bits(solution.bits)
    header, first, *_ = (tmp_path / "run" / "pareto.csv").read_text().splitlines()
    size = float(first.split(",")[header.split(",").index("size_kib")])
    assert size == pytest.approx(model.stored_bits(result.front[0].bits) / 8192, abs=1e-4)


def test_a_sum_beyond_its_accumulator_is_named() -> None:
    model, data = uneven()
    wide = OperatorGru(model.parameters, model.ranges | {"x": 1e-4, "W": 1e-4}, data)
    wide.parameters.b[0] = 1e12
    with pytest.raises(InputError, match="a sum of x by W takes more than 32 bits"):
        wide.evaluate(same(8))


@pytest.mark.slow
def test_bad_candidates_are_named(model: OperatorGru) -> None:
    with pytest.raises(InputError, match="bits of n: 17: it must lie between 2 and 16"):
        model.evaluate(same(8) | {"n": (17, 17)})
    with pytest.raises(InputError, match="bits: q: the operators are x, W"):
        model.evaluate(same(8) | {"q": (8, 8)})
