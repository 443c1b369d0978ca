"""Errors of candidates that were not evaluated, learnt from those that were."""

from collections.abc import Sequence

import numpy as np

from quant.sites.candidate import name_of
from search.methods.additive_error import AdditiveError, summed
from search.methods.error_model import ErrorModel
from search.methods.known_elsewhere import added_by_genes
from search.methods.learnt_subset import learnt_subset
from search.methods.method import KnownErrors, Space, Trial
from search.objectives import Floats
from search.space.genome import Genes

MOST_LEARNT = 256
"""Candidates that are learnt from at most: those near the front, and some around."""
REFIT_GROWTH = 1.25
"""Factor by which the evaluated candidates have grown, where they are more, before parameters are fitted again."""
REFIT_AFTER = 10
"""Candidates that are evaluated between fits where others are pending."""
OPTIMISM = 0.3
"""Standard deviations below its mean at which a prediction is taken: what is not known well is worth a look."""


class LearntErrors:
    """An additive model of the error, and a Gaussian process unless the additive one is to do alone. An error is that
    of bits: genes that choose the hardware have no say in it, and what was evaluated on one piece is known on all."""

    def __init__(self, space: Space, alone: bool, elsewhere: Sequence[KnownErrors] = ()):
        """`elsewhere` are errors of other runs, which say what to expect of a gene before much is known of it here."""
        self.additive = AdditiveError()
        self._space, self._alone = space, alone
        self._upper = space.upper[: len(space.upper) - space.hardware_genes]
        self._elsewhere = [added_by_genes(space, known) for known in elsewhere]
        self._process = ErrorModel.begin()
        self._known: dict[str, float] = {}
        self._fitted_at = 0
        self.believed: Floats = np.zeros(0)
        """Errors in percent (P,) that pending gene vectors are believed to have."""

    def learn(self, trials: Sequence[Trial], pending: Genes) -> bool:
        """Learn from all trials of a search up to now; False where those with an error are too few for it. Of pending
        gene vectors (P, genes) it believes what it predicts of them (the kriging believer: Ginsbourger et al. 2010), so
        that what is near them promises little news."""
        trials = [trial for trial in trials if trial.error is not None]
        if self._space.hardware_genes:  # each candidate once
            self._known = {name_of(trial.bits): trial.error for trial in trials if trial.error is not None}
            trials = list({name_of(trial.bits): trial for trial in trials}.values())
        if len(trials) < 2:
            return False
        genes = self._bits(np.array([trial.genes for trial in trials]))
        errors = np.array([trial.error for trial in trials], float)
        feasible = np.flatnonzero([trial.feasible for trial in trials])
        rows = learnt_subset(genes, feasible, np.array([trial.objectives for trial in trials]), MOST_LEARNT)
        self.median = float(np.median(errors[rows]))
        self.additive.fit(genes[rows], errors[rows], self._upper, self._elsewhere)
        tune = len(trials) <= MOST_LEARNT or len(trials) >= REFIT_GROWTH * self._fitted_at
        if len(pending):  # it is asked more often than after each generation
            tune = tune and len(trials) >= self._fitted_at + REFIT_AFTER
        if tune:
            self._fitted_at = len(trials)
        if not self._alone:
            self._fit_process(genes[rows], errors[rows], tune)
        if len(pending):
            self._believe(pending, genes[rows], errors[rows])
        return True

    def _believe(self, pending: Genes, genes: Genes, errors: Floats) -> None:
        """Learn what is predicted of pending gene vectors (P, genes), beside genes (N, genes) and their errors (N,)."""
        bits = self._bits(pending)
        self.believed = np.exp(self.additive.predict(bits) if self._alone else self._processed(bits)[0])
        if not self._alone:
            self._fit_process(np.concatenate([genes, bits]), np.concatenate([errors, self.believed]), tune=False)

    def _fit_process(self, genes: Genes, errors: Floats, tune: bool) -> None:
        """Have the process learn what errors (N,) are beside what is expected from elsewhere."""
        self._process.fit(genes, errors * np.exp(-self._expected(genes)) if self._elsewhere else errors, tune)

    def _processed(self, genes: Genes) -> tuple[Floats, Floats]:
        """Mean and standard deviation (N,) of the logarithm of the error, of gene vectors (N, genes)."""
        mean, deviation = self._process.predict(genes)
        return mean + self._expected(genes) if self._elsewhere else mean, deviation

    def _expected(self, genes: Genes) -> Floats:
        """(N,) What gene vectors (N, genes) add to the logarithm of the error by what is known elsewhere."""
        sums = np.zeros(len(genes))
        for share, added in zip(self.additive.shares, self._elsewhere, strict=True):
            sums += share * summed(added, genes)
        return sums

    def predict(self, genes: Genes) -> Floats:
        """Errors in percent (N,) that gene vectors (N, genes) may have, with some optimism; those that are known."""
        bits = self._bits(genes)
        if self._alone:
            predicted = np.exp(self.additive.predict(bits))
        else:
            mean, deviation = self._processed(bits)
            predicted = np.exp(mean - OPTIMISM * deviation)
        if self._space.hardware_genes:
            for i, row in enumerate(genes):
                predicted[i] = self._known.get(name_of(self._space.decode(row)), predicted[i])
        return predicted

    def _bits(self, genes: Genes) -> Genes:
        """(N, genes of the bits) What gene vectors (N, genes) choose of bits, once they fit the hardware."""
        if not self._space.hardware_genes:
            return genes
        return np.array([self._space.encode(self._space.decode(row)) for row in genes]).reshape(-1, len(self._upper))
