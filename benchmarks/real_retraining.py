"""Published recurrent networks retrained at 4 bits on spoken digits in noise, and swept as delta networks.

    python benchmarks/real_retraining.py DIGITS [NETWORK …]

DIGITS is the folder of the Free Spoken Digit Dataset. Needs `mohaq[models]`. Errors are those of the utterances that a
network is retrained on, then of as many others. Times are of the process, in seconds. Ends with one line of JSON.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from noisy_digits import FEATURES, SETTINGS, utterances
from published_networks import network_files

from quant import Scheme, homogeneous, load
from quant.evaluation.delta_sweep import sweep
from quant.graphs.delta_network import DeltaNetwork
from quant.graphs.graph_model import GraphModel
from quant.graphs.graph_retraining import GraphRecipe, retrain_graph

UTTERANCES = 4
"""To retrain on, and as many others."""
EPOCHS = 5
RATES = (2e-5, 1e-4)
THRESHOLDS = (0, 2, 8)
NETWORKS = ("nsnet2", "silero")


def retrained(seen: GraphModel, others: GraphModel, width: tuple[int, int], rate: float) -> dict[str, Any]:
    """Errors in percent before and after, on both halves."""
    bits = homogeneous(seen.sites, *width)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        done = retrain_graph(seen, bits, Path(folder), GraphRecipe(EPOCHS, rate))
        seconds = time.process_time() - started
        after = others.with_weights_of(done.path).evaluate(bits).error
    found = {
        "bits": "x".join(map(str, width)), "learning_rate": rate, "kept_epoch": done.epoch, "before": done.before,
        "after": done.after, "others_before": others.evaluate(bits).error, "others_after": after,
        "cpu_seconds_an_epoch": seconds / EPOCHS,
    }  # fmt: skip
    print(f"{seen.name}: {found}", flush=True)
    return found


def swept(model: GraphModel) -> list[dict[str, Any]]:
    """Errors and savings at 8 bits, threshold by threshold."""
    network, points = DeltaNetwork(model), []
    started = time.process_time()
    for point in sweep(network, homogeneous(model.sites, 8), THRESHOLDS):
        result = point.result
        points.append({"x": point.x, "h": point.h, "error": result.rate.error, "eliminated": result.eliminated})
        print(f"{model.name}: {points[-1]}, {time.process_time() - started:.1f} s", flush=True)
    return points


def main() -> None:
    digits, *names = sys.argv[1:]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, file in network_files(names or NETWORKS, Path(folder)):
            data = [FEATURES[name](signal) for signal in utterances(Path(digits), 2 * UTTERANCES)]
            settings = SETTINGS[name].model_copy(update={"error": "signal"})
            seen, others = (
                load(file, half, Scheme(per_channel=True), settings) for half in (data[:UTTERANCES], data[UTTERANCES:])
            )
            results[name] = {
                "retrained": [retrained(seen, others, width, rate) for width in ((4, 8), (4, 4)) for rate in RATES],
                "delta": swept(others),
            }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
