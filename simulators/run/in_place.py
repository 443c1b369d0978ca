"""What a network takes its segments for: where neighbours disturb one, other choices of theirs are tried in place.

A choice is made among others of its kind. In a network the next product's weights, once they are on the channel, may
hold up a segment's last results; then a tiling with smaller loads, of either, can be better. Segments that take no more
than undisturbed cost nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulators.lowering.platform import ALONE, FIRST, INNER, LAST, NEARLY, WORTH_OF_ENERGY
from simulators.run.segment_cache import AT_THE_BEGINNING, NOTHING_AHEAD

if TYPE_CHECKING:
    from simulators.run.simulation import Simulator

DISTURBED = 1.01
"""A segment is disturbed that takes more than this times its cycles undisturbed."""

ROUNDS = 4
"""How often more segments around the disturbed ones are chosen anew."""

BEAM = 24
"""Partial networks that are followed at a time: they differ in the last segment, or in what was loaded ahead."""


@dataclass(frozen=True)
class _Partial:
    """A network up to a segment, which is chosen and has not run."""

    cycles: int
    energy_pj: float
    state: int
    """Number of the prefetch state in which the segment begins."""
    numbers: tuple[int, ...]
    """The segments so far, the one that has not run among them."""

    @property
    def cost(self) -> tuple[int, float]:
        return self.cycles, self.energy_pj


def position(at: int, count: int) -> int:
    """Where one of so many segments stands in their network."""
    if count == 1:
        return ALONE
    return FIRST if at == 0 else LAST if at == count - 1 else INNER


def settled(simulator: Simulator, numbers: Sequence[int]) -> tuple[int, ...]:
    """The segments of a network, by number, with the choices under which it takes the fewest cycles, of those that are
    tried, or nearly those and less energy: all around each disturbed segment, by dynamic programming over segments and
    what was loaded ahead. What is found is kept, and is settled itself."""
    start = tuple(numbers)
    if start not in simulator.settled:
        tried, options, candidates, near = start, [[number] for number in start], [start], set[int]()
        for _ in range(ROUNDS):
            cycles = [timing.cycles for timing in simulator.cache.run(tried)]
            around = disturbed(simulator, tried, cycles)
            if not around:
                break
            # What is better for one may disturb the next, or need others at it.
            near |= {at + by for at in {*around, *near} for by in (-1, 0, 1)}
            options = [simulator.others(n) if at in near else [n] for at, n in enumerate(start)]
            tried = _best(simulator, options, (1.0, 0.0))
            candidates.append(tried)
            if near.issuperset(range(len(start))):
                break
        result = start
        if near:
            costs = [_cost(simulator, numbers) for numbers in candidates]
            weights = 1 / min(costs)[0], WORTH_OF_ENERGY / min(energy for _, energy in costs)
            candidates.append(_best(simulator, options, weights))
            costs.append(_cost(simulator, candidates[-1]))
            limit = min(costs)[0] * (1 + NEARLY)
            within = [at for at, cost in enumerate(costs) if cost[0] <= limit]
            result = candidates[min(within, key=lambda at: weighed(costs[at], weights))]
        simulator.settled[start] = simulator.settled[result] = result
    return simulator.settled[start]


def weighed(cost: tuple[float, float], weights: tuple[float, float]) -> tuple[float, float]:
    """Cycles and energy as one, of equals the fewer cycles."""
    return cost[0] * weights[0] + cost[1] * weights[1], cost[0]


def _best(simulator: Simulator, options: Sequence[Sequence[int]], weights: tuple[float, float]) -> tuple[int, ...]:
    """The network of least cycles and energy, as they weigh, that dynamic programming finds, as if nothing beyond the
    next segment were ever loaded ahead: what is there when a segment begins is then its own, whatever is chosen behind
    it. Such a network's true cost is its caller's to ask for."""
    cache = simulator.cache
    partial = [_Partial(0, 0.0, AT_THE_BEGINNING, (number,)) for number in options[0]]
    for following in options[1:]:
        aheads = [(number, cache.lookahead(number, NOTHING_AHEAD)) for number in following]
        best: dict[tuple[int, int], tuple[tuple[float, float], _Partial]] = {}
        for one in partial:
            for number, ahead in aheads:
                grown = _grown(simulator, one, ahead, (*one.numbers, number))
                worth, key = weighed(grown.cost, weights), (number, grown.state)
                if key not in best or worth < best[key][0]:
                    best[key] = worth, grown
        partial = [grown for _, grown in sorted(best.values(), key=lambda of: of[0])[:BEAM]]
    ended = [_grown(simulator, one, NOTHING_AHEAD, one.numbers) for one in partial]
    return min(ended, key=lambda one: weighed(one.cost, weights)).numbers


def _grown(simulator: Simulator, one: _Partial, ahead: int, numbers: tuple[int, ...]) -> _Partial:
    """A network whose last segment has run, with a lookahead behind it."""
    last = one.numbers[-1]
    timing = simulator.cache.timing(last, ahead, one.state)
    return _Partial(one.cycles + timing.cycles, one.energy_pj + simulator.energy_pj(last), timing.state, numbers)


def disturbed(simulator: Simulator, numbers: Sequence[int], cycles: Sequence[int]) -> list[int]:
    """Which segments of a network take more than undisturbed."""
    count = len(numbers)
    return [
        at
        for at, (number, of_segment) in enumerate(zip(numbers, cycles, strict=True))
        if of_segment > DISTURBED * simulator.undisturbed_cycles(number, position(at, count))
    ]


def _cost(simulator: Simulator, numbers: Sequence[int]) -> tuple[int, float]:
    """Cycles, and pJ without leakage, which follows cycles."""
    cycles = sum(timing.cycles for timing in simulator.cache.run(numbers))
    return cycles, sum(map(simulator.energy_pj, numbers))
