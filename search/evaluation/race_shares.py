"""The utterances that a racing candidate is evaluated on, share by share, and what those tell of all.

Shares are drawn in each group of speakers. What is expected of the utterances that were not evaluated follows from
those that were, paired with another candidate of which all are known: the differences in edits of the unseen ones are
drawn from those of the seen ones as Pólya's urn draws them, a posterior of a finite population (Ghosh and Meeden,
Bayesian Methods for Finite Population Sampling, 1997), from all groups, for one alone has few. What is hard for both
cancels. The urn begins with 1 - 2 / S of each of S differences, where 1 would have too little variance: so the sum of M
unseen ones has M (M + S - 2) / (S - 1) times that of the seen ones, nearly that of a mean and of the scatter about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quant.evaluation.rates import ScoredUtterances
from search.objectives import Floats
from simulators.inputs.source_locations import KeyedError

DRAWS = 1_000
"""Draws of what the unseen utterances may be: a probability of 0.95 is met within 0.007."""


FEWEST = 3
"""Utterances whose differences have a variance that tells anything."""


@dataclass(frozen=True)
class SeenShare:
    """The utterances, of U, that a candidate was evaluated on up to a share."""

    scored: ScoredUtterances
    seen: NDArray[np.int64]
    """(S,) Positions, rising."""
    seed: int
    """What the draws follow from, which are the same for all candidates."""

    @property
    def share(self) -> float:
        """Share of the utterances."""
        return len(self.seen) / len(self.scored.reference_phones)

    @cached_property
    def _times(self) -> Floats:
        """(DRAWS, groups, S) How many of the unseen utterances of each group differ as each seen one does."""
        generator, count = np.random.default_rng(self.seed), len(self.seen)
        weights = generator.dirichlet(np.full(count, 1 - 2 / count), DRAWS)
        unseen = np.bincount(
            np.delete(self.scored.subset_of, self.seen), minlength=int(self.scored.subset_of.max()) + 1
        )
        return np.stack([generator.multinomial(number, weights).astype(np.float64) for number in unseen], axis=1)

    def expected(self, seen: Floats, known: Floats) -> tuple[Floats, Floats]:
        """Error rates in percent on all utterances (DRAWS,), the worst group's and all speakers', of a candidate with
        these edits (S,) of the seen ones, paired with another, with edits (U,) of all."""
        differences = seen - known[self.seen]
        groups, phones = self.scored.subset_of, self.scored.reference_phones
        worst, total = np.zeros(DRAWS), np.zeros(DRAWS)
        for group in np.unique(groups):
            of_group, members = groups == group, groups[self.seen] == group
            edits = known[of_group].sum() + differences[members].sum() + self._times[:, group] @ differences
            worst = np.maximum(worst, 100.0 * edits / phones[of_group].sum())
            total += edits
        return worst, 100.0 * total / phones.sum()


def drawn_shares(scored: ScoredUtterances, shares: Sequence[float], seed: int) -> list[tuple[int, ...]]:
    """Positions, rising, of the utterances that each share adds to the one before, and of the rest. Raises KeyedError
    where one of these parts would have nothing said in a group of speakers, or fewer than `FEWEST` utterances."""
    generator = np.random.default_rng(seed)
    parts: list[list[int]] = [[] for _ in range(len(shares) + 1)]
    for group in np.unique(scored.subset_of):
        members = generator.permutation(np.flatnonzero(scored.subset_of == group))
        ends = [0, *(round(share * len(members)) for share in shares), len(members)]
        for i, part in enumerate(parts):
            taken = members[ends[i] : ends[i + 1]]
            if not scored.reference_phones[taken].sum():
                rule = f"{len(scored.reference_phones)} utterances are too few for these shares"
                raise KeyedError(("fidelity", "shares"), f"{rule}, with something said by each group of speakers")
            part += taken.tolist()
    if len(parts[0]) < FEWEST:
        rule = f"{len(parts[0])} utterances tell nothing of the others: at least {FEWEST} do"
        raise KeyedError(("fidelity", "shares", 0), f"{shares[0]}: {rule}")
    return [tuple(sorted(part)) for part in parts]
