"""What a method of search is told of a site: how large its weight matrix is, and how much is computed with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from quant.sites.candidate import Bits
from search.space.site_geometry import SiteGeometry, geometry_of
from simulators import Trace


@dataclass(frozen=True)
class SearchSite:
    """One site of the network that is searched."""

    name: str
    outputs: int
    """Rows of its weight matrix (M of the GEMM), those of both directions where it has two; 0 for a site that has a
    width and no weights."""
    inputs: int
    """Columns of its weight matrix (K of the GEMM), which one result is summed over; 0 without weights."""
    macs: int
    """Multiply-accumulates at its widths in one utterance."""
    geometry: SiteGeometry = field(default_factory=SiteGeometry)
    """Its layers as convolutions."""

    @property
    def weights(self) -> int:
        """Number of its weights."""
        return self.outputs * self.inputs


def search_sites(
    names: Sequence[str], pairs: Sequence[tuple[int, int]], trace: Callable[[Bits], Trace]
) -> tuple[SearchSite, ...]:
    """The sites of a network, found by their traces: a site's layers are those whose width follows the site's.

    `pairs` are the legal (weight bits, activation bits); `trace` is that of a candidate.
    """
    narrow, wide = min(pairs), max(pairs)
    # What a site sets is the operand of weights where the pairs differ in it, and the activations' otherwise.
    operand = 0 if narrow[0] != wide[0] else 1
    base = dict.fromkeys(names, wide)
    layers = trace(base).layers
    sites = []
    for name in names:
        changed = trace({**base, name: narrow}).layers
        own = [
            layer
            for layer, other in zip(layers, changed, strict=True)
            if layer.is_product and layer.operand_bits[operand] != other.operand_bits[operand]
        ]
        weights = sum(layer.parameters for layer in own)
        gemms = [gemm for layer in own if layer.parameters and (gemm := layer.as_gemm())]
        outputs = sum(gemm.m * gemm.products for gemm in gemms)
        inputs, macs = weights // outputs if outputs else 0, sum(layer.macs for layer in own)
        sites.append(SearchSite(name, outputs, inputs, macs, geometry_of(own)))
    return tuple(sites)
