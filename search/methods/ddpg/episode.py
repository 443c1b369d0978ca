"""An episode: two actions for each site of the network that is searched, and the candidate that they come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from quant.sites.candidate import Bits
from search.methods.ddpg.replay import Floats
from search.methods.ddpg.states import site_states, state_of
from search.methods.ddpg.widths import LegalPairs, activation_widths, weight_widths, width_of
from search.methods.method import Space
from search.space.sites import SearchSite

Policy = Callable[[Floats], float]
"""State (10,) → an action from 0 to 1."""


@dataclass(frozen=True)
class Played:
    """The steps of an episode, in their order."""

    states: Floats
    """(steps, 10)"""
    actions: Floats
    """(steps,)"""
    bits: Bits
    """What the actions mean, whatever it costs."""


@dataclass(frozen=True)
class Game:
    """The sites of a network, their states, and what may be chosen for them."""

    legal: LegalPairs
    """All sites, in their order."""
    rows: Floats
    """(sites, 10) States of those that are searched."""
    widest: int
    """The widest legal width in bits, which the last action is said as a share of."""

    @classmethod
    def of(cls, sites: Sequence[SearchSite], legal: LegalPairs) -> Self:
        """What there is to choose for sites that have these legal pairs, several of at least one."""
        searched = [site for site in sites if len(legal[site.name]) > 1]
        widest = max(max(pair) for site in searched for pair in legal[site.name])
        return cls(legal, site_states(searched), widest)

    @property
    def sites(self) -> int:
        """How many sites are searched."""
        return len(self.rows)

    def play(self, policy: Policy) -> Played:
        """An episode of a policy: of each site the weights first, then the activations, unless they have one width."""
        states: list[Floats] = []
        actions: list[float] = []
        bits: dict[str, tuple[int, int]] = {}
        rows, last = iter(self.rows), 1.0

        def chosen(row: Floats, widths: list[int], weights: bool) -> int:
            state = state_of(row, last, weights)
            states.append(state)
            actions.append(policy(state))
            return width_of(actions[-1], widths)

        for site, pairs in self.legal.items():
            if len(pairs) == 1:
                (bits[site],) = pairs
                continue
            row = next(rows)
            weight = chosen(row, weight_widths(pairs), True)
            last = weight / self.widest
            activation, *others = sorted({pair[1] for pair in pairs})
            if others:
                activation = chosen(row, activation_widths(pairs, weight), False)
                last = activation / self.widest
            bits[site] = weight, activation
        return Played(np.array(states, np.float32), np.array(actions, np.float32), bits)


def legal_pairs(space: Space, least_bits: int, most_bits: int) -> dict[str, list[tuple[int, int]]]:
    """The pairs that each site of a space may have, rising: of those whose widths are between two (a side that
    has one width alone is not chosen), what the space makes of them, which fixes some sites and lifts others."""
    chosen = [side for side in (0, 1) if len({pair[side] for pair in space.precisions}) > 1]
    pairs = [pair for pair in space.precisions if all(least_bits <= pair[side] <= most_bits for side in chosen)]
    names = [site.name for site in space.sites]
    alike = [space.decode(space.encode(dict.fromkeys(names, pair))) for pair in pairs]
    return {name: sorted({bits[name] for bits in alike}) for name in names}
