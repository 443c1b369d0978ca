"""How much of a candidate's evaluation is left where others were evaluated before: an estimate, to choose by.

It is a function of the candidates alone, not of what a cache holds, how many processes there are or how fast a machine
is, so that a search that chooses by it repeats from its seed anywhere. In a pool each process shares with itself only,
and more is left than this says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quant.sites.candidate import Bits

if TYPE_CHECKING:
    from quant.networks.network import Network

ELEMENTWISE_MACS = 30
"""8-bit multiply-accumulates in the time of an elementwise operation, and …"""
DECODING_MACS = 0.6e6
"""… in that of a frame's softmax and decoding: of the shipped SRU's time in `benchmarks/candidate_error.py`, two thirds
are products, a quarter recurrence and the rest this. It need not be exact."""


@dataclass(frozen=True)
class Part:
    """A part of an evaluation, which begins with the result of the part before."""

    bits: tuple[tuple[int, int], ...]
    """Weight and activation bits of its sites: candidates that agree in them and before share its result."""
    work: float
    """Millions of 8-bit multiply-accumulates a frame, or of whatever takes as long."""
    kept: bool
    """Whether its result stays for later populations."""


Prefix = tuple[tuple[tuple[int, int], ...], ...]
"""Bits of an evaluation's first parts."""


class Shared:
    """First parts whose results are there."""

    def __init__(self) -> None:
        self._keys: set[Prefix] = set()

    def add_kept(self, parts: Sequence[Part]) -> None:
        """Add what an earlier population's evaluation of a candidate left behind."""
        self._keys.update(key for key, part in zip(_keys(parts), parts, strict=True) if part.kept)

    def add_all(self, parts: Sequence[Part]) -> None:
        """Add all parts of a candidate that is evaluated in the same population."""
        self._keys.update(_keys(parts))

    def left(self, parts: Sequence[Part]) -> float:
        """Work of a candidate's parts that follow the longest prefix whose result is there."""
        work = 0.0
        for key, part in zip(reversed(_keys(parts)), reversed(parts), strict=True):
            if key in self._keys:
                break
            work += part.work
        return work


def _keys(parts: Sequence[Part]) -> list[Prefix]:
    bits = tuple(part.bits for part in parts)
    return [bits[: depth + 1] for depth in range(len(bits))]


def parts_of(network: "Network", bits: Bits) -> list[Part]:
    """The parts of a candidate's evaluation that `quant.evaluation.prefix_cache` shares."""
    import torch  # takes seconds to load

    from quant.arithmetic.float_arithmetic import FloatArithmetic

    weights = {site.name: site.weights for site in network.sites}
    stages = network.stages(torch.empty(0), FloatArithmetic())
    parts = []
    for stage in stages:
        products = sum(weights[site] * _bytes(bits[site][0]) * _bytes(bits[site][1]) for site in stage.sites)
        rest = ELEMENTWISE_MACS * stage.operations + (DECODING_MACS if stage is stages[-1] else 0)
        parts.append(Part(tuple(bits[site] for site in stage.sites), (products + rest) / 1e6, stage.kept))
    return parts


def _bytes(bits: int) -> int:
    return -(-bits // 8)
