"""What the agent remembers: a ring of steps, of which neighbours are a transition."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Transitions(NamedTuple):
    """Transitions to learn from."""

    states: Floats
    """(N, numbers)"""
    actions: Floats
    """(N, 1)"""
    rewards: Floats
    """(N, 1)"""
    next_states: Floats
    """(N, numbers)"""
    goes_on: Floats
    """(N, 1) 0 at the last step of an episode, otherwise 1."""


class Replay:
    """A ring of steps. An episode's last step is followed by an entry that is no step, whose state stands for what
    comes after: so every step has a neighbour."""

    def __init__(self, capacity: int, numbers: int):
        """`capacity` is in entries, `numbers` the length of a state."""
        self._states = np.zeros((capacity, numbers), np.float32)
        self._actions = np.zeros((capacity, 1), np.float32)
        self._rewards = np.zeros((capacity, 1), np.float32)
        self._goes_on = np.ones((capacity, 1), np.float32)
        self._is_step = np.zeros(capacity, bool)
        self._written = 0

    def add_episode(self, states: Floats, actions: Floats, reward: float, next_action: float) -> None:
        """Remember an episode: states (N, numbers) and actions (N,), all with the reward that came at its end. Behind
        it the last state stands again, with what the policy would do there."""
        last = len(states) - 1
        for i, (state, action) in enumerate(zip(states, actions, strict=True)):
            self._add(state, float(action), reward, goes_on=i < last, is_step=True)
        self._add(states[-1], next_action, 0.0, goes_on=True, is_step=False)

    def _add(self, state: Floats, action: float, reward: float, goes_on: bool, is_step: bool) -> None:
        at = self._written % len(self._states)
        self._states[at], self._actions[at], self._rewards[at] = state, action, reward
        self._goes_on[at], self._is_step[at] = goes_on, is_step
        self._written += 1

    def transitions(self) -> NDArray[np.int64]:
        """Places of all steps whose neighbour is remembered too, the oldest first."""
        capacity = len(self._states)
        places = np.arange(max(0, self._written - capacity), self._written - 1) % capacity
        return places[self._is_step[places]]

    def sample(self, number: int, generator: np.random.Generator) -> Transitions:
        """So many transitions, none twice; all where there are fewer."""
        places = self.transitions()
        chosen = generator.choice(places, min(number, len(places)), replace=False)
        after = (chosen + 1) % len(self._states)
        return Transitions(
            self._states[chosen],
            self._actions[chosen],
            self._rewards[chosen],
            self._states[after],
            self._goes_on[chosen],
        )
