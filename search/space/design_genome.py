"""Genes of a design point: those of a candidate, and behind them, where there are several variants, those of its
hardware."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from quant.sites.candidate import Bits
from quant.sites.delta_pair import thresholds_in, with_threshold
from search.space.genome import Genes, Genome
from search.space.hardware_variants import Hardware, Variant


class DesignGenome(Protocol):
    """Gene vectors of (variant of hardware, candidate)."""

    @property
    def bits(self) -> Genome:
        """The genes of the candidate, which come first."""
        ...

    @property
    def upper(self) -> Genes:
        """Largest value of each gene, (genes,); the smallest is 0."""
        ...

    @property
    def hardware_genes(self) -> int:
        """How many genes, the last ones, choose the hardware."""
        ...

    def decode(self, genes: Genes) -> tuple[Variant, Bits]:
        """The variant of a gene vector (genes,), and the candidate in bits that it offers."""
        ...


@dataclass(frozen=True)
class OneVariantGenome:
    """Candidates on one piece of hardware."""

    bits: Genome
    variant: Variant

    @property
    def upper(self) -> Genes:
        """See `DesignGenome.upper`."""
        return self.bits.upper

    @property
    def hardware_genes(self) -> int:
        """See `DesignGenome.hardware_genes`."""
        return 0

    def decode(self, genes: Genes) -> tuple[Variant, Bits]:
        """See `DesignGenome.decode`."""
        return self.variant, self.bits.decode(genes)


@dataclass(frozen=True)
class VariantsGenome:
    """Candidates on hardware that genes choose.

    The hardware's genes are positions: of the block where there are several, then of each block's architecture, entry
    of its list, and value of each key of its grid. A pair of bits that the chosen hardware does not offer becomes the
    next wider one that it does, so that every gene vector can be run.
    """

    bits: Genome
    hardware: Hardware
    model_has_widths: bool = False
    """Whether the model chooses among widths of its own, whatever the hardware offers."""

    @cached_property
    def upper(self) -> Genes:
        """See `DesignGenome.upper`."""
        return np.array([*self.bits.upper, *(count - 1 for count in self._counts)], np.int64)

    @property
    def hardware_genes(self) -> int:
        """See `DesignGenome.hardware_genes`."""
        return len(self._counts)

    def decode(self, genes: Genes) -> tuple[Variant, Bits]:
        """See `DesignGenome.decode`."""
        count = len(self.bits.upper)
        bits = self.bits.decode(genes[:count])
        variant = self._variant([int(gene) for gene in genes[count:]])
        return variant, bits if self.model_has_widths else fitted(bits, variant.precisions)

    @cached_property
    def _counts(self) -> list[int]:
        """How many values each gene of the hardware has."""
        blocks = self.hardware.blocks
        counts = [len(blocks)] if len(blocks) > 1 else []
        return counts + [count for block in blocks for count in block.lengths()]

    def _variant(self, genes: Sequence[int]) -> Variant:
        """The variant that the hardware's genes choose; those of other blocks have no say."""
        blocks = self.hardware.blocks
        chosen, rest = (genes[0], genes[1:]) if len(blocks) > 1 else (0, genes)
        first = sum(len(block.lengths()) for block in blocks[:chosen])
        return self.hardware.at(chosen, tuple(rest[first : first + len(blocks[chosen].lengths())]))


def fitted(bits: Bits, precisions: Sequence[tuple[int, int]]) -> Bits:
    """A candidate in pairs that are offered, with its thresholds: the narrowest that is at least as wide in both, else
    the widest."""
    widest = max(precisions, key=lambda p: (p[0] + p[1], p))

    def pair(w: int, a: int) -> tuple[int, int]:
        if (w, a) in precisions:
            return w, a
        return min((p for p in precisions if p[0] >= w and p[1] >= a), key=lambda p: (p[0] + p[1], p), default=widest)

    thresholds = thresholds_in(bits)
    return {site: with_threshold(pair(w, a), thresholds.get(site)) for site, (w, a) in bits.items()}
