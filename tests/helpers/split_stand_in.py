"""A stand-in model whose errors are counted over utterances of dev and test, with luck in them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in import StandInModel

from quant.evaluation.rates import ErrorRate, ScoredUtterances
from quant.sites.candidate import name_of
from search import Experiment
from search.runs.run_reader import load_run
from search.runs.search_display import print_results
from simulators.inputs.terminal import Terminal

GROUPS = 4
LENGTHS = {"dev": 48, "test": 40}


@dataclass
class SplitModel(StandInModel):
    """`every` takes every so-manyth utterance of dev. Candidates that were evaluated are noted by split."""

    split: str = "dev"
    every: int = 1
    noise: float = 1.0
    asked: list[tuple[str, int, str]] = field(default_factory=list)
    positions: tuple[int, ...] | None = None
    """The utterances that it is evaluated on alone."""

    def __post_init__(self) -> None:
        self.data_digest = f"{self.split}:{self.every}" + ("" if self.positions is None else f":{self.positions}")

    def on_split(self, split: str) -> "SplitModel":
        return replace(self, split=split, every=1)

    def on_utterances(self, positions: Sequence[int]) -> "SplitModel":
        return replace(self, positions=tuple(positions))

    @property
    def _chosen(self) -> np.ndarray:
        """Positions of its utterances among those that `every` takes."""
        every = np.arange(len(range(0, LENGTHS[self.split], self.every)))
        return every if self.positions is None else every[[*self.positions]]

    @property
    def scored(self) -> ScoredUtterances:
        return ScoredUtterances(20 + self._chosen * self.every % 7, self._chosen % GROUPS)

    def edits(self, bits: Mapping[str, tuple[int, int]]) -> np.ndarray:
        """What every candidate errs in the mean, scattered over the utterances."""
        self.asked.append((self.split, self.every, name_of(bits)))
        phones = self.scored.reference_phones
        generator = np.random.default_rng([*name_of(bits).encode(), *self.split.encode()])
        mean = super().evaluate(bits).error / 100 * phones
        scatter = self.noise * generator.normal(size=LENGTHS[self.split])[:: self.every][self._chosen]
        return np.maximum(0, np.round(mean + scatter)).astype(np.int64)

    def evaluate(self, bits: Mapping[str, tuple[int, int]]) -> Any:
        scored, edits = self.scored, self.edits(bits)
        rates = tuple(
            100.0 * edits[scored.subset_of == k].sum() / scored.reference_phones[scored.subset_of == k].sum()
            for k in range(GROUPS)
        )
        phones = int(scored.reference_phones.sum())
        plain = 100.0 * int(edits.sum()) / phones
        return ErrorRate(max(rates), plain, rates, int(edits.sum()), 0, 0, phones, tuple(edits.tolist()))

    def evaluate_population(self, candidates: Sequence[Mapping[str, tuple[int, int]]]) -> list[Any]:
        return [self.evaluate(bits) for bits in candidates]


@dataclass(frozen=True)
class MakeSplitModel:
    """Makes a model of these settings, in any process."""

    every: int = 1

    def __call__(self) -> SplitModel:
        return SplitModel(every=self.every)


def experiment(**changes: Any) -> Experiment:
    settings = {"name": "t", "model": "none", "population": 12, "offspring": 6, "generations": 4, "steps": 5,
                "method": "nsga2", "constraints": {"error_increase": 10.0}, **changes}  # fmt: skip
    return Experiment.model_validate(settings)


def results_in(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "pareto.json").read_text())
    return content


def printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    print_results(load_run(folder).results or {}, folder, Terminal(width=200))
    return " ".join(capsys.readouterr().out.split())
