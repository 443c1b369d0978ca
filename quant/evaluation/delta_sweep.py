"""Error against eliminated operations: the thresholds of a delta network, swept (Rezk et al. 2020)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quant.arithmetic.delta import thresholds_of
from quant.evaluation.rates import DeltaResult
from quant.evaluation.recogniser import Recogniser
from quant.sites.candidate import Bits


@dataclass(frozen=True)
class Point:
    """Thresholds of layer inputs, recurrent inputs (None where there are none) and the output layer, in activation
    codes, and what they lead to."""

    x: int
    h: int | None
    fc: int
    thresholds: dict[str, int]
    found: DeltaResult


def combinations(model: Recogniser, values: Sequence[int]) -> list[tuple[int, int | None]]:
    """Every value for layer inputs with every value for recurrent inputs, if the model has any."""
    recurs = any(site.name.startswith("U") for site in model.sites)
    return [(x, h) for x in values for h in (values if recurs else [None])]


def sweep(
    model: Recogniser, bits: Bits, values: Sequence[int], fc: int | None = None, split: str = "dev"
) -> Iterator[Point]:
    """Evaluate each of the `combinations` in turn. `fc` is the output layer's threshold, that of layer inputs unless
    said. Raises InputError for a negative threshold or a bad candidate."""
    for x, h in combinations(model, values):
        thresholds = thresholds_of(model.sites, x, h or 0, x if fc is None else fc)
        yield Point(x, h, thresholds["FC"], thresholds, model.evaluate_delta(bits, thresholds, split))


def to_csv(points: Sequence[Point]) -> str:
    """A row a point: thresholds, error rates in percent, shares of eliminated products and of transmitted inputs."""
    sites = list(points[0].found.active)
    lines = [",".join(["x", "h", "fc", "error", "error_max", "eliminated", *(f"active_{site}" for site in sites)])]
    for point in points:
        found = point.found
        numbers = [found.rate.error, found.rate.error_max, found.eliminated, *(found.active[site] for site in sites)]
        h = "" if point.h is None else str(point.h)
        lines.append(",".join([str(point.x), h, str(point.fc), *(f"{number:.6g}" for number in numbers)]))
    return "\n".join(lines) + "\n"
