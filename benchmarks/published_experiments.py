"""MOHAQ's experiments with the paper's objectives and with simulated ones: its claims, with error bars over seeds.

    python benchmarks/published_experiments.py FOLDER [--every 4] [--generations N] [--seeds 1 2 3] [--only NAME …]
        [--plot FILE]

Runs are kept in the folder, and continued if they were stopped. Those with beacons retrain: minutes a beacon. The plot
is of experiment 3: the lowest error at equal speedup, with beacons and without. Ends with one line of JSON: mean and
standard deviation of each figure by experiment.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from quant import load_model
from search import Experiment, Run, run
from search.evaluation.beacon_files import BEACON_FOLDER
from search.evaluation.ledger import LEDGER_FILE
from search.evaluation.quality import BASELINE_BITS
from search.runs.checked_front import front_cells
from search.runs.mohaq_claims import claims_of

EXPERIMENTS = ["mohaq-1-memory", "mohaq-2-silago", "mohaq-2-silago-simulated", "mohaq-3-bitfusion",
               "mohaq-3-bitfusion-simulated", "mohaq-3-bitfusion-beacons",
               "mohaq-3-bitfusion-beacons-simulated"]  # fmt: skip

HELD_OUT = (20, 30, 40)
"""Speedups at which solutions are held against what they were not chosen by."""
SPEEDUPS = np.arange(10.0, 50.5, 0.5)


def lowest_increases(result: Run) -> np.ndarray:
    """Over the error of 16 bits, in percentage points, by least closed-form speedup; NaN where nothing is so fast."""
    limit = result.error_limit or float("inf")
    found = [
        (s.cost.mohaq_speedup or 0.0, s.quality.error)
        for s in (*result.visited, *result.baselines.values())
        if s.quality is not None and s.quality.error <= limit
    ]
    base = result.baselines[BASELINE_BITS].quality
    assert base is not None
    return np.array([min((e for x, e in found if x >= least), default=np.nan) - base.error for least in SPEEDUPS])


def held_out_increases(result: Run) -> dict[str, float]:
    """Increases over 16 bits on all of dev and on test, in percentage points, of the solution of a front that errs
    least at each speedup."""
    front, baselines = front_cells(result)
    base = baselines[list(result.baselines).index(BASELINE_BITS)]
    found = {}
    for least in HELD_OUT:
        fast = [
            (solution.quality.error, row["error_dev"] - base["error_dev"], row["error_test"] - base["error_test"])
            for solution, row in zip(result.front, front, strict=True)
            if solution.quality and (solution.cost.mohaq_speedup or 0.0) >= least
        ]
        if fast:
            _, found[f"increase_on_dev_at_{least}"], found[f"increase_on_test_at_{least}"] = min(fast)
    return found


def cost_of(result: Run) -> float:
    """What a search costs in evaluations of a candidate, retrainings (`search.evaluation.retraining_cost`) included."""
    cost = result.retraining
    return len(result.visited) + (0.0 if cost is None else cost.again + (cost.evaluations or 0.0))


def draw(curves: dict[str, list[np.ndarray]], path: Path) -> None:
    """Mean over seeds of what reaches a speedup in all of them, and the range; a panel for each way to search."""
    panels: dict[str, list[str]] = {}
    for name in curves:
        searched = "simulated latency" if name.endswith("simulated") else "closed-form speedup"
        panels.setdefault(searched, []).append(name)
    figure = Figure(figsize=(1.5 + 4.5 * len(panels), 4.0), layout="constrained")
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (searched, names) in zip(every, panels.items(), strict=True):
        for name in names:
            values = np.array(curves[name])
            colour, text = ("#d55e00", "with beacons") if "beacons" in name else ("#0072b2", "inference-only")
            axes.plot(SPEEDUPS, values.mean(0), color=colour, label=text, drawstyle="steps-pre")
            axes.fill_between(SPEEDUPS, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0, step="pre")
        axes.set(xlabel="speedup by MOHAQ's closed form, at least", title=f"searched by {searched}")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="upper left")
    every[0].set_ylabel("lowest error over 16 bits (points)")
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--generations", type=int, default=None, help="instead of the paper's 60 or 15")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="SEED")
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=EXPERIMENTS, metavar="NAME")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    if options.plot and not any("bitfusion" in name for name in options.only):
        parser.error("--plot: it is of experiment 3, which --only leaves out")
    model = load_model("sru", every=options.every)
    figures: dict[str, dict[str, list[float]]] = {}
    curves: dict[str, list[np.ndarray]] = {}
    before: Path | None = None
    for seed in options.seeds:
        for name in options.only:
            changes = {"seed": seed, "every": options.every}
            if options.generations is not None:
                changes["generations"] = options.generations
            folder = options.folder / f"{name}-{seed}"
            if before is not None and not folder.exists():  # what another run computed need not be computed again
                folder.mkdir(parents=True)
                shutil.copy(before / LEDGER_FILE, folder)
                if (before / BEACON_FOLDER).is_dir():
                    shutil.copytree(before / BEACON_FOLDER, folder / BEACON_FOLDER)
            result = run(Experiment.load(name, changes), folder, resume=True, model=model)
            before = folder
            if "bitfusion" in name:
                curves.setdefault(name, []).append(lowest_increases(result))
            figures.setdefault(name, {}).setdefault("cost_in_evaluations", []).append(cost_of(result))
            held_out = held_out_increases(result) if "bitfusion" in name else {}
            for figure, value in held_out.items():
                figures[name].setdefault(figure, []).append(value)
            for claim in claims_of(result):
                print(f"{name} {seed}: {claim.claim}: {claim.measured}", flush=True)
                for figure, value in claim.figures.items():
                    key = f"{figure} ({claim.claim.rpartition(', ')[2]})" if "share" in claim.claim else figure
                    figures.setdefault(name, {}).setdefault(key, []).append(value)
    if options.plot:
        draw(curves, options.plot)
    table: dict[str, dict[str, list[float]]] = {}
    for name, of in figures.items():
        print(name)
        for figure, values in of.items():
            deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            table.setdefault(name, {})[figure] = [round(float(np.mean(values)), 4), round(deviation, 4), len(values)]
            print(f"  {figure:40}{np.mean(values):9.3f} ± {deviation:.3f} ({len(values)} seeds)")
    print(json.dumps(table))


if __name__ == "__main__":
    main()
