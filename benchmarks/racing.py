"""What races (`fidelity:`) save: frames that are evaluated, and what of the front is missed.

    python benchmarks/racing.py RUN [RUN …] [--model sru] [--orders 10] [--confidence 0.95]

takes the edits that runs of one model, on all of dev, have recorded of each utterance, and asks for their candidates in
random orders, ten at a time behind those of one width: once with all utterances evaluated, once in races. Says what
share of the frames was evaluated, how many solutions of the front the races have, and the hypervolume of their front
over that of the other (error from the lowest to the limit, latency and energy as logarithms between the candidates of
one width), and how often what is said with the confidence of two candidates' errors is so. Ends with one line of JSON.
"""

import argparse
import json
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.indicators.hv import Hypervolume

from quant import load_model
from quant.evaluation.rates import ErrorRate, ScoredUtterances
from quant.sites.candidate import Bits, name_of, parse_bits
from search import Experiment, Run, run
from search.evaluation.ledger import FLOAT, LEDGER_FILE
from search.evaluation.race_shares import SeenShare, drawn_shares
from search.settings.fidelity_settings import FidelitySettings
from simulators import Trace

TOGETHER = 10


@dataclass
class Recorded:
    """A model whose edits are recorded."""

    real: Any
    edits: dict[str, NDArray[np.int64]]
    """(U,) Edits of each utterance of dev, by candidate."""
    frames: NDArray[np.int64]
    """(U,)"""
    positions: tuple[int, ...]
    """The utterances that it is evaluated on."""
    counted: list[int] = field(default_factory=lambda: [0])
    """Frames that were evaluated."""

    def __post_init__(self) -> None:
        self.sites, self.digest = self.real.sites, "recorded"
        self.data_digest = f"{self.real.data_digest} {self.positions}"

    @property
    def scored(self) -> ScoredUtterances:
        of, rows = self.real.scored, [*self.positions]
        return ScoredUtterances(of.reference_phones[rows], of.subset_of[rows])

    def on_utterances(self, positions: Sequence[int]) -> "Recorded":
        return replace(self, positions=tuple(self.positions[i] for i in positions))

    def evaluate_population(self, candidates: Sequence[Bits]) -> list[ErrorRate]:
        self.counted[0] += len(candidates) * int(self.frames[[*self.positions]].sum())
        return [self._rate(self.edits[name_of(bits)][[*self.positions]]) for bits in candidates]

    def _rate(self, edits: NDArray[np.int64]) -> ErrorRate:
        groups, phones = self.scored.subset_of, self.scored.reference_phones
        rates = tuple(100.0 * edits[groups == g].sum() / phones[groups == g].sum() for g in range(4))
        plain = 100.0 * edits.sum() / phones.sum()
        return ErrorRate(max(rates), plain, rates, int(edits.sum()), 0, 0, int(phones.sum()), tuple(edits.tolist()))

    def trace(self, bits: Bits, steps: int) -> Trace:
        trace: Trace = self.real.trace(bits, steps)
        return trace


class InOrder:
    """Asks for given candidates, some at a time."""

    def __init__(self, candidates: Sequence[Bits]):
        self._candidates = candidates

    def begin(self, space: Any, _: Any) -> None:
        self._genes = np.array([space.encode(bits) for bits in self._candidates])

    def ask(self) -> NDArray[np.int64]:
        genes, self._genes = self._genes[:TOGETHER], self._genes[TOGETHER:]
        return genes

    def tell(self, trials: Any) -> None:
        pass


def recorded(folders: Sequence[Path], real: Any) -> dict[str, NDArray[np.int64]]:
    """Edits of each utterance by candidate, as the runs have them on all of dev."""
    edits: dict[str, NDArray[np.int64]] = {}
    query = "SELECT candidate, result FROM errors WHERE data = ? AND candidate <> ?"
    for folder in folders:
        with closing(sqlite3.connect(folder / LEDGER_FILE)) as database:
            for name, result in database.execute(query, (real.data_digest, FLOAT)):
                edits[name] = np.array(json.loads(result)["edits"], np.int64)
    return edits


def searched(model: Recorded, candidates: Sequence[Bits], fidelity: dict[str, Any] | None) -> tuple[Run, int]:
    """A search that asks for candidates in their order, and the frames that it evaluated."""
    settings = {"name": "racing", "model": "recorded", "population": 2, "offspring": TOGETHER,
                "generations": len(candidates), "fidelity": fidelity}  # fmt: skip
    model = replace(model, counted=[0])
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment.model_validate(settings)
        found = run(experiment, Path(folder) / "run", model=model, method=InOrder(candidates), check=False)
    return found, model.counted[0]


