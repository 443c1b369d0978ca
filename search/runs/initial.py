"""The gene vectors that a search begins with."""

from collections.abc import Sequence

import numpy as np

from quant.sites.candidate import Bits
from search.methods.fresh import Fresh, SearchablePoints
from search.settings.experiment import Experiment
from search.space.design_genome import DesignGenome
from search.space.genome import Genes, Genome


def initial_candidates(
    experiment: Experiment, genome: Genome, feasible: Sequence[Bits], points: SearchablePoints
) -> Genes:
    """(N, genes) Gene vectors of distinct candidates: what is known to be good where asked for, then random ones.
    `feasible` are those of the homogeneous candidates that are within the error limit, widest first."""
    seeds = [genome.encode(bits) for bits in genome.homogeneous().values()] if experiment.seed_homogeneous else []
    if experiment.seed_neighbours and feasible:
        base = genome.encode(feasible[-1])
        seeds += [base - step for step in np.eye(len(base), dtype=base.dtype) if (base >= step).all()]
    return _filled(seeds, experiment.population, points, np.random.default_rng(experiment.seed))


def initial_points(experiment: Experiment, genome: DesignGenome, points: SearchablePoints) -> Genes:
    """(N, genes) Gene vectors of distinct random points; the first have one width for everything, where asked for, on
    random hardware."""
    generator = np.random.default_rng(experiment.seed)
    upper, count = genome.upper, len(genome.bits.upper)
    seeds = []
    for bits in genome.bits.homogeneous().values() if experiment.seed_homogeneous else ():
        row = generator.integers(0, upper + 1)
        row[:count] = genome.bits.encode(bits)
        seeds.append(row)
    return _filled(seeds, experiment.population, points, generator)


def _filled(seeds: Sequence[Genes], population: int, points: SearchablePoints, generator: np.random.Generator) -> Genes:
    """(N, genes) Those of the seeds that are within the known limits, each point once, and random ones behind them."""
    fresh = Fresh(points)
    first = np.array(seeds, np.int64).reshape(-1, len(points.upper))
    first = first[fresh.new(first)][:population]
    fresh.note(first)
    return np.concatenate([first, fresh.drawn(population - len(first), generator)])
