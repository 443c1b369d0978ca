"""An error that adds up over genes: the noise of a site's quantization adds to that of the others, nearly."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import nnls

from search.methods.error_model import LEAST_ERROR
from search.methods.site_genes import SiteGenes
from search.objectives import Floats
from search.space.genome import Genes

PULL = 0.3
"""Weight of what a step costs on average over all genes, against that of one evaluated candidate, in what it costs for
one gene."""


class AdditiveError:
    """The logarithm of the error as a sum over genes, each of whose steps to the narrower adds what is learnt, or
    nothing: non-negative least squares (Lawson and Hanson 1974, chapter 23)."""

    widest: float
    """Logarithm of the error in percent of the widest candidate."""
    added: list[Floats]
    """What each value of a gene adds, gene by gene (values,)."""
    shares: Floats
    """(K,) How much of what each value of a gene adds elsewhere it is taken to add here."""

    def fit(self, genes: Genes, error: Floats, upper: Genes, elsewhere: Sequence[Sequence[Floats]] = ()) -> None:
        """Learn from gene vectors (N, genes) up to `upper` (genes,), and errors (N,) in percent. A step of a gene that
        few candidates tell of is drawn to what it costs for all genes on average, and to that share of what it adds
        `elsewhere`, K times gene by gene (values,), which explains the errors here best: none, if it misleads."""
        y = np.log(np.maximum(error, LEAST_ERROR))
        least = y.min() - 1.0  # below all errors: the sum's beginning is not negative either
        steps = np.arange(1, int(upper.max(initial=0)) + 1)
        taken = (upper - genes)[:, :, None] >= steps  # (N, genes, steps)
        begin = np.ones((len(y), 1))
        sums = [summed(added, genes)[:, None] for added in elsewhere]
        explained = nnls(np.hstack([begin, taken.sum(axis=1), *sums]), y - least)[0][1:]
        average, self.shares = explained[: len(steps)], explained[len(steps) :]
        expected = np.tile(average, (len(upper), 1))
        for share, added in zip(self.shares, elsewhere, strict=True):
            for gene, values in enumerate(added):
                expected[gene, : len(values) - 1] += share * -np.diff(values)[::-1]
        one_by_one = taken.reshape(len(y), -1).astype(np.float64)
        pulled = np.sqrt(PULL) * np.eye(one_by_one.shape[1])
        rows = np.vstack([np.hstack([begin, one_by_one]), np.hstack([np.zeros((len(pulled), 1)), pulled])])
        found = nnls(rows, np.concatenate([y - least, pulled @ expected.ravel()]))[0]
        self.widest = float(found[0] + least)
        of_steps = found[1:].reshape(len(upper), len(steps))
        self.added = [
            np.concatenate([[0.0], costs[:most].cumsum()])[::-1]
            for costs, most in zip(of_steps, upper.tolist(), strict=True)
        ]

    def predict(self, genes: Genes) -> Floats:
        """The logarithm of the error in percent (N,) of gene vectors (N, genes)."""
        predicted = np.full(len(genes), self.widest)
        for gene, added in enumerate(self.added):
            predicted += added[genes[:, gene]]
        return predicted

    def of(self, site: SiteGenes) -> Floats:
        """(options,) What each option of a site adds."""
        added: Floats = sum(self.added[at][site.options[:, i]] for i, at in enumerate(site.positions.tolist()))
        return added


def summed(added: Sequence[Floats], genes: Genes) -> Floats:
    """(N,) The sums of what the values of gene vectors (N, genes) add, gene by gene (values,)."""
    sums = np.zeros(len(genes))
    for gene, values in enumerate(added):
        sums += values[genes[:, gene]]
    return sums
