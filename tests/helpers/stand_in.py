"""A model that answers at once: what the search asks of a recogniser, without speech."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulators import Elementwise, Matmul, Trace


@dataclass(frozen=True)
class StandInSite:
    name: str
    outputs: int
    inputs: int


@dataclass(frozen=True)
class StandInError:
    error_max: float
    error: float


@dataclass
class StandInModel:
    """Error grows as bits shrink, by another amount at each site: deterministic, with a front worth finding."""

    digest: str = "stand-in"
    data_digest: str = "no data"
    evaluations: list[dict] = field(default_factory=list)
    sites: tuple[StandInSite, ...] = (
        StandInSite("L0", 60, 12), StandInSite("P1", 16, 20), StandInSite("L1", 60, 16), StandInSite("FC", 9, 20),
    )  # fmt: skip

    def evaluate(self, bits: Mapping[str, tuple[int, int]]) -> StandInError:
        self.evaluations.append(dict(bits))
        error = 15.0
        for i, (weight_bits, activation_bits) in enumerate(bits.values()):
            error += (3.1 + i) / weight_bits**1.5 + (7.3 - i) / activation_bits**2
        return StandInError(error + 1.0, error)

    def evaluate_population(self, candidates: Sequence[Mapping[str, tuple[int, int]]]) -> list[StandInError]:
        return [self.evaluate(bits) for bits in candidates]

    def trace(self, bits: Mapping[str, tuple[int, int]], steps: int) -> Trace:
        layers: list[Matmul | Elementwise] = [
            Matmul(
                name=site.name, out_features=site.outputs, in_features=site.inputs, steps=steps,
                weight_bits=bits[site.name][0], activation_bits=bits[site.name][1], output_bits=16,
            )
            for site in self.sites
        ]  # fmt: skip
        return Trace(name="stand-in", steps=steps, layers=tuple(layers))
