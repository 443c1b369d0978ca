"""Traces and costs of many candidates from one trace are those that the model and the simulator give one by one."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from stand_in import StandInModel

from quant import load_model
from quant.sites.candidate import Bits
from search.evaluation.evaluator import Evaluator
from search.evaluation.executors.executor import Inline
from search.evaluation.fast_traces import FastTraces
from search.evaluation.ledger import Ledger
from search.evaluation.model import Model
from simulators import Trace, load_arch


def drawn(model: Model, pairs: tuple[tuple[int, int], ...], count: int) -> list[Bits]:
    generator = np.random.default_rng(7)
    return [{site.name: pairs[generator.integers(len(pairs))] for site in model.sites} for _ in range(count)]


def found(model: Model, pairs: tuple[tuple[int, int], ...]) -> FastTraces | None:
    return FastTraces.found(lambda bits: model.trace(bits, 12), [site.name for site in model.sites], pairs)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["bitfusion", "silago"])
@pytest.mark.parametrize("name", ["sru", "lstm", "gru", "ligru"])
def test_previews_are_costs(name: str, arch: str, tmp_path: Path) -> None:
    model, hardware = load_model(name, every=50), load_arch(arch)
    candidates = drawn(model, hardware.precisions, 40)
    assert found(model, hardware.precisions) is not None
    evaluator = Evaluator(model, hardware, 12, Ledger(tmp_path / "ledger.sqlite"), Inline())
    assert evaluator.preview(candidates) == evaluator.costs(candidates)


class Shared(StandInModel):
    """The second site's weights are as wide as the wider of the first two: no width of one site."""

    def trace(self, bits: Mapping[str, tuple[int, int]], steps: int) -> Trace:
        widest = max(bits["L0"][0], bits["P1"][0])
        return super().trace({**bits, "P1": (widest, bits["P1"][1])}, steps)


class Growing(StandInModel):
    """A narrow site takes more steps."""

    def trace(self, bits: Mapping[str, tuple[int, int]], steps: int) -> Trace:
        return super().trace(bits, steps + (bits["L1"][0] < 8))


@pytest.mark.parametrize("kind", [Shared, Growing])
def test_a_model_whose_traces_are_otherwise_is_asked_for_each(kind: type[StandInModel], tmp_path: Path) -> None:
    model, hardware = kind(), load_arch("bitfusion")
    assert found(model, hardware.precisions) is None
    candidates = drawn(model, hardware.precisions, 40)
    evaluator = Evaluator(model, hardware, 12, Ledger(tmp_path / "ledger.sqlite"), Inline())
    assert evaluator.preview(candidates) == evaluator.costs(candidates)


def test_traces_are_the_models() -> None:
    model, pairs = load_model("gru", every=50), load_arch("bitfusion").precisions
    fast, candidates = found(model, pairs), drawn(model, pairs, 10)
    assert fast is not None
    for made, bits in zip(fast.traces(candidates), candidates, strict=True):
        assert made == model.trace(bits, 12)
        assert made.digest == model.trace(bits, 12).digest
    assert fast.widths([]).shape == (0, len(fast.trace.layers), 3)
