"""Twenty candidates in this process with two threads, and in a pool of two processes with one thread each.

    python benchmarks/executors.py [MODEL]

Candidates are drawn evenly from Bit Fusion's. Ends with one line of JSON.
"""

import json
import os
import sys
import time

import numpy as np

from quant import Bits, homogeneous, load_model
from search.evaluation.executors.executor import Executor, Inline
from search.evaluation.executors.pool import Pool
from search.evaluation.executors.worker import Recognition, Source, limit_threads
from search.evaluation.experiment_model import ExperimentModel
from search.settings.experiment import Experiment
from search.space.genome import Genome
from simulators import load_arch

CANDIDATES, WORKERS = 20, 2


def evaluated(executor: Executor, recognition: Recognition, candidates: list[Bits]) -> tuple[float, dict[str, float]]:
    """Seconds, and the error of each candidate in percent."""
    together = executor.together
    groups = [candidates[i : i + together] for i in range(0, len(candidates), together)]
    started = time.perf_counter()
    found: dict[str, float] = {}
    for group, result in executor.map(recognition, groups):
        assert isinstance(result, tuple)
        measured, _ = result
        found |= {str(bits): each.error for bits, each in zip(group, measured, strict=True)}
    return time.perf_counter() - started, found


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "sru"
    limit_threads(WORKERS)
    model = load_model(name)
    genome = Genome(tuple(site.name for site in model.sites), load_arch("bitfusion").precisions)
    generator = np.random.default_rng(1)
    candidates = [genome.decode(generator.integers(0, genome.upper + 1)) for _ in range(CANDIDATES)]
    candidates.sort(key=lambda bits: tuple(bits.values()))
    source = Source.of(model, ExperimentModel.of(Experiment(name="benchmark", model=name)))
    recognition = Recognition(model, source)
    warm = [homogeneous(model.sites, bits) for bits in (2, 4, 8, 16)]  # data are read, kernels compiled
    times, errors = {}, {}
    with Pool(WORKERS) as pool:
        for kind, executor in (("inline", Inline()), ("pool", pool)):
            evaluated(executor, recognition, warm)
            times[kind], errors[kind] = evaluated(executor, recognition, candidates)
            print(f"{kind}: {CANDIDATES / times[kind]:.3f} evaluations a second", flush=True)
    assert errors["inline"] == errors["pool"]
    figures = {f"{kind}_per_s": CANDIDATES / seconds for kind, seconds in times.items()}
    print(json.dumps({"cores": os.cpu_count(), **figures, "ratio": times["inline"] / times["pool"]}))


if __name__ == "__main__":
    main()
