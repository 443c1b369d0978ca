"""How busy workers are in a search without the barrier of a generation: stand-in evaluations that sleep, of varied
lengths, in so many processes, asked for by the default method.

    python benchmarks/asynchronous.py [WORKERS [MEAN_SECONDS]]

Lengths are drawn evenly between a half and one and a half of the mean. What counts is from the moment when all workers
work to that when nothing is left to be asked for: before, processes start, and after, they end one by one. Also the
same with the barrier. Ends with one line of JSON.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from quant.sites.candidate import Bits, name_of
from search import Experiment, run
from search.evaluation.executors.pool import Pool
from search.methods.registry import method_named
from simulators import Matmul, Trace

SITES = ("L0", "P1", "L1", "P2", "L2", "P3", "L3", "FC")
POPULATION, OFFSPRING = 40, 10


class Site(NamedTuple):
    name: str


class Rate(NamedTuple):
    error: float
    error_max: float


@dataclass(frozen=True)
class Sleeping:
    """A model that sleeps, and notes when."""

    notes: str
    mean_seconds: float
    digest: str = "sleeping"
    data_digest: str = "none"
    sites: tuple[Site, ...] = tuple(map(Site, SITES))

    def evaluate_population(self, candidates: Sequence[Bits]) -> list[Rate]:
        return [self._evaluated(bits) for bits in candidates]

    def _evaluated(self, bits: Bits) -> Rate:
        generator = np.random.default_rng([*name_of(bits).encode()])
        began = time.time()
        time.sleep(self.mean_seconds * generator.uniform(0.5, 1.5))
        with open(self.notes, "a") as file:
            file.write(f"{os.getpid()} {began} {time.time()}\n")
        error = 15 + sum((3.1 + i) / w**1.5 + (7.3 - i) / a**2 for i, (w, a) in enumerate(bits.values()))
        return Rate(error, error)

    def trace(self, bits: Bits, steps: int) -> Trace:
        layers = [
            Matmul(name=site.name, out_features=256, in_features=256, steps=steps, weight_bits=bits[site.name][0],
                   activation_bits=bits[site.name][1], output_bits=16)
            for site in self.sites
        ]  # fmt: skip
        return Trace(name="sleeping", steps=steps, layers=tuple(layers))


class WithBarrier:
    """The default method, asked for a generation at a time."""

    def __init__(self) -> None:
        self._method = method_named("surrogate")
        self.begin, self.ask, self.tell = self._method.begin, self._method.ask, self._method.tell


def busy(notes: Path, workers: int) -> float:
    """Share of the time in which workers evaluate, from when all do to the last beginning."""
    spans = np.array([line.split()[1:] for line in notes.read_text().splitlines()], float)
    spans = spans[np.argsort(spans[:, 0])]
    first, last = spans[workers - 1, 0], spans[-1, 0]
    within = np.clip(spans, first, last)
    return float((within[:, 1] - within[:, 0]).sum() / (workers * (last - first)))


def searched(workers: int, mean_seconds: float, generations: int, method: Any) -> tuple[float, float]:
    """Share of the time in which workers are busy, and seconds of the search in all."""
    with tempfile.TemporaryDirectory() as folder, Pool(workers) as pool:
        notes = Path(folder) / "notes"
        settings = {"name": "benchmark", "model": "sleeping", "constraints": {}, "population": POPULATION,
                    "offspring": OFFSPRING, "generations": generations}  # fmt: skip
        began = time.perf_counter()
        model = Sleeping(str(notes), mean_seconds)
        run(Experiment.model_validate(settings), Path(folder) / "run", model=model, executor=pool, method=method)
        return busy(notes, workers), time.perf_counter() - began


def main() -> None:
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    mean_seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    figures: dict[str, float] = {"workers": workers, "mean_s": mean_seconds, "load_before": os.getloadavg()[0]}
    # Enough for five evaluations a worker; with the barrier each generation is as the others are.
    for name, generations, method in (("asynchronous", max(5, 3 * workers // 8), None), ("barrier", 3, WithBarrier())):
        share, seconds = searched(workers, mean_seconds, generations, method)
        print(f"{name}: {workers} workers busy {100 * share:.1f} % of the time, {seconds:.0f} s", flush=True)
        figures |= {f"{name}_busy": share, f"{name}_s": seconds}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
