"""MOHAQ's experiments with the paper's objectives and with simulated ones: its claims, with error bars over seeds.

    python benchmarks/published_experiments.py FOLDER [--every 4] [--generations N] [--seeds 3] [--only NAME …]

Runs are kept in the folder, and continued if they were stopped. Those with beacons retrain: minutes a beacon. Ends
with one line of JSON: mean and standard deviation of each figure by experiment.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

from quant import load_model
from search import Experiment, run
from search.claims import claims_of
from search.ledger import LEDGER_FILE
from search.state import BEACON_FOLDER

EXPERIMENTS = ["mohaq-1-memory", "mohaq-2-silago", "mohaq-2-silago-simulated", "mohaq-3-bitfusion",
               "mohaq-3-bitfusion-simulated", "mohaq-3-bitfusion-beacons",
               "mohaq-3-bitfusion-beacons-simulated"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--generations", type=int, default=None, help="instead of the paper's 60 or 15")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=EXPERIMENTS, metavar="NAME")
    options = parser.parse_args()
    model = load_model("sru", every=options.every)
    figures: dict[str, dict[str, list[float]]] = {}
    before: Path | None = None
    for seed in range(1, options.seeds + 1):
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
            for claim in claims_of(result):
                print(f"{name} {seed}: {claim.claim}: {claim.measured}", flush=True)
                for figure, value in claim.figures.items():
                    key = f"{figure} ({claim.claim.rpartition(', ')[2]})" if "share" in claim.claim else figure
                    figures.setdefault(name, {}).setdefault(key, []).append(value)
    table = {}
    for name, of in figures.items():
        print(name)
        for figure, values in of.items():
            deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            table.setdefault(name, {})[figure] = [round(float(np.mean(values)), 4), round(deviation, 4), len(values)]
            print(f"  {figure:40}{np.mean(values):9.3f} ± {deviation:.3f} ({len(values)} seeds)")
    print(json.dumps(table))


if __name__ == "__main__":
    main()
