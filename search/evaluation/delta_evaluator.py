"""Evaluates candidates whose costs follow from what they send: both come of one evaluation, and are in the ledger."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from quant.sites.candidate import Bits, name_of
from search.evaluation.evaluator import Evaluator, Simulated
from search.evaluation.executors.executor import Executor
from search.evaluation.executors.worker import Measured, Recognition, Source
from search.evaluation.ledger import CostsOf, Ledger
from search.evaluation.ledger_rows import SentCostRow, row_of
from search.evaluation.model import HasDeltas, Model
from search.evaluation.quality import Cost
from search.evaluation.sent_shares import SentShares
from simulators import Arch, simulate_batch
from simulators.inputs.code_digest import Code
from simulators.run.cost_code import cost_code


class DeltaEvaluator(Evaluator):
    """Costs are means over the utterances that an error was counted over, and the worst of them. What was not evaluated
    is previewed with the shares that others sent at the same thresholds."""

    def __init__(
        self, model: Model, arch: Arch, steps: int, ledger: Ledger, executor: Executor, source: Source | None = None
    ):
        super().__init__(model, arch, steps, ledger, executor, source)
        self.source = replace(self.source, arch=arch)
        self._shares = SentShares()

    @cached_property
    def costs_of(self) -> CostsOf:
        """The key under which the ledger has this architecture's costs of what is sent."""
        code = cost_code(self.arch.platform) | Code(("search.evaluation.sent_costs", "simulators.workloads.masks"))
        return CostsOf(self.arch.digest, code.digest())

    def costs(self, candidates: Sequence[Bits]) -> list[Cost]:
        """What each candidate costs, in their order; those that are in no ledger are evaluated. Figures of one whose
        evaluation killed workers are no numbers."""
        named = {name_of(bits): bits for bits in candidates}
        for name in named:
            if name not in self._costs:
                found = self.ledger.find_cost(self.costs_of, self._key(name))
                if found is not None:
                    self._take(name, named[name], row_of(SentCostRow, found, self.ledger.path))
                elif self.ledger.is_set_aside(self.errors_of, name):
                    self._costs[name] = self._without(named[name])
        self._evaluate([bits for name, bits in named.items() if name not in self._costs], None)
        for name in named:
            if name not in self._costs:
                found = self.ledger.find_cost(self.costs_of, self._key(name))
                if found is None:
                    self._costs[name] = self._without(named[name])
                else:
                    self._take(name, named[name], row_of(SentCostRow, found, self.ledger.path))
        return [self._costs[name_of(bits)] for bits in candidates]

    def preview(self, candidates: Sequence[Bits]) -> list[Cost]:
        """What candidates cost if their sites send the shares that others sent."""
        model = self._deltas
        steps = model.mean_steps()
        traces = [model.expected_trace(bits, steps, self._shares.expected(bits)) for bits in candidates]
        return self._with_traces(traces, simulate_batch(traces, self.arch)) if traces else []

    def recognition(self) -> Recognition | None:
        """None: what is asked for next depends on the costs of what was asked for before."""
        return None

    @property
    def _deltas(self) -> HasDeltas:
        assert isinstance(self.model, HasDeltas)
        return self.model

    def _key(self, name: str) -> str:
        """Where the ledger has a candidate's cost: by all that decides what it sends."""
        return hashlib.sha256("\n".join((*self.errors_of, name)).encode()).hexdigest()

    def _record_sent(self, name: str, rate: Measured) -> None:
        assert rate.sent is not None
        self.ledger.write_costs(self.costs_of, {self._key(name): rate.sent._asdict()})

    def _take(self, name: str, bits: Bits, row: SentCostRow) -> None:
        cost = self._cost(self.model.trace(bits, self.steps), row)
        self._costs[name] = replace(cost, latency_worst_ms=row.latency_worst_ms, energy_worst_uj=row.energy_worst_uj)
        self._shares.learn(bits, row.shares)

    def _without(self, bits: Bits) -> Cost:
        nan = float("nan")
        return self._cost(self.model.trace(bits, self.steps), Simulated(0, nan, nan, None))
