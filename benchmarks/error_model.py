"""What the default method takes besides evaluations, after many of them: time of a generation and memory.

    python benchmarks/error_model.py

A stand-in of eight sites on Bit Fusion, whose errors take no time. The method is told of random candidates and then
asked for generations of ten: processor seconds that a candidate takes without the exact simulation of what is looked
at, and for that simulation, means of five generations; those of the generation that took longest, which fits the
kernel's parameters, as each does up to 256 evaluations and few beyond; and the largest memory of the process
up to then. Of an evaluation of a second 5 % are 0.05 s. Ends with one line of JSON.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from search import Experiment
from search.evaluation.evaluator import Evaluator
from search.evaluation.executors.executor import Inline
from search.evaluation.ledger import Ledger
from search.methods.fresh import Fresh
from search.methods.surrogate import Surrogate
from search.objectives import Floats
from search.runs.design_space import DesignSpace
from search.runs.initial import initial_candidates
from search.runs.point_costs import PointCosts
from search.runs.session import hardware_of
from search.space.design_genome import OneVariantGenome
from search.space.genome import Genes, Genome

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

from stand_in import StandInModel, StandInSite

EVALUATIONS = (100, 1_000, 10_000)
GENERATIONS = 5
CHUNK = 200
"""Candidates that the method is told of at once."""
SITES = tuple(StandInSite(f"S{i}", 30 + i, 20 + 2 * i) for i in range(8))


class TimedSpace(DesignSpace):
    """Notes the processor seconds of its simulations."""

    simulating = 0.0

    def preview(self, genes: Genes, errors: Floats) -> tuple[Floats, Floats]:
        started = time.process_time()
        found = super().preview(genes, errors)
        self.simulating += time.process_time() - started
        return found


def measured(evaluations: int, folder: Path) -> Mapping[str, float]:
    """Seconds a candidate and MiB, after so many evaluations."""
    experiment = Experiment(name="error model", steps=20)
    (variant,) = hardware_of(experiment)
    with closing(Ledger(folder / f"{evaluations}.sqlite")) as ledger:
        evaluator = Evaluator(StandInModel(sites=SITES), variant.arch, experiment.steps, ledger, Inline())
        genome = Genome.of([site.name for site in SITES], variant.arch.precisions, experiment)
        points = PointCosts(experiment.constraints, OneVariantGenome(genome, variant), {variant.number: evaluator})
        space = TimedSpace(experiment, points, 30.0, initial_candidates(experiment, genome, [], points))
        method = Surrogate()
        method.begin(space, experiment)
        asked, seconds = method.ask(), list[float]()
        drawn = Fresh(points).drawn(evaluations, np.random.default_rng(1))
        for chunk in np.array_split(drawn, -(-evaluations // CHUNK)):
            method.tell(space.evaluate(chunk))
        simulating = list[float]()
        for _ in range(GENERATIONS + 1):
            space.simulating, started = 0.0, time.process_time()
            asked = method.ask()
            seconds.append(time.process_time() - started - space.simulating)
            simulating.append(space.simulating)
            assert asked is not None
            method.tell(space.evaluate(asked))
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    fitting, *others = sorted(seconds, reverse=True)
    return {
        "s_a_candidate": float(np.mean(others)) / experiment.offspring,
        "s_simulating_a_candidate": float(np.mean(simulating)) / experiment.offspring,
        "s_of_the_longest_generation": fitting,
        "mib": mib,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = {}
        for evaluations in EVALUATIONS:
            figures[f"{evaluations:,} evaluations"] = measured(evaluations, Path(folder))
            print(evaluations, figures[f"{evaluations:,} evaluations"], flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
