"""The search's methods on equal budgets: hypervolume against evaluations, with seeds.

    python benchmarks/methods.py FOLDER [--model sru] [--every 4] [--generations 15] [--seeds 1 2 3] [--arch bitfusion]

Error (worst of four groups of speakers), latency and energy; each axis from 0 to 1: error from the lowest that any
method found to the limit, latency and energy as logarithms from the 2-bit (or narrowest) to the 16-bit candidate. The
volume is that between the front and the corner (1, 1, 1). Runs are kept in the folder, and continued if they were
stopped. Ends with one line of JSON: the mean volume and its standard deviation over the seeds, by method and number of
evaluations.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from pymoo.indicators.hv import Hypervolume

from quant import load_model
from search import Experiment, Run, run
from search.evaluation.ledger import LEDGER_FILE
from search.methods import METHODS

VARIANTS: dict[str, dict[str, Any]] = {
    method: {"method": method, "seed_neighbours": False} for method in METHODS.names()
}
VARIANTS |= {f"{method}+neighbours": {"method": method, "seed_neighbours": True} for method in ("nsga2", "surrogate")}


def points(result: Run) -> np.ndarray:
    """(N, 3) of all candidates in order: error, log latency, log energy; infinite where infeasible."""
    limit = result.error_limit or np.inf
    rows = []
    for s in result.visited:
        feasible = s.quality is not None and s.quality.error <= limit
        figures = (s.quality.error if s.quality else 0.0, np.log(s.cost.latency_ms), np.log(s.cost.energy_uj))
        rows.append(figures if feasible else (np.inf,) * 3)
    return np.array(rows)


def volumes(values: np.ndarray, low: np.ndarray, high: np.ndarray, at: list[int]) -> list[float]:
    """Hypervolume of the first n candidates, for each n."""
    scaled = (values - low) / (high - low)
    volume = Hypervolume(ref_point=np.ones(3))
    return [float(volume.do(part[np.isfinite(part).all(1)])) for part in (scaled[:n] for n in at)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="sru")
    parser.add_argument("--arch", default="bitfusion")
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--generations", type=int, default=15)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="SEED")
    options = parser.parse_args()
    model = load_model(options.model, every=options.every)
    results: dict[str, list[Run]] = {}
    ledger = None
    for seed in options.seeds:
        for method, settings in VARIANTS.items():
            folder = options.folder / f"{method}-{seed}"
            if ledger is not None and not folder.exists():  # what another run evaluated need not be evaluated again
                folder.mkdir(parents=True)
                shutil.copy(ledger, folder / LEDGER_FILE)
            experiment = Experiment(
                name=f"methods-{method}", model=options.model, every=options.every, arch=options.arch,
                generations=options.generations, seed=seed, **settings,
            )  # fmt: skip
            results.setdefault(method, []).append(run(experiment, folder, resume=True, model=model, check=False))
            ledger = folder / LEDGER_FILE
            print(f"{method} {seed}: {len(results[method][-1].front)} on the front", flush=True)
    first = results["nsga2"][0]
    every_point = {method: [points(result) for result in of] for method, of in results.items()}
    lowest = min(values[:, 0].min() for of in every_point.values() for values in of)
    ends = first.baselines[min(first.baselines)].cost, first.baselines[16].cost
    low, high = (
        np.array([error, np.log(cost.latency_ms), np.log(cost.energy_uj)])
        for error, cost in zip((lowest, first.error_limit), ends, strict=True)
    )
    at = [n for n in (40, 60, 80, 100, 130, 160, 190, 340, 640) if n <= 40 + 10 * options.generations]
    homogeneous = np.array([
        [s.quality.error, np.log(s.cost.latency_ms), np.log(s.cost.energy_uj)]
        for s in first.baselines.values() if s.quality is not None and s.quality.error <= (first.error_limit or np.inf)
    ])  # fmt: skip
    table: dict[str, dict[str, list[float]]] = {}
    print(f"{'evaluations':22}" + "".join(f"{n:>16}" for n in at))
    for method, of in every_point.items():
        found = np.array([volumes(values, low, high, at) for values in of])
        mean, deviation = found.mean(0), found.std(0, ddof=1 if len(found) > 1 else 0)
        print(f"{method:22}" + "".join(f"{m:9.3f} ± {d:.3f}" for m, d in zip(mean, deviation, strict=True)))
        table[method] = {"mean": mean.round(4).tolist(), "deviation": deviation.round(4).tolist()}
    alone = volumes(homogeneous, low, high, [len(homogeneous)])[0]
    print(f"{'homogeneous':22}{alone:9.3f} ({len(homogeneous)} candidates)")
    print(json.dumps({"evaluations": at, "homogeneous": alone, "methods": table}))


if __name__ == "__main__":
    main()
