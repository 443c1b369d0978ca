"""What an episode of HAQ's agent takes beside the evaluation of its candidate: choice, budget procedure, learning.

    python benchmarks/agent_overhead.py [--every 1] [--episodes 20]

The shipped experiment `haq-agent`, in a temporary folder; counted are the episodes after the warm-up, which learn.
Ends with one line of JSON.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from quant import homogeneous, load_model
from search import Experiment, run
from search.evaluation.ledger import LEDGER_FILE, Ledger
from search.methods.ddpg.agent import HaqAgent
from search.methods.ddpg.settings import AgentSettings
from search.methods.method import Trial
from search.space.genome import Genes


class Timed(HaqAgent):
    """Knows how long it took since the warm-up."""

    asking = telling = 0.0
    asked = 0

    def ask(self) -> Genes | None:
        learns, started = self._number > self._settings.warmup, time.perf_counter()
        genes = super().ask()
        self.asking += learns * (time.perf_counter() - started)
        self.asked += learns
        return genes

    def tell(self, trials: Sequence[Trial]) -> None:
        started = time.perf_counter()
        super().tell(trials)
        self.telling += (self.asked > 0) * (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--episodes", type=int, default=20)
    options = parser.parse_args()
    warmup = AgentSettings().warmup + 1
    experiment = Experiment.load(
        "haq-agent",
        {"every": options.every, "population": warmup, "offspring": 1, "generations": options.episodes},
    )
    model, agent = load_model(experiment.model, every=options.every), Timed()
    model.evaluate(homogeneous(model.sites, 4))  # data are read, kernels compiled
    with tempfile.TemporaryDirectory() as folder:
        result = run(experiment, Path(folder) / "run", model=model, method=agent, check=False)
        with closing(Ledger(Path(folder) / "run" / LEDGER_FILE)) as ledger:
            evaluating = ledger.seconds() / result.evaluated
    asking, telling = agent.asking / agent.asked, agent.telling / agent.asked
    share = (asking + telling) / evaluating
    print(
        f"{agent.asked} episodes: {asking * 1e3:.0f} ms to choose within the budget, {telling * 1e3:.0f} ms to learn, "
        f"beside {evaluating * 1e3:.0f} ms of evaluation: {share:.1%}"
    )
    print(json.dumps({"episodes": agent.asked, "asking_s": asking, "telling_s": telling, "evaluating_s": evaluating}))


if __name__ == "__main__":
    main()
