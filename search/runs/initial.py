"""The gene vectors that a search begins with."""

from collections.abc import Sequence

import numpy as np

from quant.sites.candidate import Bits
from search.settings.experiment import Experiment
from search.space.design_genome import DesignGenome
from search.space.genome import Genes, Genome


def initial_candidates(experiment: Experiment, genome: Genome, feasible: Sequence[Bits]) -> Genes:
    """(N, genes) Distinct gene vectors: what is known to be good where asked for, then random ones. `feasible` are
    those of the homogeneous candidates that are within the error limit, widest first."""
    generator = np.random.default_rng(experiment.seed)
    seeds = [genome.encode(bits) for bits in genome.homogeneous().values()] if experiment.seed_homogeneous else []
    if experiment.seed_neighbours and feasible:
        base = genome.encode(feasible[-1])
        seeds += [base - step for step in np.eye(len(base), dtype=base.dtype) if (base >= step).all()]
    rows = {row.tobytes(): row for row in seeds}
    while len(rows) < min(experiment.population, _possible(genome.upper)):
        row = generator.integers(0, genome.upper + 1)
        rows[row.tobytes()] = row
    return np.array(list(rows.values())[: experiment.population])


def initial_points(experiment: Experiment, genome: DesignGenome) -> Genes:
    """(N, genes) Distinct random gene vectors; the first have one width for everything, where asked for, on random
    hardware."""
    generator = np.random.default_rng(experiment.seed)
    rows: dict[bytes, Genes] = {}
    upper, count = genome.upper, len(genome.bits.upper)
    starts = list(genome.bits.homogeneous().values()) if experiment.seed_homogeneous else []
    while len(rows) < min(experiment.population, _possible(upper)):
        row = generator.integers(0, upper + 1)
        if starts:
            row[:count] = genome.bits.encode(starts.pop(0))
        rows[row.tobytes()] = row
    return np.array(list(rows.values())[: experiment.population])


def _possible(upper: Genes) -> float:
    """How many gene vectors there are."""
    return float(np.prod(upper + 1.0))
