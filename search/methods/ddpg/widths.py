"""From actions to bits: equal parts of the interval from 0 to 1 for the widths that are legal."""

from collections.abc import Collection, Mapping, Sequence

Pair = tuple[int, int]
"""(weight bits, activation bits)"""
LegalPairs = Mapping[str, Collection[Pair]]
"""Site → the pairs that it may have, one where it is not searched; in the order of the sites."""


def width_of(action: float, widths: Sequence[int]) -> int:
    """The width that an action from 0 to 1 means, of some rising ones in bits: HAQ's b = round((b_min - 0.5) + action *
    (b_max - b_min + 1)), halves to even, where they are all from b_min to b_max; its place among them otherwise."""
    place = round(widths[0] - 0.5 + action * len(widths)) - widths[0]
    return widths[min(max(place, 0), len(widths) - 1)]


def weight_widths(pairs: Collection[Pair]) -> list[int]:
    """Weight bits that any of these pairs has, rising."""
    return sorted({weight for weight, _ in pairs})


def activation_widths(pairs: Collection[Pair], weight_bits: int) -> list[int]:
    """Activation bits of the pairs with these weight bits, rising."""
    return sorted({activation for weight, activation in pairs if weight == weight_bits})
