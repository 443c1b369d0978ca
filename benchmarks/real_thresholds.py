"""Bits, thresholds, and both, of a published network on spoken digits in noise: what a search of each finds.

    python benchmarks/real_thresholds.py DIGITS FOLDER [--network nsnet2] [--arch bitfusion] [--generations N]
        [--errors 2 5 10 …]

DIGITS is the folder of the Free Spoken Digit Dataset. Needs `mohaq[models,search]`. Runs are kept in the folder and
continued if they were stopped: of NSNet2 ten minutes each. The table has, for each error that is allowed, the least
latency and the least energy of each front's solutions; they need not be of one solution. Ends with one line of JSON:
both figures by search and error.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from delta_fronts import least, table
from published_networks import loaded_network

from search import Experiment, run

UTTERANCES = 4
THRESHOLDS: dict[str, dict[str, list[int]]] = {
    "nsnet2": {"GRU_*.W": [0, 4, 8, 16], "GRU_*.U": [0, 4, 8, 16], "MatMul_2*": [0, 4, 8, 16]},
}
"""Thresholds by network, in 1/256 of what the products read; a spectrum's own product sends everything."""
SEARCHES: dict[str, dict[str, Any]] = {
    "bits alone": {"thresholds": {}},
    "thresholds alone": {"fixed": {"*": "8x8"}},
    "both": {},
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("digits", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", choices=[*THRESHOLDS], default="nsnet2")
    parser.add_argument("--arch", default="bitfusion")
    parser.add_argument("--generations", type=int, default=6)
    parser.add_argument("--errors", type=float, nargs="+", default=[2.0, 3.0, 5.0, 10.0, 15.0], metavar="PERCENT")
    options = parser.parse_args()
    name = options.network
    model = loaded_network(name, options.digits, options.folder, UTTERANCES)
    settings = {
        "model": "none", "arch": options.arch, "set": ("skips_inactive_inputs=true",), "steps": model.mean_steps(),
        "objectives": ("error", "latency", "energy"), "constraints": {"error": 20.0}, "population": 24, "offspring": 8,
        "generations": options.generations, "thresholds": THRESHOLDS[name],
    }  # fmt: skip
    fronts = {}
    for text, changes in SEARCHES.items():
        experiment = Experiment(name=f"{name}-{text.replace(' ', '-')}", **{**settings, **changes})
        result = run(experiment, options.folder / options.arch / experiment.name, resume=True, model=model)
        fronts[text] = np.array(
            [(s.quality.error, s.cost.latency_ms, s.cost.energy_uj) for s in result.front if s.quality]
        )
        print(f"{text}: {len(fronts[text])} solutions of {len(result.visited)}", flush=True)
    print(table(fronts, options.errors))
    print(json.dumps({text: {f"{e:g}": least(rows, e) for e in options.errors} for text, rows in fronts.items()}))


if __name__ == "__main__":
    main()
