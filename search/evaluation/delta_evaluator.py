"""Evaluates candidates whose costs follow from what they send: both come of one evaluation, and are in the ledger."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from quant.sites.candidate import Bits, name_of
from search.evaluation.evaluator import Evaluator, Simulated
from search.evaluation.executors.executor import Executor
from search.evaluation.executors.worker import Group, Measured, Recognition, Source
from search.evaluation.ledger import CostsOf, Ledger
from search.evaluation.ledger_rows import CannotRunRow, SentCostRow, row_of
from search.evaluation.model import HasDeltas, Model
from search.evaluation.quality import Cost
from search.evaluation.sending_group import SendingGroup
from search.evaluation.sent_costs import CannotRun
from search.evaluation.sent_shares import SentShares
from simulators import Arch, simulate_batch
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError
from simulators.run.cost_code import cost_code


class DeltaEvaluator(Evaluator):
    """Costs are means over the utterances that an error was counted over, and the worst of them. What was not evaluated
    is previewed with the shares that others sent at the same thresholds."""

    def __init__(
        self, model: Model, arch: Arch, steps: int, ledger: Ledger, executor: Executor, source: Source | None = None
    ):
        super().__init__(model, arch, steps, ledger, executor, source)
        self._shares = SentShares()
        """What was sent, on whatever hardware."""
        self._refused: dict[str, str] = {}
        """Why hardware cannot run a candidate, by its name."""

    @cached_property
    def costs_of(self) -> CostsOf:
        """The key under which the ledger has this architecture's costs of what is sent."""
        return costs_of(self.arch)

    def on(self, arch: Arch) -> "DeltaEvaluator":
        """See `Evaluator.on`."""
        other = DeltaEvaluator(self.model, arch, self.steps, self.ledger, self.executor, self.source)
        other._shares, other._qualities = self._shares, self._qualities
        return other

    def costs(self, candidates: Sequence[Bits]) -> list[Cost]:
        """What each candidate costs, in their order; those that are in no ledger are evaluated. Figures of one whose
        evaluation killed workers are no numbers. Raises InputError for one that the hardware cannot run."""
        named = {name_of(bits): bits for bits in candidates}
        self.measure([(self, bits) for bits in named.values()])
        for name, bits in named.items():
            if not self._is_costed(name, bits):
                self._costs[name] = self._without(bits)
            if name in self._refused:
                raise InputError(self._refused[name])
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

    def measure(self, points: Sequence[tuple[Evaluator, Bits]]) -> None:
        """See `Evaluator.measure`: a candidate is evaluated once, and simulated on all its hardware."""
        wanted: dict[str, tuple[Bits, dict[str, Arch]]] = {}
        for evaluator, bits in points:
            assert isinstance(evaluator, DeltaEvaluator)
            name = name_of(bits)
            if not evaluator._is_costed(name, bits):
                wanted.setdefault(name, (bits, {}))[1][evaluator.arch.digest] = evaluator.arch
        alike: dict[tuple[str, ...], tuple[list[Arch], list[Bits]]] = {}
        for bits, archs in wanted.values():
            alike.setdefault(tuple(archs), ([*archs.values()], []))[1].append(bits)
        self._evaluate_groups(
            [
                SendingGroup.of(group, archs)
                for archs, candidates in alike.values()
                for group in self._alike(candidates, max(1, self.executor.together // len(archs)))
            ]
        )

    @property
    def _deltas(self) -> HasDeltas:
        assert isinstance(self.model, HasDeltas)
        return self.model

    def _groups(self, missing: Sequence[Bits]) -> list[Group]:
        return [SendingGroup.of(group, [self.arch]) for group in self._alike(missing, self.executor.together)]

    def _key(self, name: str) -> str:
        """Where the ledger has a candidate's cost: by all that decides what it sends."""
        return hashlib.sha256("\n".join((*self.errors_of, name)).encode()).hexdigest()

    def _record_sent(self, group: Group, rates: Sequence[Measured]) -> None:
        assert isinstance(group, SendingGroup)
        keys = [self._key(name_of(bits)) for bits in group]
        for i, arch in enumerate(group.archs):
            self.ledger.write_costs(
                costs_of(arch), {key: rate.sent[i]._asdict() for key, rate in zip(keys, rates, strict=True)}
            )

    def _is_costed(self, name: str, bits: Bits) -> bool:
        """Whether it is known what a candidate costs, or why it has no cost: it is at hand, or in the ledger."""
        if name in self._costs or name in self._refused:
            return True
        self.is_known(name)  # what comes of one evaluation is known together, in a run that is resumed too
        found = self.ledger.find_cost(self.costs_of, self._key(name))
        if found is None:
            if not self.ledger.is_set_aside(self.errors_of, name):
                return False
            self._costs[name] = self._without(bits)
        elif found.keys() == {*CannotRun._fields}:
            self._refused[name] = row_of(CannotRunRow, found, self.ledger.path).reason
        else:
            self._take(name, bits, row_of(SentCostRow, found, self.ledger.path))
        return True

    def _take(self, name: str, bits: Bits, row: SentCostRow) -> None:
        cost = self._cost(self.model.trace(bits, self.steps), row)
        self._costs[name] = replace(cost, latency_worst_ms=row.latency_worst_ms, energy_worst_uj=row.energy_worst_uj)
        self._shares.learn(bits, row.shares)

    def _without(self, bits: Bits) -> Cost:
        nan = float("nan")
        return self._cost(self.model.trace(bits, self.steps), Simulated(0, nan, nan, None))


def costs_of(arch: Arch) -> CostsOf:
    """The key under which a ledger has an architecture's costs of what is sent."""
    code = cost_code(arch.platform) | Code(("search.evaluation.sent_costs", "simulators.workloads.masks"))
    return CostsOf(arch.digest, code.digest())
