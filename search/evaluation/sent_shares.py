"""The share of a site's input that a candidate sends, as those before it did."""

from collections.abc import Mapping

from quant.sites.candidate import Bits, name_of
from quant.sites.delta_pair import thresholds_in, widths

GRAIN = 32
"""Shares are in so many parts, so that few of them differ and simulations are found again."""
FINE = 1 << 40
"""What is summed up is in so many parts: sums of whole numbers do not depend on their order, as a run that is resumed
finds them in another."""


class SentShares:
    """Means of what was sent, by site, threshold and activation bits."""

    def __init__(self) -> None:
        self._known: dict[str, dict[tuple[int, int], tuple[int, int]]] = {}
        """Site → (threshold, activation bits) → sum of shares in parts of `FINE`, and how many they are."""
        self._learnt: set[str] = set()
        """Names of the candidates whose shares these are."""

    def learn(self, bits: Bits, shares: Mapping[str, float]) -> None:
        """Take in what a candidate sent, site by site; on whatever hardware, it is the same."""
        if name_of(bits) in self._learnt:
            return
        self._learnt.add(name_of(bits))
        for site, threshold in thresholds_in(bits).items():
            of_site = self._known.setdefault(site, {})
            key = threshold, widths(bits[site])[1]
            total, count = of_site.get(key, (0, 0))
            of_site[key] = total + round(FINE * shares.get(site, 1.0)), count + 1

    def expected(self, bits: Bits) -> dict[str, float]:
        """What each site with a threshold is expected to send: the mean of candidates with the nearest threshold, of
        those with the nearest activation bits; everything, where none is known."""
        return {site: self._of(site, of, widths(bits[site])[1]) for site, of in thresholds_in(bits).items()}

    def _of(self, site: str, threshold: int, activation_bits: int) -> float:
        of_site = self._known.get(site)
        if not of_site:
            return 1.0
        nearest = min(of_site, key=lambda key: (abs(key[0] - threshold), abs(key[1] - activation_bits), key))
        total, count = of_site[nearest]
        return round(GRAIN * total / (FINE * count)) / GRAIN
