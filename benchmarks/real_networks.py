"""Published recurrent networks on spoken digits in noise: fidelity to the float network at several widths, and what a
search of 50 candidates finds on two platforms.

    python benchmarks/real_networks.py DIGITS [NETWORK …]

DIGITS is the folder of the Free Spoken Digit Dataset. Needs `mohaq[models,search]`. Ends with one line of JSON.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from noisy_digits import FEATURES, SETTINGS, utterances
from published_networks import network_files

from quant import Scheme, homogeneous, load
from quant.graphs.graph_model import GraphModel
from quant.sites.candidate import Bits
from search import Experiment, run

PLATFORMS = ("bitfusion", "silago")
UTTERANCES = 8
CANDIDATES = 50


def mixed(model: GraphModel) -> Bits:
    """4-bit weights of the large half of the sites, 8 bits of everything else."""
    by_size = sorted(model.sites, key=lambda site: site.weights)
    large = {site.name for site in by_size[len(by_size) // 2 :]}
    return {site.name: (4 if site.name in large else 8, 8) for site in model.sites}


def searched(model: GraphModel, platform: str) -> dict[str, Any]:
    """The front of a search over error and latency."""
    population = 20
    experiment = Experiment(
        name=model.name, arch=platform, objectives=("error", "latency"), population=population, offspring=10,
        generations=(CANDIDATES - population) // 10, steps=model.frames, constraints={"error": 100.0}, method="nsga2",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        front = run(experiment, Path(folder) / "run", model=model).front
    points = [(round(p.quality.error, 3), round(p.cost.latency_ms, 4)) for p in front if p.quality is not None]
    print(f"{model.name} on {platform}: error %, latency ms: {points}", flush=True)
    return {"front": points}


def measured(name: str, file: Path, digits: Path) -> dict[str, Any]:
    """Errors in percent by width, and fronts by platform."""
    data = [FEATURES[name](signal) for signal in utterances(digits, UTTERANCES)]
    errors: dict[str, dict[str, float]] = {}
    for steps in ("a tensor", "a channel"):
        model = load(file, data, Scheme(per_channel=steps == "a channel"), SETTINGS[name])
        found = {str(bits): model.evaluate(homogeneous(model.sites, bits)).error for bits in (16, 8, 4)}
        errors[steps] = found | {"mixed": model.evaluate(mixed(model)).error}
        line = ", ".join(f"{widths}: {error:.2f} %" for widths, error in errors[steps].items())
        print(f"{name}: {model.error_name}, a step {steps}: {line}", flush=True)
    return {"errors": errors, "fronts": {platform: searched(model, platform) for platform in PLATFORMS}}


def main() -> None:
    digits, *names = sys.argv[1:]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, file in network_files(names or FEATURES, Path(folder)):
            results[name] = measured(name, file, Path(digits))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
