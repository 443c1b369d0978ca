"""Genes of a candidate: whole numbers that index the bit-widths that the hardware offers for each site.

Where the legal pairs are every combination of some weight widths with some activation widths (Bit Fusion), a site has
two genes, as in MOHAQ; where they are not (SiLago ties both), it has one, which indexes the list of pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from quant.sites.candidate import Bits, fixed_bits, refuse_thresholds
from quant.sites.delta_pair import widths
from search.space.threshold_genes import ThresholdGroup, genes_of, threshold_groups, with_genes
from simulators.hardware.spec import precisions_shown
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import KeyedError, under

Genes = NDArray[np.int64]
"""A gene vector (genes,), or several (N, genes): whole numbers, each an index."""


class Restrictions(Protocol):
    """Settings of an experiment that leave less to search."""

    @property
    def minimum_activation_bits(self) -> Mapping[str, int]:
        """Site → least activation bits."""
        ...

    @property
    def fixed(self) -> Mapping[str, str]:
        """Site, or a pattern of sites → its bits, as `4x8`."""
        ...

    @property
    def thresholds(self) -> Mapping[str, Sequence[int]]:
        """Site, or a pattern of sites that share one → thresholds in 1/256."""
        ...


@dataclass(frozen=True)
class Genome:
    """The bijection between gene vectors and candidates, up to lifted activations."""

    sites: tuple[str, ...]
    """Names of the network's sites, in their order."""
    precisions: tuple[tuple[int, int], ...]
    """Legal (weight bits, activation bits)."""
    minimum_activation_bits: Mapping[str, int] = field(default_factory=dict)
    """Sites whose activations are lifted to at least this width: MOHAQ does so for the output layer."""
    fixed: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Sites that are not searched, and their pairs: Shrink and Eliminate keeps recurrent matrices at 16 bits so."""

    thresholds: tuple[ThresholdGroup, ...] = ()
    """Groups of sites that share a threshold, each with a gene behind those of the bits."""
    of_model: bool = False
    """Whether the legal pairs are the model's own, whatever hardware offers."""

    def __post_init__(self) -> None:
        if not self.precisions:
            raise InputError("precisions: the architecture offers none")
        sites = ", ".join(self.sites)
        for site, least in self.minimum_activation_bits.items():
            key = ("minimum_activation_bits", site)
            if site not in self.sites:
                raise KeyedError(key, f"no such site: the sites are {sites}")
            if not any(activation >= least for _, activation in self.precisions):
                raise KeyedError(key, f"{least}: the architecture has no activations so wide")
        for site, (w, a) in self.fixed.items():
            if site not in self.sites:
                raise KeyedError(("fixed", site), f"no such site: the sites are {sites}")
            if (w, a) not in self.precisions:
                offered = precisions_shown(self.precisions)
                raise KeyedError(("fixed", site), f"{w}x{a}: the architecture offers {offered} (weights x activations)")
        if not self.free and not any(len(group.values) > 1 for group in self.thresholds):
            raise KeyedError(("fixed",), "every site is: nothing is left to search")

    @classmethod
    def of(
        cls, sites: Sequence[str], precisions: Sequence[tuple[int, int]], settings: Restrictions, of_model: bool = False
    ) -> Self:
        """What an experiment's settings leave free. Raises KeyedError for a site or a width that there is not."""
        with under("fixed"):
            fixed = fixed_bits(settings.fixed, sites)
            refuse_thresholds(fixed, "thresholds are searched under the key of that name")
        groups = threshold_groups(settings.thresholds, sites)
        return cls(tuple(sites), tuple(precisions), settings.minimum_activation_bits, fixed, groups, of_model)

    @property
    def free(self) -> tuple[str, ...]:
        """The sites that have genes."""
        return tuple(site for site in self.sites if site not in self.fixed)

    @cached_property
    def weight_widths(self) -> tuple[int, ...]:
        """Weight bits that any legal pair has, rising."""
        return tuple(sorted({w for w, _ in self.precisions}))

    @cached_property
    def activation_widths(self) -> tuple[int, ...]:
        """Activation bits that any legal pair has, rising."""
        return tuple(sorted({a for _, a in self.precisions}))

    @cached_property
    def alike(self) -> tuple[tuple[int, int], ...]:
        """The pairs of one width for both, widest first; all where a model narrows its weights alone."""
        weights_alone = self.of_model and len(self.activation_widths) == 1
        return tuple(sorted((pair for pair in self.precisions if weights_alone or pair[0] == pair[1]), reverse=True))

    @cached_property
    def apart(self) -> bool:
        """Whether weights and activations have genes of their own."""
        return set(product(self.weight_widths, self.activation_widths)) == set(self.precisions)

    @cached_property
    def upper(self) -> Genes:
        """Largest value of each gene, (genes,); the smallest is 0."""
        per_site = (len(self.weight_widths), len(self.activation_widths)) if self.apart else (len(self.precisions),)
        of_bits = [count - 1 for _ in self.free for count in per_site]
        return np.array([*of_bits, *(len(group.values) - 1 for group in self.thresholds)], np.int64)

    def decode(self, genes: Sequence[int] | Genes) -> Bits:
        """The candidate of a gene vector (genes,)."""
        numbers = [int(g) for g in genes]
        border = len(numbers) - len(self.thresholds)
        return with_genes(self._decoded(numbers[:border]), self.thresholds, numbers[border:])

    def _decoded(self, numbers: Sequence[int]) -> Bits:
        """The bits of their genes alone."""
        if self.apart:
            weights, activations = self.weight_widths, self.activation_widths
            pairs = [(weights[w], activations[a]) for w, a in zip(numbers[::2], numbers[1::2], strict=True)]
        else:
            ordered = sorted(self.precisions)
            pairs = [ordered[g] for g in numbers]
        searched = dict(zip(self.free, pairs, strict=True))
        return {site: self.fixed.get(site) or self._lifted(site, searched[site]) for site in self.sites}

    def encode(self, bits: Bits) -> Genes:
        """The gene vector (genes,) of a candidate. Raises InputError for a pair that is not legal."""
        genes: list[int] = []
        for site in self.free:
            pair = w, a = widths(bits[site])
            if pair not in self.precisions:
                offered = precisions_shown(self.precisions)
                raise InputError(f"bits of {site}: {w}x{a}: the architecture offers {offered} (weights x activations)")
            if self.apart:
                genes += [self.weight_widths.index(w), self.activation_widths.index(a)]
            else:
                genes.append(sorted(self.precisions).index(pair))
        return np.array([*genes, *genes_of(bits, self.thresholds)], np.int64)

    def homogeneous(self) -> dict[int, Bits]:
        """The candidates with one width for everything, by that width, widest first (lifted where a site asks for
        it), at the least thresholds."""
        least = [len(group.values) - 1 for group in self.thresholds]
        bits = {
            pair[0]: {site: self.fixed.get(site) or self._lifted(site, pair) for site in self.sites}
            for pair in self.alike
        }
        return {width: with_genes(of_width, self.thresholds, least) for width, of_width in bits.items()}

    def _lifted(self, site: str, pair: tuple[int, int]) -> tuple[int, int]:
        least = self.minimum_activation_bits.get(site, 0)
        if pair[1] >= least:
            return pair
        wide_enough = [p for p in self.precisions if p[1] >= least and p[0] >= pair[0]]
        return min(wide_enough, key=lambda p: (p[1], p[0]))
