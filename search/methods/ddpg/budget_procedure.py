"""HAQ's budget procedure: a candidate that costs too much is narrowed step by step, until it does not.

Sweeps go from the last site to the first; in each, the activations lose a width first, then the weights, and the cost
is asked for after every single step. Sites with one legal pair keep it: so HAQ protects the first layer and the last.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

from quant.sites.candidate import Bits
from search.methods.ddpg.widths import LegalPairs, Pair

FIRST_ASKED, MOST_ASKED = 16, 512
"""Steps whose costs are asked for together, at first and at most: their order does not depend on the answers."""


def within_budget(bits: Bits, legal: LegalPairs, keeps: Callable[[Sequence[Bits]], Sequence[bool]]) -> Bits:
    """A candidate that keeps a budget, or else the first narrower one that does; the narrowest where none does.

    `keeps` says of some candidates whether each keeps the budget.
    """
    path = narrowing(bits, legal)
    number, last, ahead = FIRST_ASKED, bits, [bits]
    while ahead:
        for candidate, kept in zip(ahead, keeps(ahead), strict=True):
            if kept:
                return candidate
        last, ahead = ahead[-1], list(islice(path, number))
        number = min(2 * number, MOST_ASKED)
    return last


def narrowing(bits: Bits, legal: LegalPairs) -> Iterator[Bits]:
    """What a candidate becomes, step by step, each by one width; ends where every site is as narrow as it may be."""
    current = dict(bits)
    moved = True
    while moved:
        moved = False
        for site in reversed(list(legal)):
            for pair in _steps(current[site], legal[site]):
                current = {**current, site: pair}
                moved = True
                yield current


def _steps(pair: Pair, legal: Collection[Pair]) -> Iterator[Pair]:
    """The steps of a site in one sweep: activations, then weights; both in one where hardware ties them."""
    weight, activation = pair
    if narrower := [a for w, a in legal if w == weight and a < activation]:
        activation = max(narrower)
        yield weight, activation
    if narrower := [w for w, a in legal if a == activation and w < weight]:
        weight = max(narrower)
        yield weight, activation
    if (weight, activation) == pair:
        tied = [p for p in legal if p != pair and p[0] <= weight and p[1] <= activation]
        if tied:
            yield max(tied)
