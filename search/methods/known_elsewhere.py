"""What errors of another run, of another model or corpus, say of this one: which sites suffer from few bits, and how
much more than others. How far that holds here, and at what scale, is learnt here."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from quant.sites.candidate import Bits
from search.methods.additive_error import AdditiveError
from search.methods.method import KnownErrors, Space
from search.objectives import Floats


class ErrorByWidth:
    """The logarithm of another run's error as a sum over its sites, each of which adds what its widths cost there."""

    def __init__(self, known: KnownErrors):
        self._sites = list(known.candidates[0])
        widths = np.array([list(bits.values()) for bits in known.candidates])  # (N, sites, 2)
        self._widths = [np.unique(widths[:, :, operand]) for operand in range(2)]
        genes = np.stack([np.searchsorted(self._widths[i], widths[:, :, i]) for i in range(2)], axis=2)
        upper = np.tile([len(of_operand) - 1 for of_operand in self._widths], len(self._sites))
        model = AdditiveError()
        model.fit(genes.reshape(len(genes), -1), known.errors, upper)
        self._added: Mapping[str, Sequence[Floats]] = {
            site: model.added[2 * i : 2 * i + 2] for i, site in enumerate(self._sites)
        }

    def of(self, bits: Bits) -> float:
        """The sum for a candidate, whose sites may be others."""
        return sum(self._of_site(site, pair) for site, pair in bits.items())

    def _of_site(self, site: str, pair: tuple[int, int]) -> float:
        """What a site's widths add: that of the same name, or else the mean of those of its kind, or of all. Between
        widths that the other run had, linear in their logarithms."""
        alike = [site] if site in self._added else [name for name in self._sites if _kind(name) == _kind(site)]
        costs = [
            float(np.interp(np.log2(pair[operand]), np.log2(self._widths[operand]), self._added[name][operand]))
            for name in alike or self._sites
            for operand in range(2)
        ]
        return 2 * float(np.mean(costs))


def _kind(site: str) -> str:
    """The name of a site without its numbers: of the same part of another layer."""
    return re.sub(r"\d+", "", site)


def added_by_genes(space: Space, known: KnownErrors) -> list[Floats]:
    """What each value of each gene of the bits adds by another run's errors, gene by gene (values,), over the widest:
    logarithms."""
    of_widths = ErrorByWidth(known)
    widest = of_widths.of(space.decode(space.upper))
    added = []
    for gene in range(len(space.upper) - space.hardware_genes):
        rows = np.tile(space.upper, (int(space.upper[gene]) + 1, 1))
        rows[:, gene] = np.arange(len(rows))
        added.append(np.maximum(0.0, np.array([of_widths.of(space.decode(row)) for row in rows]) - widest))
    return added
