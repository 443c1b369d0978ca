"""What a candidate costs and how well it recognises: from the ledger where it is known, else computed and recorded."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from math import isfinite
from typing import NamedTuple

from quant.sites.candidate import Bits, name_of
from search.evaluation.executors.executor import Died, Executor
from search.evaluation.executors.worker import Group, Measured, OnSplit, Recognised, Recognition, Source, measured
from search.evaluation.fast_traces import FastTraces
from search.evaluation.ledger import FLOAT, CostsOf, ErrorsOf, Ledger, errors_of
from search.evaluation.ledger_rows import CostRow, ErrorRow, row_of
from search.evaluation.model import MIB_BITS, HasFloatError, HasSplits, HasStoredBits, Model, pairs_for
from search.evaluation.progress import OnQuality
from search.evaluation.quality import Cost, Quality, Unknown, number_or_none
from search.objectives.figures import FIGURE_PLATFORMS
from simulators import Arch, Trace, simulate_batch
from simulators.closed_forms.mohaq import memory_mib, silago_energy_uj, speedup
from simulators.run.batch import simulate_at_widths
from simulators.run.cost_code import cost_code
from simulators.run.network_walk import Batch


class Simulated(NamedTuple):
    """What simulation says of a candidate."""

    cycles: int
    latency_ms: float
    energy_uj: float
    dram_energy_uj: float | None
    """None: the platform has no figure of it."""


class Evaluator:
    """Evaluates candidates of one model on one architecture. Every result is in the ledger before it is returned.

    `source` says how other processes come by the model; by default it is sent to them.
    """

    def __init__(
        self, model: Model, arch: Arch, steps: int, ledger: Ledger, executor: Executor, source: Source | None = None
    ):
        self.model = model
        self.source = source or Source.of(model)
        self.arch = arch
        self.steps = steps
        self.ledger = ledger
        self.executor = executor
        self.share = 1.0
        """Share of a search's utterances that the model is evaluated on, which the ledger says too."""
        self._computed = 0
        self._costs: dict[str, Cost] = {}
        self._qualities: dict[str, Quality | Unknown] = {}

    @cached_property
    def errors_of(self) -> ErrorsOf:
        """The key under which the ledger has this model's errors."""
        return errors_of(self.model)

    @cached_property
    def costs_of(self) -> CostsOf:
        """The key under which the ledger has this architecture's costs."""
        return CostsOf(self.arch.digest, cost_code(self.arch.platform).digest())

    def cost(self, bits: Bits) -> Cost:
        """What a candidate costs. Raises InputError for one that the hardware cannot run."""
        return self.costs([bits])[0]

    def costs(self, candidates: Sequence[Bits]) -> list[Cost]:
        """What each candidate costs, in their order, all or none recorded. The closed forms are not: they are computed
        from the trace. Raises InputError for one that the hardware cannot run."""
        missing: dict[str, Trace] = {}
        by_name = {name_of(bits): bits for bits in candidates}
        for name, bits in by_name.items():
            if name not in self._costs and name not in missing:
                trace = self.model.trace(bits, self.steps)
                found = self.ledger.find_cost(self.costs_of, trace.digest)
                if found is None:
                    missing[name] = trace
                else:
                    row = row_of(CostRow, found, self.ledger.path)
                    self._costs[name] = self._stored(bits, self._cost(trace, row))
        fresh = self._simulated(list(missing.values()))
        rows = {
            trace.digest: {name: getattr(cost, name) for name in CostRow.model_fields}
            for trace, cost in zip(missing.values(), fresh, strict=True)
        }
        self.ledger.write_costs(self.costs_of, rows)
        self._costs |= {name: self._stored(by_name[name], cost) for name, cost in zip(missing, fresh, strict=True)}
        return [self._costs[name_of(bits)] for bits in candidates]

    def preview(self, candidates: Sequence[Bits]) -> list[Cost]:
        """What `costs` gives for candidates that may never be looked at again: nothing is kept."""
        if self._fast is None:
            costs = self._simulated([self.model.trace(bits, self.steps) for bits in candidates])
        else:
            batch = simulate_at_widths(self._fast.trace, self.arch, self._fast.widths(candidates))
            costs = self._with_traces(self._fast.traces(candidates), batch)
        return [self._stored(bits, cost) for bits, cost in zip(candidates, costs, strict=True)]

    @cached_property
    def _fast(self) -> FastTraces | None:
        model = self.model
        names = [site.name for site in model.sites]
        return FastTraces.found(
            lambda bits: model.trace(bits, self.steps), names, pairs_for(model, self.arch.precisions)
        )

    def qualities(self, candidates: Sequence[Bits], done: OnQuality | None = None) -> list[Quality | None]:
        """The quality of each candidate, in their order; `done` is called as each becomes known. None is that of one
        that was evaluated, now or before, and has none: see `why_unknown`."""
        missing: dict[str, Bits] = {}
        for bits in candidates:
            if not self.is_known(name_of(bits)):
                missing.setdefault(name_of(bits), bits)
            elif done:
                done(bits, self._qualities[name_of(bits)])
        self._evaluate(list(missing.values()), done)
        return [self.known_quality(bits) for bits in candidates]

    def is_known(self, name: str) -> bool:
        """Whether a candidate was evaluated, by its name: its quality is at hand, or the ledger has it."""
        if name not in self._qualities:
            found = self.ledger.find_error(self.errors_of, name)
            if found is not None:
                row = row_of(ErrorRow, found, self.ledger.path)
                self._qualities[name] = _quality(Measured(row.error, row.error_plain, row.edits))
            elif self.ledger.is_set_aside(self.errors_of, name):
                self._qualities[name] = Unknown.KILLED
        return name in self._qualities

    def recognition(self) -> Recognition | None:
        """What evaluates a group of candidates, for those who have several evaluated beside one another and say
        `record` what came of each; None where their order decides what is computed."""
        return Recognition(self.model, self.source)

    def on(self, arch: Arch) -> "Evaluator":
        """What evaluates the same model on another architecture."""
        return Evaluator(self.model, arch, self.steps, self.ledger, self.executor, self.source)

    def measure(self, points: Sequence[tuple["Evaluator", Bits]]) -> None:
        """Have candidates evaluated together whose costs on the hardware of these evaluators, of the same model, come
        with their errors and are not known: none here."""

    def _evaluate(self, missing: Sequence[Bits], done: OnQuality | None) -> None:
        """Have candidates evaluated, and record each."""
        self._evaluate_groups(self._groups(missing), done)

    def _groups(self, missing: Sequence[Bits]) -> list[Group]:
        """Candidates as they are evaluated together."""
        return self._alike(missing, self.executor.together)

    @staticmethod
    def _alike(candidates: Sequence[Bits], together: int) -> list[Group]:
        """Groups of so many candidates at most. Neighbours share the bits of the first sites, which the model computes
        once."""
        alike = sorted(candidates, key=lambda bits: tuple(bits.values()))
        return [alike[i : i + together] for i in range(0, len(alike), together)]

    def _evaluate_groups(self, groups: Sequence[Group], done: OnQuality | None = None) -> None:
        for group, outcome in self.executor.map(Recognition(self.model, self.source), groups):
            self.record(group, outcome, done)

    def record(self, group: Group, outcome: Recognised | Died, done: OnQuality | None) -> None:
        """Record what an executor made of a group, then tell of each of its candidates."""
        if isinstance(outcome, Died):
            for bits in group:
                self.ledger.set_aside(self.errors_of, name_of(bits), outcome.deaths)
                # What was evaluated before, for its cost on other hardware, keeps its quality.
                self._qualities.setdefault(name_of(bits), Unknown.KILLED)
                if done:
                    done(bits, Unknown.KILLED)
            return
        rates, seconds = outcome
        for bits, rate in zip(group, rates, strict=True):
            name = name_of(bits)
            row = {"error": rate.error, "error_plain": rate.error_plain, "edits": rate.edits}
            share = {} if self.share == 1 else {"share": self.share}
            self.ledger.write_error(self.errors_of, name, row | share, seconds)
            self._qualities[name] = _quality(rate)
            self._computed += 1
            if done:
                done(bits, self._qualities[name])
        self._record_sent(group, rates)

    def _record_sent(self, group: Group, rates: Sequence[Measured]) -> None:
        """Record what candidates cost by what they send, where that is measured with their errors: nowhere here."""

    def with_parameters(self, beacon: str) -> "Evaluator":
        """What evaluates with the parameters of a beacon, by its candidate's name; empty: with the original ones."""
        return self

    def on_split(self, split: str) -> "Evaluator | None":
        """What evaluates the model on all of another split, in the same ledger; None where it has no others."""
        if not isinstance(self.model, HasSplits):
            return None
        model = self.model.on_split(split)
        source = Source.of(model, OnSplit(self.source, split))
        return Evaluator(model, self.arch, self.steps, self.ledger, self.executor, source)

    def float_error(self) -> float | None:
        """The error before quantization in percent, of the worst part of the data; None where the model does not say
        it, or it is no number."""
        if not isinstance(self.model, HasFloatError):
            return None
        found = self.ledger.find_error(self.errors_of, FLOAT)
        if found is None:
            started = time.perf_counter()
            found = measured(self.model.float_error())._asdict()
            self.ledger.write_error(self.errors_of, FLOAT, found, time.perf_counter() - started)
        row = row_of(ErrorRow, found, self.ledger.path)
        return row.error if isfinite(row.error) else None

    @property
    def evaluated(self) -> int:
        """Model evaluations computed here, as opposed to found in the ledger."""
        return self._computed

    def known_quality(self, bits: Bits) -> Quality | None:
        """What `qualities` returned for a candidate before, or None."""
        quality = self._qualities.get(name_of(bits))
        return quality if isinstance(quality, Quality) else None

    def why_unknown(self, bits: Bits) -> Unknown | None:
        """Why a candidate that was evaluated has no quality; None where it has one, or was not evaluated."""
        quality = self._qualities.get(name_of(bits))
        return quality if isinstance(quality, Unknown) else None

    def _stored(self, bits: Bits, cost: Cost) -> Cost:
        """A cost with the memory that the model says itself, where it does."""
        model = self.model
        return (
            replace(cost, memory_mib=model.stored_bits(bits) / MIB_BITS) if isinstance(model, HasStoredBits) else cost
        )

    def _simulated(self, traces: list[Trace]) -> list[Cost]:
        if not traces:
            return []
        return self._with_traces(traces, simulate_batch(traces, self.arch))

    def _with_traces(self, traces: Sequence[Trace], batch: Batch) -> list[Cost]:
        dram = map(number_or_none, batch.dram_energy_uj.tolist())
        figures = zip(batch.cycles.tolist(), batch.latency_ms.tolist(), batch.energy_uj.tolist(), dram, strict=True)
        return [self._cost(trace, Simulated(*of_trace)) for trace, of_trace in zip(traces, figures, strict=True)]

    def _cost(self, trace: Trace, simulated: Simulated | CostRow) -> Cost:
        platform = self.arch.platform
        return Cost(
            simulated.cycles, simulated.latency_ms, simulated.energy_uj, dram_energy_uj=simulated.dram_energy_uj,
            memory_mib=memory_mib(trace),
            mohaq_speedup=speedup(trace, platform) if platform in FIGURE_PLATFORMS["mohaq_speedup"] else None,
            mohaq_energy_uj=silago_energy_uj(trace) if platform in FIGURE_PLATFORMS["mohaq_energy_uj"] else None,
        )  # fmt: skip


def _quality(measured: Measured) -> Quality | Unknown:
    """The quality of what was measured, which may be no numbers."""
    if not (isfinite(measured.error) and isfinite(measured.error_plain)):
        return Unknown.NO_NUMBER
    return Quality(measured.error, measured.error_plain, edits=measured.edits)
