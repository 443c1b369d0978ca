"""Which hardware is looked at next, where genes choose it beside the bits."""

import numpy as np

from search.methods.method import Trial
from search.objectives.dominance import non_dominated
from search.space.genome import Genes

MOST_KNOWN, NEW = 6, 4
"""Choices of hardware that candidates are predicted on: of the front, and new ones. A new one has all its layers
simulated anew, which takes as long as thousands of candidates on a known one."""


def promising_hardware(trials: list[Trial], upper: Genes, hardware_genes: int, generator: np.random.Generator) -> Genes:
    """(N, hardware genes) Choices of hardware: those with most solutions on the front, and some that differ from one of
    these in one gene by a step or, as often, in anything."""
    feasible = [trial for trial in trials if trial.feasible]
    front = (
        [feasible[i] for i in non_dominated(np.array([trial.objectives for trial in feasible]))] if feasible else trials
    )
    count = len(upper) - hardware_genes
    rows, solutions = np.unique(np.array([trial.genes[count:] for trial in front]), axis=0, return_counts=True)
    known = rows[np.argsort(-solutions, kind="stable")[:MOST_KNOWN]]
    chosen = {row.tobytes(): row for row in known}
    limits = upper[count:]
    for _ in range(NEW):
        row = known[generator.integers(len(known))].copy()
        gene = int(generator.integers(hardware_genes))
        stepped = row[gene] + generator.choice([-1, 1])
        random = generator.integers(0, limits[gene] + 1)
        row[gene] = stepped if generator.random() < 0.5 and 0 <= stepped <= limits[gene] else random
        chosen.setdefault(row.tobytes(), row)
    return np.array(list(chosen.values()))
