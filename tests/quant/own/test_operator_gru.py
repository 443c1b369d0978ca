"""Every operator of a GRU with its own width: on scikit-learn's digits, row by row."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from quant.own.operator_gru import OPERATORS, WIDTHS, OperatorGru, Sequences, train_classifier
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
    return OperatorGru(train_classifier(seen, epochs=25), seen, held_out)


def same(width: int) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(OPERATORS, (width, width))


@pytest.mark.slow
def test_sixteen_bits_classify_as_floating_point_does(model: OperatorGru) -> None:
    exact, wide = model.evaluate(None), model.evaluate(same(16))
    assert exact.error < 7
    assert wide.error == pytest.approx(exact.error, abs=0.6)
    assert model.evaluate(same(8)).error < exact.error + 3
    assert model.evaluate(same(2)).error > 40


def test_the_float_model_is_torchs() -> None:
    import torch

    seen, held_out = digits()
    trained = train_classifier(seen, cells=8, epochs=1)
    model = OperatorGru(trained, seen, held_out)
    with torch.no_grad():
        theirs = trained(torch.from_numpy(held_out.x)).numpy()
    np.testing.assert_allclose(model._float(held_out.x), theirs, atol=1e-4)


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_has_its_own_width(model: OperatorGru, operator: str) -> None:
    """Narrowing one operator changes results, and not as narrowing another does."""
    x = model._data.x[:40]
    wide = model.run(x, same(12))
    narrow = model.run(x, same(12) | {operator: (3, 3)})
    assert not np.array_equal(wide, narrow)


def test_formats_hold_what_was_seen(model: OperatorGru) -> None:
    for operator in OPERATORS:
        for width in (2, 8, 16):
            largest = model._ranges[operator] * 2.0 ** model.fraction(operator, width)
            assert largest <= 2 ** (width - 1)


@pytest.mark.slow
def test_it_is_traced_and_searched(model: OperatorGru, tmp_path: Path) -> None:
    bits = same(8) | {"U": (4, 4), "h": (6, 6)}
    trace = model.trace(bits)
    assert [layer.name for layer in trace.layers] == ["W", "U", "E", "FC"]
    assert (trace.layers[1].weight_bits, trace.layers[0].weight_bits) == (8, 8)  # U by h: 6 bits are held in 8
    assert simulate(trace, load_arch("bitfusion")).cycles > 0
    experiment = Experiment(name="operators", population=12, offspring=6, generations=4, steps=8, constraints={})
    result = run(experiment, tmp_path / "run", model=model)
    assert {pair[0] for s in result.visited for pair in s.bits.values()} == set(WIDTHS)
    assert min(s.quality.error for s in result.front if s.quality) < 12


def test_bad_candidates_are_named(model: OperatorGru) -> None:
    with pytest.raises(InputError, match="bits of n: 17: it must lie between 2 and 16"):
        model.evaluate(same(8) | {"n": (17, 17)})
    with pytest.raises(InputError, match="bits: q: the operators are x, W"):
        model.evaluate(same(8) | {"q": (8, 8)})
