"""How much of what passes through the sites of a module of one's own does not fit the formats that it is held in."""

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SiteSaturation:
    """The shares of a site's values, over all data that were evaluated, that were clipped to their format's range."""

    site: str
    inputs: float
    """Share of what its product reads. Narrow widths clip on purpose, where that errs less."""
    results: float
    """Share of what its product leaves, and of sums of it."""
    states: float
    """Share of what its recurrence keeps from step to step, gates included; 0 without a recurrence."""


@dataclass
class SaturationCounts:
    """Values that were clipped, and all that there were, by site and by what they are."""

    _counts: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def add(self, site: str, what: str, clipped: int, values: int) -> None:
        """Count some values of a site: `inputs`, `results` or `states`."""
        count = self._counts[site, what]
        count[0] += clipped
        count[1] += values

    def by_site(self) -> tuple[SiteSaturation, ...]:
        """The shares of each site, in the order in which they computed."""
        sites = dict.fromkeys(site for site, _ in self._counts)
        return tuple(SiteSaturation(site, *(self._share(site, what) for what in _WHAT)) for site in sites)

    def _share(self, site: str, what: str) -> float:
        clipped, values = self._counts.get((site, what), (0, 0))
        return clipped / values if values else 0.0


_WHAT = ("inputs", "results", "states")
