"""A site's pair of widths with the threshold of a delta network beside it."""

from collections.abc import Mapping

MOST_THRESHOLD = 1 << 15
"""In 1/256: beyond it nothing of a 16-bit Q8.8 activation would ever be sent."""


class DeltaPair(tuple[int, int]):
    """(weight bits, activation bits) of a site, and a threshold in 1/256: an element of its input is sent only where it
    differs from what was sent last, by the threshold at least. It is no other than a pair where widths are read, and
    differs from pairs of another threshold, or of none, where candidates are told apart."""

    threshold: int

    def __new__(cls, weight_bits: int, activation_bits: int, threshold: int) -> "DeltaPair":
        pair = super().__new__(cls, (weight_bits, activation_bits))
        pair.threshold = threshold
        return pair

    def __getnewargs__(self) -> tuple[int, int, int]:
        return (*widths(self), self.threshold)

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, other) is True and getattr(other, "threshold", None) == self.threshold

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((*widths(self), self.threshold))

    def __lt__(self, other: tuple[int, ...]) -> bool:
        return (widths(self), self.threshold) < (tuple(other), getattr(other, "threshold", -1))

    def __repr__(self) -> str:
        return pair_name(self)


def widths(pair: tuple[int, int]) -> tuple[int, int]:
    """A pair of widths alone."""
    weight_bits, activation_bits = pair
    return weight_bits, activation_bits


def with_threshold(pair: tuple[int, int], threshold: int | None) -> tuple[int, int]:
    """A pair with a threshold beside it; None: with none."""
    return widths(pair) if threshold is None else DeltaPair(*widths(pair), threshold)


def pair_name(pair: tuple[int, int]) -> str:
    """`4x8`, or `4x8@16` with a threshold of 16/256."""
    weight_bits, activation_bits = pair
    threshold = f"@{pair.threshold}" if isinstance(pair, DeltaPair) else ""
    return f"{weight_bits}x{activation_bits}{threshold}"


def thresholds_in(bits: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Thresholds in 1/256 of those sites of a candidate that have one."""
    return {site: pair.threshold for site, pair in bits.items() if isinstance(pair, DeltaPair)}


def in_codes(threshold: int, step: float) -> int:
    """The largest change in codes of a grid that is not sent at a threshold in 1/256: changes by the threshold are."""
    return max(0, -int(-threshold // (256 * step)) - 1)
