"""Bits, thresholds, and both, of the shipped GRU on EdgeDRNN and Bit Fusion: six searches, their fronts and a picture.

    python benchmarks/delta_fronts.py FOLDER [--only EdgeDRNN …] [--every N] [--generations N] [--errors 20 21 …]
        [--plot FILE]

Runs are kept in the folder and continued if they were stopped: on one core five minutes each on EdgeDRNN, and half an
hour each on Bit Fusion, where every utterance is lowered step by step. The tables have, for each
error that is allowed, the least latency and the least energy of DRAM of each front's solutions; they need not be of one
solution. Ends with one line of JSON: both figures by platform, search and error.
"""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search import Experiment, run
from search.runs.plot_axes import cost_axis, plain_style, png_of
from search.runs.run_reader import load_run

SEARCHES = {"bits alone": "delta-gru-bits", "thresholds alone": "delta-gru-thresholds", "both": "delta-gru"}
LOOKS = {"bits alone": ("#0072b2", "s"), "thresholds alone": ("#e69f00", "^"), "both": ("#d55e00", "o")}
PLATFORMS = {"EdgeDRNN": {}, "Bit Fusion": {"arch": "bitfusion", "set": ["skips_inactive_inputs=true"]}}
COLUMNS = ("error", "latency_ms", "dram_energy_uj")
SEARCH_TABLE = "pareto.csv"
COSTS = ("ms", "µJ of DRAM")
Rows = np.ndarray
"""(S, 3): error in percent, milliseconds and microjoules of DRAM of a front's solutions, by error."""


def rows_of(experiment: Experiment, folder: Path) -> Rows:
    """A front's solutions, searched for where a folder has no finished run of the experiment."""
    table = folder / SEARCH_TABLE
    if not table.is_file() or load_run(folder).experiment != experiment.model_dump(mode="json"):
        run(experiment, folder, resume=True)
    with table.open() as file:
        rows = [[float(row[column]) for column in COLUMNS] for row in csv.DictReader(file)]
    return np.array(sorted(rows), float).reshape(-1, 3)


def least(rows: Rows, error: float) -> tuple[float, float]:
    """The least of both costs within an error; NaN where nothing errs so little."""
    within = rows[rows[:, 0] <= error, 1:]
    return (float("nan"), float("nan")) if not len(within) else (float(within[:, 0].min()), float(within[:, 1].min()))


def staircase(rows: Rows, cost: int) -> Rows:
    """(K, 2) The solutions that no other beats in error and this cost: cost and error, by error."""
    kept: list[tuple[float, float]] = []
    for row in rows:
        if not kept or row[cost] < kept[-1][0]:
            kept.append((row[cost], row[0]))
    return np.array(kept)


def draw(fronts: dict[str, dict[str, Rows]], path: Path) -> None:
    """Error against both costs: a row for each platform."""
    with plain_style():
        figure = Figure(figsize=(9.0, 0.4 + 3.3 * len(fronts)), layout="constrained")
        grid = figure.subplots(len(fronts), len(COSTS), sharey=True, squeeze=False)
        for axes, (platform, of) in zip(grid, fronts.items(), strict=True):
            for cost, (axis, label) in enumerate(zip(axes, ("latency", "energy of DRAM"), strict=True), 1):
                panel(axis, of, cost, f"{label}, mean of an utterance ({'ms' if cost == 1 else 'µJ'})")
                axis.set_title(platform)
            axes[0].set_ylabel("phone error rate, worst of 4 groups (%)")
        grid[0, 0].legend(frameon=False)
        path.write_bytes(png_of(figure))


def panel(axis: Axes, of: dict[str, Rows], cost: int, label: str) -> None:
    """The fronts of one platform against one cost."""
    for name, rows in of.items():
        colour, marker = LOOKS[name]
        x, y = staircase(rows, cost).T
        axis.step(x, y, where="pre", color=colour, linewidth=1.0, alpha=0.6)
        axis.plot(x, y, marker, color=colour, markersize=4, label=name)
    cost_axis(axis, label, np.concatenate([rows[:, cost] for rows in of.values()]))


def table(of: dict[str, Rows], errors: Sequence[float]) -> str:
    """Markdown."""
    lines = [f"| error at most | {' | '.join(of)} |", "|---" * (1 + len(of)) + "|"]
    for error in errors:
        cells = [least(rows, error) for rows in of.values()]
        shown = ["–" if np.isnan(ms) else f"{ms:,.4g}, {uj:,.0f}" for ms, uj in cells]
        lines.append(f"| {error:g} % | {' | '.join(shown)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(PLATFORMS), default=list(PLATFORMS), metavar="PLATFORM")
    parser.add_argument("--every", type=int, default=None, help="instead of the experiments'")
    parser.add_argument("--generations", type=int, default=None, help="instead of the experiments'")
    parser.add_argument("--errors", type=float, nargs="+", default=[20.0, 21.0, 22.0, 23.0, 25.0], metavar="PERCENT")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    changes = {"every": options.every, "generations": options.generations}
    changes = {key: value for key, value in changes.items() if value is not None}
    fronts: dict[str, dict[str, Rows]] = {}
    for platform in options.only:
        hardware, fronts[platform] = PLATFORMS[platform], {}
        for text, name in SEARCHES.items():
            experiment = Experiment.load(name, {**hardware, **changes})
            fronts[platform][text] = rows = rows_of(experiment, options.folder / experiment.arch / name)
            print(f"{platform}, {text}: {len(rows)} solutions", flush=True)
    for platform, of in fronts.items():
        print(f"\n{platform}: {', '.join(COSTS)}, each the least\n\n{table(of, options.errors)}")
    if options.plot:
        draw(fronts, options.plot)
    figures = {
        platform: {
            text: {f"{e:g}": [None if np.isnan(x) else round(x, 3) for x in least(rows, e)] for e in options.errors}
            for text, rows in of.items()
        }
        for platform, of in fronts.items()
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
