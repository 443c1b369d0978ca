"""The search's methods and other people's optimisers on equal budgets: hypervolume against evaluations, with seeds.

    python benchmarks/methods.py FOLDER [--model sru] [--every 8] [--generations 15] [--seeds 1 2 3] [--arch bitfusion]
                                 [--methods NAME …] [--errors TABLE.csv] [--latency-budget 0.6] [--digits DIGITS]

Error (worst of four groups of speakers), latency and energy; each axis from 0 to 1: error from the lowest that any
method found to the limit, latency and energy as logarithms from the 2-bit (or narrowest) to the 16-bit candidate. The
volume is that between the front and the corner (1, 1, 1). With --errors, errors come from a table of measured ones
(benchmarks/measured_errors.py). With --latency-budget every method keeps to that share of the latency at 8 bits, where
the axis of latency ends then, and the lowest errors are compared too. With --digits, the folder of the Free Spoken
Digit Dataset, the model is a published network, as `nsnet2`, on eight utterances of them in noise (mohaq[models]). Runs
are kept in the folder, and continued if they were stopped; peers that are not installed (mohaq[peers]) are left out
with a word. Ends with one line of JSON: by method and number of evaluations the mean volume, its standard deviation
over the seeds, and how far the default method is ahead, seed by seed, with the standard error of that.
"""

import argparse
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers import PEERS, installed
from pymoo.indicators.hv import Hypervolume

from quant import load_model
from search import Experiment, Run, run
from search.evaluation.ledger import LEDGER_FILE
from search.methods import METHODS
from search.methods.method import Method

Floats = NDArray[np.float64]
DEFAULT = "surrogate"
UTTERANCES = 8
"""How many a published network is evaluated on."""
BUDGETS = (40, 60, 80, 100, 130, 160, 190, 340, 640)


def points(result: Run) -> Floats:
    """(N, 3) of all candidates in order: error, log latency, log energy; infinite where infeasible."""
    rows = [
        (s.quality.error, np.log(s.cost.latency_ms), np.log(s.cost.energy_uj))
        if s.quality is not None and feasible else (np.inf,) * 3
        for s, feasible in zip(result.visited, result.feasible, strict=True)
    ]  # fmt: skip
    return np.array(rows)


def volumes(values: Floats, low: Floats, high: Floats, at: Sequence[int]) -> list[float]:
    """Hypervolume of the first n candidates, for each n."""
    scaled = (values - low) / (high - low)
    volume = Hypervolume(ref_point=np.ones(3))
    return [float(volume.do(part[np.isfinite(part).all(1)])) for part in (scaled[:n] for n in at)]


def lowest_errors(values: Floats, at: Sequence[int]) -> list[float]:
    """Lowest error in percent of the first n candidates that keep all limits, for each n."""
    return [float(values[:n, 0].min()) for n in at]


def searched(options: argparse.Namespace, makers: dict[str, Callable[[], Method] | None]) -> dict[str, list[Run]]:
    """A run for each seed of each method. None makes a method by its name in the registry."""
    model: Any
    if options.digits:
        from published_networks import loaded_network

        model = loaded_network(options.model, options.digits, options.folder, UTTERANCES)
    else:
        model = load_model(options.model, every=options.every)
    if options.errors:
        from measured_errors import MeasuredErrors

        model = MeasuredErrors(model, options.errors)
    results: dict[str, list[Run]] = {}
    limits: dict[str, Any] = {"error_increase": 8.0}
    if options.latency_budget:
        limits["budget"] = {"latency": options.latency_budget}
    ledger = None
    for seed in options.seeds:
        for method, make in makers.items():
            folder = options.folder / f"{method}-{seed}"
            if ledger is not None and not folder.exists():  # what another run evaluated need not be evaluated again
                folder.mkdir(parents=True)
                shutil.copy(ledger, folder / LEDGER_FILE)
            experiment = Experiment(
                name=f"methods-{method}", model=options.model, every=options.every, arch=options.arch,
                generations=options.generations, seed=seed, seed_neighbours=True,
                method=method if make is None else DEFAULT, constraints=limits,
            )  # fmt: skip
            given = None if make is None else make()
            result = run(experiment, folder, resume=True, model=model, method=given, check=False)
            results.setdefault(method, []).append(result)
            ledger = folder / LEDGER_FILE
            print(f"{method} {seed}: {len(result.front)} on the front", flush=True)
    return results


def axes(results: dict[str, list[Run]], every_point: dict[str, list[Floats]]) -> tuple[Floats, Floats]:
    """The best and the worst value of each axis: (3,) and (3,). A budget of latency ends that axis."""
    first = next(iter(results.values()))[0]
    lowest = min(values[:, 0].min() for of in every_point.values() for values in of)
    ends = first.baselines[min(first.baselines)].cost, first.baselines[16].cost
    low, high = (
        np.array([error, np.log(cost.latency_ms), np.log(cost.energy_uj)])
        for error, cost in zip((lowest, first.error_limit), ends, strict=True)
    )
    for limit in first.budget.limits:
        high[1] = np.log(limit.most)
    return low, high


