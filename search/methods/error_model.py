"""A model of the error, learnt from candidates that were evaluated: a Gaussian process over gene vectors.

Its kernel has a term that adds over genes, for a layer's quantization noise adds to that of the others, and one that
multiplies, for what does not; both are Gaussian in the index of a gene's width (Duvenaud et al. 2011, additive Gaussian
processes; Rasmussen and Williams 2006, algorithm 2.1 and equation 2.30). What is learnt is the logarithm of the error.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from search.objectives import Floats
from search.space.genome import Genes

LEAST_ERROR = 0.01
"""Percent; an easy task may have errors of 0, which have no logarithm."""
_START = np.log([1.0, 0.3, 1.0, 2.0, 0.01])
_BOUNDS = [(np.log(a), np.log(b)) for a, b in ((0.01, 100), (0.001, 100), (0.3, 10), (0.5, 20), (1e-4, 1))]


@dataclass
class ErrorModel:
    """A Gaussian process of log errors over gene vectors."""

    parameters: Floats
    """(5,) As logarithms, of normalised values: variances of the additive and the multiplying kernel, their length
    scales in indices, and the noise's variance."""

    @classmethod
    def begin(cls) -> "ErrorModel":
        """A model with parameters to start from, which has learnt nothing."""
        return cls(_START.copy())

    def fit(self, x: Genes, error: Floats, tune: bool) -> None:
        """Learn from gene vectors (N, genes) and errors (N,) in percent; `tune` the kernel by maximum likelihood."""
        y = np.log(np.maximum(error, LEAST_ERROR))
        self._mean, self._scale = float(y.mean()), float(y.std()) or 1.0
        self._x, self._y = x, (y - self._mean) / self._scale
        distances = Distances.between(x, x)
        if tune:
            self.parameters = minimize(
                negative_log_likelihood, self.parameters, (distances, self._y), method="L-BFGS-B", jac=True,
                bounds=_BOUNDS, options={"maxiter": 15},
            ).x  # fmt: skip
        kernel = distances.covariance(self.parameters) + np.exp(self.parameters[4]) * np.eye(len(x))
        self._lower = cholesky(kernel, lower=True)
        self._weights = cho_solve((self._lower, True), self._y)

    def predict(self, x: Genes) -> tuple[Floats, Floats]:
        """Mean and standard deviation (N,) of the logarithm of the error in percent, of gene vectors (N, genes)."""
        cross = Distances.between(x, self._x).covariance(self.parameters)
        v = solve_triangular(self._lower, cross.T, lower=True)
        variance = np.exp(self.parameters[0]) + np.exp(self.parameters[1]) - (v**2).sum(0)
        return cross @ self._weights * self._scale + self._mean, np.sqrt(np.maximum(variance, 0.0)) * self._scale


@dataclass(frozen=True)
class Distances:
    """How far gene vectors lie apart, as far as the kernel asks: genes are small whole numbers."""

    shares: Floats
    """(D, N, M) The share of genes that differ by 0, 1, … D - 1."""
    squared: Floats
    """(N, M) Squared differences, summed over genes."""

    @classmethod
    def between(cls, a: Genes, b: Genes) -> "Distances":
        """Distances of gene vectors (N, genes) and (M, genes)."""
        most = int(max(a.max(initial=0), b.max(initial=0)))
        counts = np.zeros((most + 1, len(a), len(b)))
        for of_a, of_b in zip(a.T, b.T, strict=True):
            apart = np.abs(of_a[:, None] - of_b)
            for difference in range(most + 1):
                counts[difference] += apart == difference
        squared = np.tensordot(np.arange(most + 1.0) ** 2, counts, 1)
        return cls(counts / max(1, a.shape[1]), squared)

    def covariance(self, parameters: Floats) -> Floats:
        """(N, M) Covariances."""
        adding, multiplying = self.covariances(parameters)
        return adding + multiplying

    def covariances(self, parameters: Floats) -> tuple[Floats, Floats]:
        """(N, M) Covariances of the adding and of the multiplying kernel."""
        adding, multiplying, short, long = np.exp(parameters[:4])
        of_genes = np.exp(np.arange(len(self.shares)) ** 2 / (-2.0 * short**2))
        return adding * np.tensordot(of_genes, self.shares, 1), multiplying * np.exp(self.squared / (-2.0 * long**2))

    def derivatives(self, parameters: Floats) -> list[Floats]:
        """(N, M) Each, derivatives of the covariance by the logarithms of its variances and length scales."""
        adding, multiplying = self.covariances(parameters)
        short, long = np.exp(parameters[2:4])
        squares = np.arange(len(self.shares)) ** 2 / short**2
        by_short = np.exp(parameters[0]) * np.tensordot(np.exp(-squares / 2) * squares, self.shares, 1)
        return [adding, multiplying, by_short, multiplying * self.squared / long**2]


def negative_log_likelihood(parameters: Floats, distances: Distances, y: Floats) -> tuple[float, Floats]:
    """The negative logarithm of the likelihood of normalised values (N,), up to a constant, and its gradient (5,) by
    the kernel's parameters (Rasmussen and Williams 2006, equations 2.30 and 5.9)."""
    noise = np.exp(parameters[4])
    lower = cholesky(distances.covariance(parameters) + noise * np.eye(len(y)), lower=True)
    weights = cho_solve((lower, True), y)
    loss = 0.5 * y @ weights + np.log(np.diag(lower)).sum()
    inner = cho_solve((lower, True), np.eye(len(y))) - np.outer(weights, weights)
    gradient = [0.5 * float((inner * of).sum()) for of in distances.derivatives(parameters)]
    return float(loss), np.array([*gradient, 0.5 * noise * float(np.trace(inner))])
