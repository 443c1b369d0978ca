"""HAQ's agent as a method of search (Wang et al., CVPR 2019; released as mit-han-lab/haq @8228d12).

An episode is a candidate: two steps a site, what is over the limits is narrowed by the budget procedure, and all steps
are rewarded with its error. HAQ's reward is 0.1 x (accuracy - that of the original network) in percent; the original's
is left out here, for the agent learns from rewards less their moving average, which is the same without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.methods.ddpg.budget_procedure import within_budget
from search.methods.ddpg.episode import Game, Played, Policy, legal_pairs
from search.methods.ddpg.learner import Learner
from search.methods.ddpg.noise import truncated_normal
from search.methods.ddpg.replay import Floats, Replay
from search.methods.ddpg.settings import AgentExperiment, AgentSettings
from search.methods.ddpg.states import NUMBERS
from search.methods.fresh import Fresh
from search.methods.method import MethodSettings, Space, Trial
from search.space.genome import Genes
from simulators.inputs.source_locations import KeyedError

REWARD_OF_A_POINT = 0.1
"""Reward of a percentage point of error that a candidate has less."""
ERROR_OF_NONE = 100.0
"""Error in percent that a candidate without one counts as."""
MOST_REPEATED = 5
"""Episodes in a row that may come to candidates that are known; then a random one is asked for."""


@dataclass(frozen=True)
class Episode:
    """An episode whose candidate was asked for."""

    number: int
    name: str
    played: Played


class HaqAgent:
    """Deep deterministic policy gradient over the sites. Episodes of the warm-up are asked for together; then each is
    learnt from before the next. A candidate that is known already is learnt from at once, and not asked for again. It
    knows widths, and no hardware: where genes choose that too, NSGA-II takes its place."""

    over_hardware = "nsga2"

    def check(self, settings: MethodSettings, objectives: int) -> None:
        """Raise KeyedError where no errors are evaluated, or no widths are left."""
        if not isinstance(settings, AgentExperiment):
            return
        if not settings.needs_error:
            raise KeyedError(("method",), "haq-ddpg learns from errors: neither objectives nor constraints need one")
        agent = settings.agent or AgentSettings()
        if agent.least_bits > agent.most_bits:
            raise KeyedError(("agent", "least_bits"), f"{agent.least_bits}: it is above most_bits, {agent.most_bits}")

    def begin(self, space: Space, settings: MethodSettings) -> None:
        agent = settings.agent if isinstance(settings, AgentExperiment) else None
        self._settings = agent or AgentSettings()
        self._space, self._population, self._offspring = space, settings.population, settings.offspring
        least, most = self._settings.least_bits, self._settings.most_bits
        legal = legal_pairs(space, least, most)
        if all(len(pairs) < 2 for pairs in legal.values()):
            rule = f"no site has several pairs of widths from {least} to {most}"
            raise KeyedError(("agent",), f"{rule}: there is nothing to choose")
        self._game = Game.of(space.sites, legal)
        self._generator = np.random.default_rng(settings.seed)
        self._fresh = Fresh(space)
        self._learner = Learner(NUMBERS, self._settings, settings.seed)
        self._replay = Replay(max(4, self._settings.replay * self._game.sites), NUMBERS)
        self._rewards: dict[str, float] = {}
        self._pending: list[Episode] = []
        self._number = 0

    def ask(self) -> Genes | None:
        rows: dict[str, Genes] = {}
        warming = self._settings.warmup + 1 - self._number
        wanted = min(warming, self._offspring if self._rewards else self._population) if warming > 0 else 1
        repeated = 0
        while len(rows) < wanted and repeated < MOST_REPEATED:
            if rows and warming > 0 and self._number > self._settings.warmup:
                break  # the warm-up is learnt from before an episode follows from it
            episode, genes = self._episode()
            known = episode.name in self._rewards
            repeated = repeated + 1 if known or episode.name in rows else 0
            if known:
                self._learn(episode)
            else:
                self._pending.append(episode)
                rows.setdefault(episode.name, genes)
        if rows:
            return np.array([*rows.values()])
        drawn = self._fresh.drawn(1, self._generator)
        return drawn if len(drawn) else None

    def tell(self, trials: Sequence[Trial]) -> None:
        self._fresh.note(np.array([trial.genes for trial in trials]))
        for trial in trials:
            error = ERROR_OF_NONE if trial.error is None else trial.error
            self._rewards[trial.name] = -REWARD_OF_A_POINT * error
        pending, self._pending = self._pending, []
        for episode in pending:
            self._learn(episode)

    def _episode(self) -> tuple[Episode, Genes]:
        """The next episode, and the gene vector (genes,) of its candidate within the limits."""
        number, self._number = self._number, self._number + 1
        played = self._game.play(self._policy(number))
        bits = within_budget(
            played.bits, self._game.legal,
            lambda candidates: self._space.within(np.array([self._space.encode(bits) for bits in candidates])).tolist(),
        )  # fmt: skip
        genes = self._space.encode(bits)
        return Episode(number, self._space.name_of(genes), played), genes

    def _policy(self, number: int) -> Policy:
        """What chooses actions in an episode: chance in the warm-up, then the actor, with noise."""
        after = number - self._settings.warmup
        if after <= 0:
            return lambda state: float(self._generator.random())
        deviation = self._settings.noise * self._settings.noise_decay**after

        def noisy(state: Floats) -> float:
            return truncated_normal(self._learner.action(state), deviation, self._generator)

        return noisy

    def _learn(self, episode: Episode) -> None:
        """Remember an episode and, after the warm-up, learn: one update for each of its steps."""
        played = episode.played
        next_action = self._policy(episode.number)(played.states[-1])
        self._replay.add_episode(played.states, played.actions, self._rewards[episode.name], next_action)
        if episode.number > self._settings.warmup:
            self._learner.learn(self._replay, len(played.actions), self._generator)
