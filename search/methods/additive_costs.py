"""Costs that add up over sites: what is simulated nearly does, the memory of parameters does to the bit."""

from collections.abc import Sequence

import numpy as np

from search.methods.method import Space
from search.methods.site_genes import SiteGenes
from search.objectives import Floats
from search.objectives.objective import NOT_EVALUATED
from search.space.genome import Genes

DRAWN_BASES = 4
"""Random candidates whose sites are varied one by one, besides the narrowest and the widest."""


def additive_costs(space: Space, sites: Sequence[SiteGenes], hardware: Genes, error: float, seed: int) -> list[Floats]:
    """What each option adds, site by site (options, columns): a column for each objective that bits change at an error
    in percent, in whichever rising scale its values add up best. Learnt by least squares from simulations in which the
    sites of a few candidates are varied one by one, on the hardware of its genes."""
    bases = _bases(space, np.random.default_rng(seed))
    bases[:, len(space.upper) - space.hardware_genes :] = hardware
    rows = _varied(bases, sites)
    values, _ = space.preview(rows, np.full(len(rows), error))
    run = (values != NOT_EVALUATED).all(axis=1)  # some hardware cannot run all of them
    rows, values = rows[run], values[run]
    columns = [(rows[:, None, site.positions] == site.options).all(axis=2) for site in sites]
    options = np.concatenate(columns, axis=1).astype(np.float64)
    changing = [column for column in values.T if np.ptp(column) > 1e-9 * np.abs(column).max()] if len(rows) else []
    added = np.column_stack([np.zeros((options.shape[1], 0)), *(_added(options, column) for column in changing)])
    return np.split(added, np.cumsum([len(site.options) for site in sites])[:-1])


def _bases(space: Space, generator: np.random.Generator) -> Genes:
    """(N, genes) The narrowest, the widest and some random gene vectors."""
    return np.vstack(
        [0 * space.upper, space.upper, generator.integers(0, space.upper + 1, (DRAWN_BASES, len(space.upper)))]
    )


def _varied(bases: Genes, sites: Sequence[SiteGenes]) -> Genes:
    """(N, genes) Some gene vectors, and each with each option of each site."""
    rows = []
    for base in bases:
        for site in sites:
            varied = np.tile(base, (len(site.options), 1))
            varied[:, site.positions] = site.options
            rows.append(varied)
    return np.unique(np.concatenate(rows), axis=0)


def _added(options: Floats, values: Floats) -> Floats:
    """(options,) What each option adds to values (N,) of rows that have it or not, (N, options)."""
    scales = [values]
    if (values > 0).all() or (values < 0).all():  # a ratio of times, for one, adds up in neither but its inverse
        scales += [np.sign(values) * np.log(np.abs(values)), -1 / values]
    fits = []
    for scaled in scales:
        normalised = (scaled - scaled.mean()) / scaled.std()
        added = np.linalg.lstsq(options, normalised, rcond=1e-6)[0]
        fits.append((float(np.square(options @ added - normalised).sum()), added))
    best: Floats = min(fits, key=lambda fit: fit[0])[1]
    return best
