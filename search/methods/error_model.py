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

    def fit(self, x: Floats, error: Floats, tune: bool) -> None:
        """Learn from gene vectors (N, genes) and errors (N,) in percent; `tune` the kernel by maximum likelihood."""
        y = np.log(np.maximum(error, LEAST_ERROR))
        self._mean, self._scale = float(y.mean()), float(y.std()) or 1.0
        self._x, self._y = x, (y - self._mean) / self._scale
        squares = _squares(x, x)
        if tune:
            self._squares = squares
            self.parameters = minimize(
                self._loss, self.parameters, method="L-BFGS-B", bounds=_BOUNDS, options={"maxiter": 15}
            ).x
        kernel = _kernel(squares, self.parameters) + np.exp(self.parameters[4]) * np.eye(len(x))
        self._lower = cholesky(kernel, lower=True)
        self._weights = cho_solve((self._lower, True), self._y)

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation (N,) of the logarithm of the error in percent, of gene vectors (N, genes)."""
        cross = _kernel(_squares(x, self._x), self.parameters)
        v = solve_triangular(self._lower, cross.T, lower=True)
        variance = np.exp(self.parameters[0]) + np.exp(self.parameters[1]) - (v**2).sum(0)
        return cross @ self._weights * self._scale + self._mean, np.sqrt(np.maximum(variance, 0.0)) * self._scale

    def _loss(self, parameters: Floats) -> float:
        """Negative logarithm of the likelihood of what is learnt from, up to a constant."""
        kernel = _kernel(self._squares, parameters) + np.exp(parameters[4]) * np.eye(len(self._y))
        lower = cholesky(kernel, lower=True)
        return float(0.5 * self._y @ cho_solve((lower, True), self._y) + np.log(np.diag(lower)).sum())


def _squares(a: Floats, b: Floats) -> Floats:
    """(genes, N, M) Squared differences of gene vectors (N, genes) and (M, genes)."""
    squares: Floats = (a.T[:, :, None] - b.T[:, None, :]) ** 2
    return squares


def _kernel(squares: Floats, parameters: Floats) -> Floats:
    """(N, M) Covariances, from squared differences (genes, N, M)."""
    additive, multiplying, short, long = np.exp(parameters[:4])
    covariance: Floats = additive * np.exp(squares / (-2.0 * short**2)).mean(0) + multiplying * np.exp(
        squares.sum(0) / (-2.0 * long**2)
    )
    return covariance
