"""Bits that candidates' parameters take, from a table instead of a trace for each: what a method asks about thousands
of times between two evaluations."""

from collections.abc import Callable, Sequence

from quant.sites.candidate import Bits
from quant.sites.delta_pair import widths


class StoredBits:
    """Bits of a candidate's parameters. A site's weights take what its own widths make of them, so that a sum over a
    table is exact; of a model where that is found not to be so, each candidate is asked for by itself."""

    def __init__(self, sites: Sequence[str], precisions: Sequence[tuple[int, int]], total: Callable[[Bits], int]):
        """`total` gives the bits of one candidate; `precisions` are the (weight bits, activation bits) of a site."""
        self._total = total
        base = dict.fromkeys(sites, max(precisions))
        self._base = total(base)
        self._more = {
            (site, pair): total({**base, site: pair}) - self._base for site in sites for pair in sorted(set(precisions))
        }
        alike = [dict.fromkeys(sites, pair) for pair in precisions]
        mixed = {site: precisions[i % len(precisions)] for i, site in enumerate(sites)}
        self._adds_up = all(self._sum(bits) == total(bits) for bits in [*alike, mixed])

    def of(self, bits: Bits) -> int:
        """Bits that a candidate's parameters take."""
        return self._sum(bits) if self._adds_up else self._total(bits)

    def _sum(self, bits: Bits) -> int:
        return self._base + sum(self._more[site, widths(pair)] for site, pair in bits.items())
