"""What a network takes its segments for: where neighbours disturb one, other choices of theirs are tried in place.

A choice is made among others of its kind. In a network the next product's weights, once they are on the channel, may
hold up a segment's last results; then a tiling with smaller loads, of either, can be better. Segments that take no more
than undisturbed cost nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulators.lowering.platform import ALONE, FIRST, INNER, LAST, NEARLY, WORTH_OF_ENERGY
from simulators.run.segment_cache import AT_THE_BEGINNING, NOTHING_AHEAD

if TYPE_CHECKING:
    from simulators.run.simulation import Simulator

DISTURBED = 0.01
"""A segment is disturbed if more than this share of its cycles is what it takes more than undisturbed."""

WORTH_A_LOOK = NEARLY
"""Other choices are looked for if more than this share of a network's cycles is what its segments take more than
undisturbed: no choice gains more than that."""

ROUNDS = 4
"""How often more segments around the disturbed ones are chosen anew."""

LEAST_WORTH = 0.02
"""What a share of energy weighs against one of cycles where the fewest cycles are looked for: between tilings that are
equally fast for all that matters, one may load much more than the other."""

KEPT = 100_000
"""Networks of which it is remembered what became of them."""

BEAM = 24
"""Partial networks that are followed at a time: they differ in the last segment, or in what was loaded ahead."""

_Partial = tuple[int, float, int, tuple[int, ...]]
"""A network up to a segment, which is chosen and has not run: cycles and pJ of those before it, the number of the
prefetch state in which it begins, and the segments so far, it among them."""


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
    found = simulator.chosen.settled.get(start)
    if found is None:
        found = _settled(simulator, start)
        if len(simulator.chosen.settled) >= KEPT:
            simulator.chosen.settled.clear()
        simulator.chosen.settled[start] = simulator.chosen.settled[found] = found
    return found


def _settled(simulator: Simulator, start: tuple[int, ...]) -> tuple[int, ...]:
    around = disturbed(simulator, start)
    if not around:
        return start
    near, costs = set[int](), {start: _cost(simulator, start)}
    # Both in shares of what the network takes as it is.
    cycles_weigh, energy_weighs = (1 / max(of, 1) for of in costs[start])
    for _ in range(ROUNDS):
        # What is better for one may disturb the next, or need others at it.
        near |= {at + by for at in {*around, *near} for by in (-1, 0, 1)}
        options = [simulator.others(n) if at in near else [n] for at, n in enumerate(start)]
        tried = _best(simulator, options, (cycles_weigh, energy_weighs * LEAST_WORTH))
        costs[tried] = _cost(simulator, tried)
        around = disturbed(simulator, tried)
        if not around or near.issuperset(range(len(start))):
            break
    weights = cycles_weigh, energy_weighs * WORTH_OF_ENERGY
    tried = _best(simulator, options, weights)
    costs[tried] = _cost(simulator, tried)
    limit = min(costs.values())[0] * (1 + NEARLY)
    within = [numbers for numbers, cost in costs.items() if cost[0] <= limit]
    return min(within, key=lambda numbers: _weighed(*costs[numbers], weights))


def _weighed(cycles: float, energy_pj: float, weights: tuple[float, float]) -> tuple[float, float]:
    """Cycles and energy as one, of equals the fewer cycles."""
    return cycles * weights[0] + energy_pj * weights[1], cycles


def _best(simulator: Simulator, options: Sequence[Sequence[int]], weights: tuple[float, float]) -> tuple[int, ...]:
    """The network of least cycles and energy, as they weigh, that dynamic programming finds, as if nothing beyond the
    next segment were ever loaded ahead: what is there when a segment begins is then its own, whatever is chosen behind
    it. Such a network's true cost is its caller's to ask for."""
    cache = simulator.cache

    def run(one: _Partial, ahead: int) -> tuple[int, float, int]:
        """Cycles, energy and state when the last segment has run, with a lookahead behind it."""
        cycles, energy_pj, state, numbers = one
        timing = cache.timing(numbers[-1], ahead, state)
        return cycles + timing.cycles, energy_pj + simulator.energy_pj(numbers[-1]), timing.state

    partial: list[_Partial] = [(0, 0.0, AT_THE_BEGINNING, (number,)) for number in options[0]]
    for following in options[1:]:
        aheads = [(number, cache.lookahead(number, NOTHING_AHEAD)) for number in following]
        best: dict[tuple[int, int], tuple[tuple[float, float], _Partial]] = {}
        for one in partial:
            ended: dict[int, tuple[int, float, int]] = {}  # by lookahead: choices that load alike have the same
            for number, ahead in aheads:
                if ahead not in ended:
                    ended[ahead] = run(one, ahead)
                cycles, energy_pj, state = ended[ahead]
                worth, key = _weighed(cycles, energy_pj, weights), (number, state)
                if key not in best or worth < best[key][0]:
                    best[key] = worth, (cycles, energy_pj, state, (*one[3], number))
        partial = [grown for _, grown in sorted(best.values(), key=lambda of: of[0])[:BEAM]]
    return min(partial, key=lambda one: _weighed(*run(one, NOTHING_AHEAD)[:2], weights))[3]


def disturbed(simulator: Simulator, numbers: Sequence[int]) -> list[int]:
    """Which segments of a network take more than undisturbed, where that is more than is `NEARLY` nothing to all."""
    cycles = [timing.cycles for timing in simulator.cache.run(numbers)]
    excess = [
        of_segment - simulator.undisturbed_cycles(number, position(at, len(numbers)))
        for at, (number, of_segment) in enumerate(zip(numbers, cycles, strict=True))
    ]
    if sum(over for over in excess if over > 0) <= WORTH_A_LOOK * sum(cycles):
        return []
    return [at for at, over in enumerate(excess) if over > DISTURBED * cycles[at]]


def _cost(simulator: Simulator, numbers: Sequence[int]) -> tuple[int, float]:
    """Cycles, and pJ without leakage, which follows cycles."""
    cycles = sum(timing.cycles for timing in simulator.cache.run(numbers))
    return cycles, sum(map(simulator.energy_pj, numbers))
