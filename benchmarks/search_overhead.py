"""What a search takes besides evaluating models: simulation, selection, ledger, outputs.

    python benchmarks/search_overhead.py

The search of `make demo`, 130 candidates of the shipped SRU on Bit Fusion, in a temporary folder: what is simulated,
learnt and written for the first time included. Ends with one line of JSON.
"""

import json
import tempfile
import time
from contextlib import closing
from pathlib import Path

from quant import homogeneous, load_model
from search import Experiment, run
from search.evaluation.ledger import LEDGER_FILE, Ledger


def main() -> None:
    model = load_model("sru")
    model.evaluate(homogeneous(model.sites, 4))  # data are read, kernels compiled
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        result = run(Experiment.load("demo"), Path(folder) / "run", model=model)
        whole = time.perf_counter() - started
        with closing(Ledger(Path(folder) / "run" / LEDGER_FILE)) as ledger:
            evaluating = ledger.seconds()
    share = 1.0 - evaluating / whole
    print(f"{result.evaluated} candidates in {whole:.1f} s; {share:.1%} of the time does not evaluate the model")
    print(json.dumps({"seconds": whole, "evaluations": result.evaluated, "overhead_share": share}))


if __name__ == "__main__":
    main()
