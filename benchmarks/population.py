"""A generation of ten offspring together against ten evaluations one by one.

    python benchmarks/population.py [MODEL]

Both come from the last two generations of an NSGA-II run of 30 with the search's settings, whose error is a stand-in.
Ends with one line of JSON.
"""

import json
import sys
import time

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling

from quant import Recogniser, load_model
from search.genome import Bits, Genome
from simulators import load_arch

OFFSPRING = 10


class Surrogate(Problem):
    """Squared quantization steps in place of the error, against the bits of the weights: which candidates survive does
    not matter here, only that they are as alike as those of a search are."""

    def __init__(self, genome: Genome, weights: list[int]):
        super().__init__(n_var=len(genome.upper), n_obj=2, xl=0, xu=genome.upper, vtype=int)
        self.genome, self.weights = genome, np.array(weights)

    def _evaluate(self, x: np.ndarray, out: dict, *_: object, **__: object) -> None:
        pairs = np.array([list(self.genome.decode(row).values()) for row in x], dtype=float)
        out["F"] = np.stack([(4.0**-pairs).sum((1, 2)), (pairs[:, :, 0] * self.weights).sum(1)], 1)


def generation(genome: Genome, weights: list[int]) -> tuple[list[Bits], list[Bits]]:
    """The offspring of two generations in a row, the last of 30 with the search's settings."""
    operators = {"eta": 3.0, "prob": 1.0, "vtype": float, "repair": RoundingRepair()}
    algorithm = NSGA2(pop_size=40, n_offsprings=OFFSPRING, sampling=IntegerRandomSampling(), crossover=SBX(**operators),
                      mutation=PM(**operators), eliminate_duplicates=True)  # fmt: skip
    algorithm.setup(Surrogate(genome, weights), termination=("n_gen", 30), seed=7)
    asked = []
    while algorithm.has_next():
        asked.append(algorithm.ask())
        algorithm.evaluator.eval(algorithm.problem, asked[-1])
        algorithm.tell(infills=asked[-1])
    before, last = ([genome.decode(row) for row in infills.get("X")] for infills in asked[-2:])
    return before, last


def fresh(model: Recogniser) -> None:
    model.forget()


def main() -> None:
    model = load_model(sys.argv[1] if len(sys.argv) > 1 else "sru")
    genome = Genome(tuple(site.name for site in model.sites), load_arch("bitfusion").precisions)
    parents, offspring = generation(genome, [site.weights for site in model.sites])
    offspring.sort(key=lambda bits: tuple(bits.values()))
    model.evaluate_population(parents)

    def singly() -> None:
        for bits in offspring:
            fresh(model)
            model.evaluate(bits)

    def together() -> None:
        fresh(model)
        model.evaluate_population(offspring)

    def after_parents() -> None:
        model.evaluate_population(offspring)

    times: dict[str, list[float]] = {"singly": [], "together": [], "after_parents": []}
    for _ in range(3):
        for name, way in (("singly", singly), ("together", together), ("after_parents", after_parents)):
            if way is after_parents:
                fresh(model)
                model.evaluate_population(parents)
            started = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - started)
    one, all_, kept = (sorted(values)[1] for values in times.values())
    print(
        f"{len(offspring)} offspring: {one:.1f} s one by one, {all_:.1f} s together ({one / all_:.2f} times as fast), "
        f"{kept:.1f} s with what the generation before left in the cache ({one / kept:.2f} times)"
    )
    figures = {"singly_s": one, "together_s": all_, "ratio": one / all_, "ratio_after_parents": one / kept}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