def right(model: Recorded, shares: Sequence[float], confidence: float, seeds: int) -> list[float]:
    """Share of the pairs of candidates of which it is said with a confidence that the one errs more, in which it does:
    for each share of the utterances."""
    edits = np.array([*model.edits.values()], np.float64)
    errors = np.array([rate.error_max for rate in map(model._rate, model.edits.values())])
    said, true = np.zeros(len(shares)), np.zeros(len(shares))
    for seed in range(seeds):
        parts = drawn_shares(model.scored, shares, seed)
        for at in range(len(shares)):
            seen = np.sort(np.concatenate([*parts[: at + 1]]))
            share = SeenShare(model.scored, seen, seed)
            distances = np.abs(edits[:, np.newaxis, seen] - edits[np.newaxis, :, seen]).sum(2)
            np.fill_diagonal(distances, np.inf)
            for one, alike in enumerate(distances.argmin(1)):
                worst, _ = share.expected(edits[one, seen], edits[alike])
                sure = (worst[:, np.newaxis] >= errors).mean(0) >= confidence
                sure[one] = False
                said[at] += sure.sum()
                true[at] += (errors[one] >= errors[sure]).sum()
    return (true / said).round(4).tolist()


def volume(found: Run, of: Run) -> float:
    """Hypervolume of a front, on the axes of another run."""
    ends = of.baselines[min(of.baselines)].cost, of.baselines[16].cost
    lowest = min(s.quality.error for s in of.front if s.quality)
    low, high = (
        np.array([error, np.log(cost.latency_ms), np.log(cost.energy_uj)])
        for error, cost in zip((lowest, of.error_limit), ends, strict=True)
    )
    points = [(s.quality.error, np.log(s.cost.latency_ms), np.log(s.cost.energy_uj)) for s in found.front if s.quality]
    return float(Hypervolume(ref_point=np.ones(3)).do((np.array(points) - low) / (high - low)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--model", default="sru")
    parser.add_argument("--orders", type=int, default=10)
    parser.add_argument("--shares", type=float, nargs="+", default=FidelitySettings().shares)
    parser.add_argument("--confidence", type=float, default=0.95)
    options = parser.parse_args()
    real: Any = load_model(options.model)
    edits = recorded(options.runs, real)
    frames = np.array([len(mat) for mat in real.utterances("dev").mats])
    model = Recorded(real, edits, frames, tuple(range(len(frames))))
    candidates = [parse_bits(name, real.sites) for name in edits]
    widths = [bits for bits in candidates if len(set(bits.values())) == 1 and len({*next(iter(bits.values()))}) == 1]
    rest = [bits for bits in candidates if bits not in widths]
    of_sure = right(model, options.shares, options.confidence, options.orders)
    print(
        f"of two candidates the one errs at least as much where {100 * options.confidence:g} % sure: "
        + ", ".join(f"{100 * of:.1f} % after {share:g}" for of, share in zip(of_sure, options.shares, strict=True))
    )
    rows = []
    for seed in range(options.orders):
        order = np.random.default_rng(seed).permutation(len(rest))
        asked = [*widths, *(rest[i] for i in order)]
        whole, all_frames = searched(model, asked, None)
        raced, some_frames = searched(model, asked, {"confidence": options.confidence, "shares": options.shares})
        names, found = ({s.name for s in of.front} for of in (whole, raced))
        rows.append(
            (some_frames / all_frames, len(names & found) / len(names), volume(raced, whole) / volume(whole, whole))
        )
        print(f"order {seed}: {100 * rows[-1][0]:.1f} % of the frames, {len(names & found)} of {len(names)} solutions, "
              f"{100 * rows[-1][2]:.2f} % of the hypervolume", flush=True)  # fmt: skip
    share, front, hypervolume = np.array(rows).mean(0).round(4).tolist()
    deviation = np.array(rows).std(0, ddof=1 if len(rows) > 1 else 0).round(4).tolist()
    figures = {"candidates": len(candidates), "frames": share, "front": front, "hypervolume": hypervolume}
    print(json.dumps(figures | {"deviation": deviation, "right": of_sure}))


if __name__ == "__main__":
    main()
