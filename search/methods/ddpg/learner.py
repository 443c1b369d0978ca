"""Actor and critic, and how they learn (DDPG, Lillicrap et al. 2016, as HAQ's release has it)."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from search.methods.ddpg.replay import Floats, Replay, Transitions
from search.methods.ddpg.settings import AgentSettings

BASELINE_RATE = 0.5
"""Share of a batch's mean reward that the moving average takes over."""


class Actor(nn.Module):
    """State → an action from 0 to 1."""

    def __init__(self, numbers: int, hidden: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(numbers, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1),
            nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, states: Tensor) -> Tensor:
        """(N, numbers) → (N, 1)"""
        actions: Tensor = self.layers(states)
        return actions


class Critic(nn.Module):
    """State and action → what the episode is worth."""

    def __init__(self, numbers: int, hidden: int):
        super().__init__()
        self.of_state = nn.Linear(numbers, hidden)
        self.of_action = nn.Linear(1, hidden)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, states: Tensor, actions: Tensor) -> Tensor:
        """(N, numbers), (N, 1) → (N, 1)"""
        values: Tensor = self.rest(self.of_state(states) + self.of_action(actions))
        return values


class Learner:
    """Actor and critic, their slowly following targets, and the moving average of rewards."""

    def __init__(self, numbers: int, settings: AgentSettings, seed: int):
        """`numbers` is the length of a state."""
        self._settings = settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._actor, self._critic = Actor(numbers, settings.hidden), Critic(numbers, settings.hidden)
        self._targets = deepcopy(self._actor), deepcopy(self._critic)
        for target in self._targets:
            target.requires_grad_(False)
        self._of_actor: list[Tensor] = [*self._actor.parameters()]
        self._all: list[Tensor] = [*self._of_actor, *self._critic.parameters()]
        self._of_targets: list[Tensor] = [parameter for target in self._targets for parameter in target.parameters()]
        self._actor_step = torch.optim.Adam(self._of_actor, lr=settings.actor_rate, fused=True)
        self._critic_step = torch.optim.Adam(self._critic.parameters(), lr=settings.critic_rate, fused=True)
        self.baseline: float | None = None
        """Moving average of the rewards of batches; None before the first."""

    def action(self, state: Floats) -> float:
        """What the actor does in a state (numbers,)."""
        with _one_thread(), torch.inference_mode():
            return float(self._actor(torch.from_numpy(state)[None]))

    def learn(self, replay: Replay, updates: int, generator: np.random.Generator) -> None:
        """So many updates from batches of what is remembered."""
        with _one_thread():
            for _ in range(updates):
                self.update(replay.sample(self._settings.batch, generator))

    def update(self, batch: Transitions) -> None:
        """One update of critic, actor and targets."""
        mean = float(batch.rewards.mean())
        self.baseline = mean if self.baseline is None else self.baseline + BASELINE_RATE * (mean - self.baseline)
        states, actions, rewards, next_states, goes_on = (torch.from_numpy(part) for part in batch)
        target_actor, target_critic = self._targets
        with torch.no_grad():
            later = target_critic(next_states, target_actor(next_states))
            wanted = rewards - self.baseline + self._settings.discount * goes_on * later
        self._critic_step.zero_grad()
        nn.functional.mse_loss(self._critic(states, actions), wanted).backward()  # type: ignore[no-untyped-call]
        self._critic_step.step()
        loss = -self._critic(states, self._actor(states)).mean()
        for parameter, gradient in zip(self._of_actor, torch.autograd.grad(loss, self._of_actor), strict=True):
            parameter.grad = gradient
        self._actor_step.step()
        with torch.no_grad():
            torch._foreach_lerp_(self._of_targets, self._all, self._settings.mixing)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small products on one thread: several are slower, and sum in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