def compared(found: dict[str, Floats]) -> dict[str, dict[str, list[float]]]:
    """Mean and deviation of volumes (seeds, budgets) by method, and how far the default is ahead of it."""
    table: dict[str, dict[str, list[float]]] = {}
    for method, values in found.items():
        several = len(values) > 1
        table[method] = {
            "mean": values.mean(0).round(4).tolist(),
            "deviation": values.std(0, ddof=1 if several else 0).round(4).tolist(),
        }
        if DEFAULT in found and method != DEFAULT:
            ahead = found[DEFAULT] - values
            table[method]["default_ahead"] = ahead.mean(0).round(4).tolist()
            if several:
                error = ahead.std(0, ddof=1) / len(ahead) ** 0.5
                table[method]["standard_error"] = error.round(4).tolist()
    return table


def show(table: dict[str, dict[str, list[float]]], at: Sequence[int]) -> None:
    """Volumes, and how far the default method is ahead."""
    print(f"{'evaluations':14}" + "".join(f"{n:>15}" for n in at))
    for method, row in table.items():
        cells = zip(row["mean"], row["deviation"], strict=True)
        print(f"{method:14}" + "".join(f"{mean:8.3f} ± {deviation:.3f}"[:15].rjust(15) for mean, deviation in cells))
    print(f"{DEFAULT} ahead of, seed by seed, with the standard error")
    for method, row in table.items():
        if "standard_error" in row:
            cells = zip(row["default_ahead"], row["standard_error"], strict=True)
            print(f"{method:14}" + "".join(f"{mean:+8.3f} ± {error:.3f}"[:15].rjust(15) for mean, error in cells))


def show_errors(errors: dict[str, Floats], at: Sequence[int]) -> None:
    """Lowest errors (seeds, budgets) by method: mean and deviation, in percent."""
    print(f"{'lowest error %':14}" + "".join(f"{n:>15}" for n in at))
    for method, values in errors.items():
        deviations = values.std(0, ddof=1 if len(values) > 1 else 0)
        cells = zip(values.mean(0), deviations, strict=True)
        print(f"{method:14}" + "".join(f"{mean:8.2f} ± {deviation:.2f}"[:15].rjust(15) for mean, deviation in cells))


def saved(curves: dict[str, Floats], budgets: Sequence[int]) -> dict[str, dict[str, int]]:
    """How many evaluations the default needs for the mean volume that a method has after each budget; curves are the
    volumes (seeds, N) after 1 to N evaluations."""
    default = curves[DEFAULT].mean(0)
    return {
        method: {
            str(budget): int(np.argmax(default >= curve.mean(0)[budget - 1])) + 1
            for budget in budgets if default.max() >= curve.mean(0)[budget - 1]
        }
        for method, curve in curves.items() if method != DEFAULT
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="sru")
    parser.add_argument("--arch", default="bitfusion")
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--generations", type=int, default=15)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="SEED")
    parser.add_argument("--methods", nargs="+", default=[*METHODS.names(), *PEERS], metavar="NAME")
    parser.add_argument("--errors", type=Path, metavar="TABLE.csv")
    parser.add_argument("--digits", type=Path, metavar="DIGITS")
    parser.add_argument("--latency-budget", type=float, metavar="SHARE")
    options = parser.parse_args()
    peers = installed()
    for name in options.methods:
        if name in PEERS and name not in peers:
            print(f"{name}: left out: its package is not installed (mohaq[peers])")
    makers = {name: peers.get(name) for name in options.methods if name in peers or name not in PEERS}
    results = searched(options, makers)
    every_point = {method: [points(result) for result in of] for method, of in results.items()}
    low, high = axes(results, every_point)
    total = 40 + 10 * options.generations
    at = [n for n in BUDGETS if n <= total]
    curves = {
        method: np.array([volumes(values, low, high, range(1, total + 1)) for values in of])
        for method, of in every_point.items()
    }
    table = compared({method: curve[:, [n - 1 for n in at]] for method, curve in curves.items()})
    show(table, at)
    errors = {method: np.array([lowest_errors(values, at) for values in of]) for method, of in every_point.items()}
    if options.latency_budget:
        show_errors(errors, at)
    needed = saved(curves, at) if DEFAULT in curves else {}
    print(f"evaluations that {DEFAULT} needs for the volume of: {needed}")
    lowest = {method: values.mean(0).round(3).tolist() for method, values in errors.items()}
    print(json.dumps({"evaluations": at, "methods": table, "needed": needed, "lowest_errors": lowest}))


if __name__ == "__main__":
    main()
