"""The Pareto front of an additive model of error and costs, whole: what a search on predictions finds in part."""

import numpy as np

from search.methods.additive_costs import additive_costs
from search.methods.additive_error import AdditiveError
from search.methods.error_model import LEAST_ERROR
from search.methods.method import Space
from search.methods.pareto_sums import pareto_sums
from search.methods.site_genes import site_genes
from search.space.genome import Genes

MOST_SUMS = 1500
"""Sums of a part of the sites that the dynamic programme follows at most."""
BEYOND = 0.1
"""How far the logarithm of the error may be over that of its limit: the model is not exact."""

GRAIN = 2.0**-20
"""What is added is rounded to multiples of this, whose sums are exact: no rounding decides what dominates what."""


class AdditiveFront:
    """Finds candidates that may be on the front, anew as more are evaluated."""

    def __init__(self, space: Space, hardware: Genes, error: float, seed: int):
        """On the hardware of its genes, none where there is one piece. `error`, in percent, is what costs that depend
        on it are taken at."""
        self._space, self._hardware = space, hardware
        self._sites = site_genes(space)
        self._costs = additive_costs(space, self._sites, hardware, error, seed)

    def candidates(self, error: AdditiveError) -> Genes:
        """(N, genes) The front's gene vectors, within the limits that are known."""
        of_sites = [
            np.round(np.column_stack([error.of(site), costs]) / GRAIN) * GRAIN
            for site, costs in zip(self._sites, self._costs, strict=True)
        ]
        limits = np.full(of_sites[0].shape[1], np.inf)
        if self._space.error_limit is not None:
            limits[0] = np.log(max(self._space.error_limit, LEAST_ERROR)) + BEYOND - error.widest
        chosen = pareto_sums(of_sites, MOST_SUMS, limits)
        rows = np.tile(self._space.upper, (len(chosen), 1))
        for site, options in zip(self._sites, chosen.T, strict=True):
            rows[:, site.positions] = site.options[options]
        rows[:, len(self._space.upper) - len(self._hardware) :] = self._hardware
        kept: Genes = rows[self._space.within(rows)]
        return kept
