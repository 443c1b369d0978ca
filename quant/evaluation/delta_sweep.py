"""Error against eliminated operations: the thresholds of a delta network, swept (Rezk et al. 2020)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from quant.sites.candidate import Bits
from quant.sites.site import Role, Site
from simulators.inputs.csv_text import csv_of_cells


class SweptError(Protocol):
    """An error in percent."""

    @property
    def error(self) -> float:
        """Percent over all data."""
        ...

    @property
    def error_max(self) -> float:
        """Percent, the largest over the parts of the data."""
        ...


class ErrorAndSavings(Protocol):
    """What a delta network errs and saves, as `quant.evaluation.rates.DeltaResult` has it."""

    @property
    def rate(self) -> SweptError:
        """The error of the delta network."""
        ...

    @property
    def active(self) -> Mapping[str, float]:
        """The share of each site's inputs that it transmits."""
        ...

    @property
    def eliminated(self) -> float:
        """The share of all multiply-accumulates that are therefore not done."""
        ...


class HasThresholds(Protocol):
    """What is swept: a recogniser, or a network from a file (`quant.graphs.delta_network`)."""

    @property
    def sites(self) -> Sequence[Site]:
        """Sites that may have thresholds, in the order of the computation."""
        ...

    def evaluate_delta(self, bits: Bits, thresholds: Mapping[str, int], split: str) -> ErrorAndSavings:
        """What a candidate errs and saves at thresholds in activation codes."""
        ...


@dataclass(frozen=True)
class DeltaPoint:
    """Thresholds of a delta network, in activation codes, and what they lead to."""

    x: int
    """Threshold of layer inputs."""
    h: int | None
    """Threshold of recurrent inputs; None where there are none."""
    fc: int
    """Threshold of the output layer's input."""
    thresholds: dict[str, int]
    """Threshold of each site, in activation codes."""
    result: ErrorAndSavings


def thresholds_of(sites: Sequence[Site], x: int, h: int, fc: int) -> dict[str, int]:
    """One threshold for each group of sites: inputs of layers, recurrent inputs, and the output layer; the first site
    transmits every change (Delta networks on Shrink and Eliminate's quantized models, Rezk et al. 2020)."""
    by_role = {Role.RECURRENT: h, Role.OUTPUT: fc}
    return {site.name: by_role.get(site.role, x) if i else 0 for i, site in enumerate(sites)}


def combinations(model: HasThresholds, values: Sequence[int]) -> list[tuple[int, int | None]]:
    """Every value for layer inputs with every value for recurrent inputs, if the model has any."""
    recurs = any(site.role is Role.RECURRENT for site in model.sites)
    return [(x, h) for x in values for h in (values if recurs else [None])]


def sweep(
    model: HasThresholds, bits: Bits, values: Sequence[int], fc: int | None = None, split: str = "dev"
) -> Iterator[DeltaPoint]:
    """Evaluate each of the `combinations` in turn. `fc` is the output layer's threshold, that of layer inputs unless
    said. Raises InputError for a negative threshold or a bad candidate."""
    for x, h in combinations(model, values):
        fc_threshold = x if fc is None else fc
        thresholds = thresholds_of(model.sites, x, h or 0, fc_threshold)
        yield DeltaPoint(x, h, fc_threshold, thresholds, model.evaluate_delta(bits, thresholds, split))


def to_csv(points: Sequence[DeltaPoint]) -> str:
    """A row a point: thresholds, error rates in percent, shares of eliminated products and of transmitted inputs."""
    sites = list(points[0].result.active)
    rows = []
    for point in points:
        result = point.result
        shares = [result.active[site] for site in sites]
        numbers = [result.rate.error, result.rate.error_max, result.eliminated, *shares]
        rows.append([point.x, point.h, point.fc, *(f"{number:.6g}" for number in numbers)])
    heading = ["x", "h", "fc", "error", "error_max", "eliminated", *(f"active_{site}" for site in sites)]
    return csv_of_cells(rows, heading)
