"""Evaluations that errors of another run save, and what errors that mislead cost: stand-ins on Bit Fusion, by the
default method.

    python benchmarks/transfer.py [SEEDS [GENERATIONS]]

Errors of a stand-in with the layers of MOHAQ's SRU add up over its sites, but for a part that does not, each site with
a sensitivity of its own. Another run evaluated 60 random candidates of a model whose sensitivities are these times
factors that are log-normal (0.3), and whose errors are all half as high again. What misleads is a model in which the
sites that suffer least here suffer most. Figures are hypervolumes of error, log latency and log energy after so many
evaluations, means over seeds and paired differences to a search that learns from none, with their standard errors.
Ends with one line of JSON.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pymoo.indicators.hv import Hypervolume

from quant.sites.candidate import Bits, name_of
from search import Experiment, Run, run
from search.methods.method import KnownErrors
from search.methods.surrogate import Surrogate
from simulators import Elementwise, Trace, load_trace

POPULATION, OFFSPRING = 40, 10
BUDGETS = (24, 34, 44, 54)
Floats = NDArray[np.float64]


class Site(NamedTuple):
    name: str


class Rate(NamedTuple):
    error: float
    error_max: float


class Sensitive:
    """A model of so sensitive sites: (sites, 2) what 2 bits of weights and of activations add to the logarithm of the
    error."""

    data_digest = "none"

    def __init__(self, trace: Trace, sensitivities: Floats, lowest: float, digest: str):
        self._trace, self._sensitivities, self._lowest, self.digest = trace, sensitivities, lowest, digest
        self.sites = [Site(layer.name) for layer in trace.layers if not isinstance(layer, Elementwise)]

    def error(self, bits: Bits) -> float:
        """In percent; the candidate's own deviation is of 1 %."""
        noise = 4.0 ** (2 - np.log2(np.array(list(bits.values()), float))) / 4.0
        each = self._sensitivities * noise
        own = np.random.default_rng([*name_of(bits).encode()]).normal()
        return float(self._lowest * np.exp(each.sum() + 0.2 * (each.max(axis=1) ** 2).sum() + 0.01 * own))

    def evaluate_population(self, candidates: list[Bits]) -> list[Rate]:
        return [Rate(error, error) for error in map(self.error, candidates)]

    def trace(self, bits: Mapping[str, Any], steps: int) -> Trace:
        pairs = np.array([[bits[site.name] for site in self.sites]])
        widths = [w[0].tolist() for w in self._trace.widths(pairs)]
        layers = [
            layer.but(weight_bits=w, activation_bits=a, output_bits=o)
            for layer, w, a, o in zip(self._trace.layers, *widths, strict=True)
        ]
        return Trace.model_construct(name="stand-in", steps=self._trace.steps, layers=tuple(layers))


def known_errors(model: Sensitive, generator: np.random.Generator) -> KnownErrors:
    """Errors of 60 random candidates."""
    widths = generator.choice([2, 4, 8, 16], (60, len(model.sites), 2)).tolist()
    names = [site.name for site in model.sites]
    candidates = [dict(zip(names, map(tuple, row), strict=True)) for row in widths]
    return KnownErrors(candidates, np.array([model.error(bits) for bits in candidates]))


def volumes(result: Run, low: Floats, high: Floats) -> Floats:
    """Hypervolume after each of BUDGETS."""
    values = np.array([
        [s.quality.error, np.log(s.cost.latency_ms), np.log(s.cost.energy_uj)] for s in result.visited if s.quality
    ])  # fmt: skip
    scaled = (values - low) / (high - low)
    volume = Hypervolume(ref_point=np.ones(3))
    return np.array([volume.do(scaled[:budget]) for budget in BUDGETS], float)


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    generations = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    trace = load_trace("mohaq-sru-8bit")
    found: dict[str, list[Floats]] = {"none": [], "similar": [], "misleading": []}
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        count = sum(not isinstance(layer, Elementwise) for layer in trace.layers)
        true = np.exp(generator.normal(-1.5, 1.0, (count, 2)))
        here = Sensitive(trace, true, 15.0, "here")
        similar = Sensitive(trace, true * np.exp(generator.normal(0, 0.3, true.shape)), 22.5, "similar")
        turned = np.empty(true.size)
        turned[np.argsort(true.ravel())] = np.sort(true.ravel())[::-1]
        misleading = Sensitive(trace, turned.reshape(true.shape), 22.5, "misleading")
        known = {"none": [], "similar": [known_errors(similar, generator)],
                 "misleading": [known_errors(misleading, generator)]}  # fmt: skip
        for name, elsewhere in known.items():
            method = Surrogate()
            method.learn_from(elsewhere)
            settings = {"name": "benchmark", "model": "none", "population": POPULATION, "offspring": OFFSPRING,
                        "generations": generations, "seed": seed}  # fmt: skip
            with tempfile.TemporaryDirectory() as folder:
                result = run(Experiment.model_validate(settings), Path(folder) / "run", model=here, method=method)
            costs = np.array([[s.cost.latency_ms, s.cost.energy_uj] for s in result.baselines.values()])
            low = np.array([15.0, *np.log(costs.min(axis=0))])
            high = np.array([23.0, *np.log(costs.max(axis=0))])
            found[name].append(volumes(result, low, high))
        print(seed, {name: of[-1].round(3).tolist() for name, of in found.items()}, flush=True)
    figures: dict[str, float] = {}
    for name, of in found.items():
        for i, budget in enumerate(BUDGETS):
            values = np.array(of)[:, i]
            gained = values - np.array(found["none"])[:, i]
            figures[f"{name}_{budget}"] = float(values.mean())
            if name != "none":
                figures[f"{name}_{budget}_gained"] = float(gained.mean())
                figures[f"{name}_{budget}_error"] = float(gained.std(ddof=1) / np.sqrt(len(gained)))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
