"""Generations of ten offspring together, with what the generations before left in the cache, against evaluations one by
one.

    python benchmarks/population.py [MODEL] [--every N]

An NSGA-II run of 30 generations with the search's settings, whose error is a stand-in, is evaluated from its beginning
on every Nth utterance of dev (8th by default), with as much less room for what is kept; its last ten generations count.
Ends with one line of JSON.
"""

import argparse
import json
import time

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling

from quant import Recogniser, load_model
from quant.population import PrefixCache
from search.genome import Bits, Genome
from simulators import load_arch

OFFSPRING, GENERATIONS, COUNTED = 10, 30, 10


class Surrogate(Problem):
    """Squared quantization steps in place of the error, against the bits of the weights: which candidates survive does
    not matter here, only that they are as alike as those of a search are."""

    def __init__(self, genome: Genome, weights: list[int]):
        super().__init__(n_var=len(genome.upper), n_obj=2, xl=0, xu=genome.upper, vtype=int)
        self.genome, self.weights = genome, np.array(weights)

    def _evaluate(self, x: np.ndarray, out: dict, *_: object, **__: object) -> None:
        pairs = np.array([list(self.genome.decode(row).values()) for row in x], dtype=float)
        out["F"] = np.stack([(4.0**-pairs).sum((1, 2)), (pairs[:, :, 0] * self.weights).sum(1)], 1)


def generations(genome: Genome, weights: list[int]) -> list[list[Bits]]:
    """The initial population and the offspring of 30 generations, with the search's settings."""
    operators = {"eta": 3.0, "prob": 1.0, "vtype": float, "repair": RoundingRepair()}
    algorithm = NSGA2(pop_size=40, n_offsprings=OFFSPRING, sampling=IntegerRandomSampling(), crossover=SBX(**operators),
                      mutation=PM(**operators), eliminate_duplicates=True)  # fmt: skip
    algorithm.setup(Surrogate(genome, weights), termination=("n_gen", GENERATIONS), seed=7)
    asked = []
    while algorithm.has_next():
        asked.append(algorithm.ask())
        algorithm.evaluator.eval(algorithm.problem, asked[-1])
        algorithm.tell(infills=asked[-1])
    found = [[genome.decode(row) for row in infills.get("X")] for infills in asked]
    return [sorted(of, key=lambda bits: tuple(bits.values())) for of in found]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", default="sru")
    parser.add_argument("--every", type=int, default=8)
    arguments = parser.parse_args()
    model = load_model(arguments.model, every=arguments.every)
    model._cache = PrefixCache(PrefixCache().capacity_bytes // arguments.every)
    genome = Genome(tuple(site.name for site in model.sites), load_arch("bitfusion").precisions)
    asked = generations(genome, [site.weights for site in model.sites])
    model.evaluate_population(asked[0])  # compiles
    model.forget()
    for offspring in asked[:-COUNTED]:
        model.evaluate_population(offspring)

    singly = together = kept = 0.0
    alone = Recogniser(model.checkpoint, every=arguments.every)
    alone._splits, alone.weights = model._splits, model.weights
    for offspring in asked[-COUNTED:]:
        kept += seconds_of(model, offspring)
        alone.forget()
        together += seconds_of(alone, offspring)
        for bits in offspring:
            alone.forget()
            singly += seconds_of(alone, [bits])
    print(
        f"{COUNTED} generations of {OFFSPRING} offspring: {singly:.1f} s one by one, {together:.1f} s together "
        f"({singly / together:.2f} times as fast), {kept:.1f} s with what all generations before left in the cache "
        f"({singly / kept:.2f} times)"
    )
    figures = {"singly_s": singly, "together_s": together, "kept_s": kept, "ratio": singly / together}
    print(json.dumps(figures | {"ratio_kept": singly / kept, "cache_gib": model._cache.capacity_bytes / 2**30}))


def seconds_of(model: Recogniser, candidates: list[Bits]) -> float:
    started = time.perf_counter()
    model.evaluate_population(candidates)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
