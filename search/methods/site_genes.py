"""Which genes belong to which site."""

from dataclasses import dataclass

import numpy as np

from search.methods.method import Space
from search.space.genome import Genes
from simulators.engine.program import Ints


@dataclass(frozen=True)
class SiteGenes:
    """The genes of one site."""

    positions: Ints
    """(G,) Where they stand in a gene vector."""
    options: Genes
    """(options, G) All values that they may take together."""

    @classmethod
    def of(cls, positions: list[int], upper: Genes) -> "SiteGenes":
        """Genes that go from 0 to `upper` (genes,)."""
        values = np.meshgrid(*(np.arange(upper[at] + 1) for at in positions), indexing="ij")
        return cls(np.array(positions), np.stack(values, axis=-1).reshape(-1, len(positions)))


def site_genes(space: Space) -> list[SiteGenes]:
    """The genes of the bits, by site: those that change the same site of the narrowest candidate."""
    upper, by_site = space.upper, dict[str, list[int]]()
    narrowest = space.decode(0 * upper)
    for gene in range(len(upper) - space.hardware_genes):
        wider = 0 * upper
        wider[gene] = upper[gene]
        bits = space.decode(wider)
        for site in [site for site in bits if bits[site] != narrowest[site]][:1]:
            by_site.setdefault(site, []).append(gene)
    return [SiteGenes.of(genes, upper) for genes in by_site.values()]
