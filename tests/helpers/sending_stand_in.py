"""A model that answers at once and sends less at higher thresholds: what the search asks of a delta network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stand_in import StandInError, StandInModel

from quant.sites.delta_pair import thresholds_in, widths
from simulators import Matmul, Trace

Bits = Mapping[str, tuple[int, int]]
UTTERANCES = (5, 9, 12)
"""Steps of the utterances that it is evaluated on."""


@dataclass
class SendingStandIn(StandInModel):
    """Of a site with a threshold of t/256, every (1 + t // 16)-th element is sent, which costs t/64 points of error."""

    populations: int = 0

    def evaluate(self, bits: Bits) -> StandInError:
        plain = super().evaluate({site: widths(pair) for site, pair in bits.items()})
        more = sum(thresholds_in(bits).values()) / 64
        return StandInError(plain.error_max + more, plain.error + more)

    def evaluate_deltas(self, candidates: Sequence[Bits]) -> Iterator[tuple[StandInError, Iterator[Trace]]]:
        self.populations += 1
        for bits in candidates:
            yield self.evaluate(bits), (self.utterance(bits, steps) for steps in UTTERANCES)

    def utterance(self, bits: Bits, steps: int) -> Trace:
        """The trace of an utterance of so many steps, with masks."""
        shares = {site: 1 / (1 + threshold // 16) for site, threshold in thresholds_in(bits).items()}
        return self.expected_trace(bits, steps, shares)

    def mean_steps(self) -> int:
        return round(sum(UTTERANCES) / len(UTTERANCES))

    def expected_trace(self, bits: Bits, steps: int, shares: Mapping[str, float]) -> Trace:
        plain = self.trace(bits, steps)
        layers = []
        for layer in plain.layers:
            assert isinstance(layer, Matmul)
            if layer.name in shares:
                apart = max(1, round(1 / max(shares[layer.name], 1e-3)))
                mask = sum(1 << element for element in range(0, layer.in_features, apart))
                layer = layer.but(active=(f"{mask:x}",) * steps)
            layers.append(layer)
        return Trace(name="sending", steps=steps, layers=tuple(layers))

    def trace_utterance(self, bits: Bits) -> Trace:
        return self.utterance(bits, UTTERANCES[0])
