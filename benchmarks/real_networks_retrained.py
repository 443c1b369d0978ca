"""Published recurrent networks on spoken digits in noise: what a short retraining gives, on the files that it read and
on others, and what thresholds of a delta network save.

    python benchmarks/real_networks_retrained.py DIGITS [NETWORK …]

DIGITS is the folder of the Free Spoken Digit Dataset. Needs `mohaq[models]`. Ends with one line of JSON.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from noisy_digits import FEATURES, SETTINGS, utterances
from published_networks import network_file

from quant import Scheme, homogeneous, load
from quant.evaluation.delta_sweep import sweep
from quant.graphs.delta_network import DeltaNetwork
from quant.graphs.graph_model import GraphModel
from quant.graphs.graph_retraining import GraphRecipe, retrain_graph
from quant.training.retraining import RESULT

UTTERANCES = 6
WEIGHT_BITS, ACTIVATION_BITS = 4, 8
RECIPE = GraphRecipe(epochs=5, learning_rate=2e-4)
THRESHOLDS = (0, 2, 8)
"""In codes of 8 bits."""


def retrained(model: GraphModel, others: GraphModel) -> dict[str, Any]:
    """Errors in percent before and after, on the files of the retraining and on others."""
    bits = homogeneous(model.sites, WEIGHT_BITS, ACTIVATION_BITS)
    before = model.evaluate(bits).error, others.evaluate(bits).error
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        after = retrain_graph(model, bits, Path(folder), RECIPE)
        seconds = time.perf_counter() - started
        errors = after.evaluate(bits).error, others.with_weights_of(Path(folder) / RESULT).evaluate(bits).error
    print(
        f"{model.name}: {WEIGHT_BITS}x{ACTIVATION_BITS}, {RECIPE.epochs} epochs in {seconds:.0f} s: "
        f"{before[0]:.2f} -> {errors[0]:.2f} % where it was retrained, {before[1]:.2f} -> {errors[1]:.2f} % elsewhere",
        flush=True,
    )
    return {"before": before, "after": errors, "seconds": seconds}


def swept(model: GraphModel) -> list[dict[str, Any]]:
    """Errors in percent and shares of eliminated multiply-accumulates, by thresholds."""
    bits, points = homogeneous(model.sites, 8), []
    for point in sweep(DeltaNetwork(model), bits, THRESHOLDS):
        if point.x == point.h:
            result = point.result
            points.append({"threshold": point.x, "error": result.rate.error, "eliminated": result.eliminated})
            print(
                f"{model.name}: 8 bits, threshold {point.x}: {result.rate.error:.2f} %, "
                f"{100 * result.eliminated:.1f} % of multiply-accumulates eliminated",
                flush=True,
            )
    return points


def main() -> None:
    digits, *names = sys.argv[1:]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names or ("nsnet2", "silero"):
            file = network_file(name, Path(folder))
            if file is None:
                print(f"{name}: its package is not installed")
                continue
            data = [FEATURES[name](signal) for signal in utterances(Path(digits), 2 * UTTERANCES)]
            scheme = Scheme(per_channel=True)
            model, others = (
                load(file, part, scheme, SETTINGS[name]) for part in (data[:UTTERANCES], data[UTTERANCES:])
            )
            results[name] = {"retrained": retrained(model, others), "delta": swept(model)}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
