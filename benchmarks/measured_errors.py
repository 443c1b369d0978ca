"""A model whose errors follow from a table of measured ones: methods are compared in minutes instead of days.

    python benchmarks/measured_errors.py FOLDER > TABLE.csv

writes the table of a run's ledger (of one model and one part of its data): a row a candidate, a column a site, and the
error in percent. The stand-in predicts
the logarithm of the error by two models of the table, an additive one that falls with every bit (0.6) and a Gaussian
process (0.4), and adds a deviation that is the candidate's own: what is near in bits is near in error, but not equal.
"""

import csv
import hashlib
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from quant.sites.candidate import Bits, name_of
from search.evaluation.ledger import LEDGER_FILE
from simulators import Trace

TABLES = Path(__file__).parent / "data"
ADDITIVE_SHARE = 0.6
DEVIATION = 0.012
"""Standard deviation of the logarithm of an error from what the two models say: 1.2 % of the error."""
WIDEST = 4
"""Logarithm to base 2 of 16 bits."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predicted:
    """An error in percent, as a model of the search has it."""

    error_max: float

    @property
    def error(self) -> float:
        return self.error_max


class MeasuredErrors:
    """A model that traces as `real` does, and errs as a table says."""

    def __init__(self, real: Any, table: Path):
        self._real = real
        self.sites = real.sites
        self.digest = real.digest
        rows = list(csv.DictReader(table.open()))
        names = [site.name for site in self.sites]
        self.data_digest = hashlib.sha256(table.read_bytes()).hexdigest()[:16]
        bits = np.array([[row[name].split("x") for name in names] for row in rows], np.float64)
        widths = np.log2(bits.reshape(len(rows), -1))
        errors = np.log([float(row["error"]) for row in rows])
        self._least = float(errors.min())
        self._steps: Floats = nnls(_with_one(widths), errors - self._least + 0.1)[0]
        kernel = ConstantKernel(1.0) * Matern(2.0 * np.ones(widths.shape[1]), nu=2.5) + WhiteKernel(1e-3)
        self._process = GaussianProcessRegressor(kernel, normalize_y=True).fit(widths, errors)

    def evaluate_population(self, candidates: Sequence[Bits]) -> list[Predicted]:
        """The error of each candidate; the same for the same bits always."""
        widths = np.log2([[bits for pair in candidate.values() for bits in pair] for candidate in candidates])
        additive = _with_one(widths) @ self._steps + self._least - 0.1
        predicted = ADDITIVE_SHARE * additive + (1 - ADDITIVE_SHARE) * self._process.predict(widths)
        own = [_deviation(name_of(candidate)) for candidate in candidates]
        return [Predicted(float(error)) for error in np.exp(predicted + DEVIATION * np.array(own))]

    def trace(self, bits: Bits, steps: int) -> Trace:
        """The real model's layers."""
        trace: Trace = self._real.trace(bits, steps)
        return trace

    def parts(self, bits: Bits) -> Any:
        """What evaluations of the real model share."""
        return self._real.parts(bits)


def _with_one(widths: Floats) -> Floats:
    """(N, 1 + sites x 2 x 3) A constant, and for each width (N, sites x 2) in bits as logarithms, which of the steps
    from 16 bits down to 2 it takes."""
    steps = (WIDEST - widths)[:, :, None] >= np.arange(1, WIDEST)
    return np.hstack([np.ones((len(widths), 1)), steps.reshape(len(widths), -1)])


def _deviation(name: str) -> float:
    """A standard normal number that is a candidate's own."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)
    return float(np.random.default_rng(seed).standard_normal())


def main() -> None:
    (folder,) = sys.argv[1:]
    with sqlite3.connect(f"file:{Path(folder) / LEDGER_FILE}?mode=ro", uri=True) as ledger:
        found = ledger.execute("select candidate, json_extract(result, '$.error') from errors order by candidate")
        rows = dict(found.fetchall())
    sites = [part.partition("=")[0] for part in next(iter(rows)).split(",")]
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow([*sites, "error"])
    for name, error in rows.items():
        out.writerow([*(part.partition("=")[2] for part in name.split(",")), f"{error:.4f}"])


if __name__ == "__main__":
    main()
