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
    alone = load_model(arguments.model, every=arguments.every)
    genome = Genome(tuple(site.name for site in alone.sites), load_arch("bitfusion").precisions)
    asked = generations(genome, [site.weights for site in alone.sites])
    alone.evaluate_population(asked[0])  # compiles
    bounded, unbounded = (sharing(alone, arguments.every, room) for room in (PrefixCache().capacity_bytes, 1 << 50))
    for offspring in asked[:-COUNTED]:
        for model in (bounded, unbounded):
            model.evaluate_population(offspring)

    seconds = dict.fromkeys(("singly", "together", "kept", "all_kept"), 0.0)
    for offspring in asked[-COUNTED:]:
        alone.forget()
        seconds["together"] += seconds_of(alone, offspring)
        seconds["kept"] += seconds_of(bounded, offspring)
        seconds["all_kept"] += seconds_of(unbounded, offspring)
        for bits in offspring:
            alone.forget()
            seconds["singly"] += seconds_of(alone, [bits])
    ratio = {way: seconds["singly"] / of_way for way, of_way in seconds.items()}
    print(
        f"{COUNTED} generations of {OFFSPRING} offspring: {seconds['singly']:.1f} s one by one, "
        f"{seconds['together']:.1f} s together ({ratio['together']:.2f} times as fast), "
        f"{seconds['kept']:.1f} s with what the generations before left in the cache ({ratio['kept']:.2f} times), "
        f"{seconds['all_kept']:.1f} s with a cache without bounds ({ratio['all_kept']:.2f} times)"
    )
    print(json.dumps({"seconds": seconds, "ratio": ratio, "cache_gib": PrefixCache().capacity_bytes / 2**30}))


def sharing(model: Recogniser, every: int, room_bytes: int) -> Recogniser:
    """Another with the same data, whose evaluations keep results in so much room for each of dev's `every` parts."""
    other = Recogniser(model.checkpoint, every=every, weights=model.weights)
    other._splits, other._cache = model._splits, PrefixCache(room_bytes // every)
    return other


def seconds_of(model: Recogniser, candidates: list[Bits]) -> float:
    started = time.perf_counter()
    model.evaluate_population(candidates)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
