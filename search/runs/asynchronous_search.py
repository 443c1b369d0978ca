"""A search without the barrier of a generation: workers evaluate beside one another, and one that is free is served at
once, while what others found is not known yet.

The order of what is asked and told, which is that of the evaluations' ends, is recorded in the ledger before it is
used. A search that is resumed repeats that order, whatever evaluates it now, has evaluated what was pending, and goes
on. While a method thinks, on a thread of its own, workers are served from a small backlog that it was asked for before.
"""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from typing import Self

import numpy as np

from quant.sites.candidate import name_of
from search.evaluation.executors.executor import OneByOne, Running, TakesMore
from search.evaluation.executors.worker import Recognition
from search.methods.method import AsksWhilePending, Method
from search.runs.asked_genes import checked_genes
from search.runs.design_space import DesignSpace
from search.runs.recorded_order import Ask, RecordedOrder, Tell
from search.runs.recorder import OnGeneration, Recorder
from search.runs.searched_points import SearchedPoints
from search.space.genome import Genes
from simulators.inputs.errors import InputError

MOST_BARREN = 100
"""Asks in a row that may bring nothing new within the known limits, before a method is taken to be done."""
POLL_S = 0.02
"""Seconds between looks at workers and at the method, while that thinks."""


class AsynchronousSearch:
    """A search that is asked for more while some is pending."""

    def __init__(
        self, method: AsksWhilePending, space: DesignSpace, searched: SearchedPoints, recorder: Recorder,
        done: OnGeneration | None, recognition: Recognition,
    ):  # fmt: skip
        self._method, self._space, self._searched = method, space, searched
        self._recorder, self._done = recorder, done
        self._order = RecordedOrder(space.evaluator.ledger)
        self._recognition = recognition
        self._rows: list[Genes] = []
        """All that was asked for without a barrier, by its position."""
        self._pending: dict[int, Genes] = {}
        """What was asked for and the method was not told of, by position."""
        self._ready: list[int] = []
        """Positions of pending ones of which it is known what became."""
        self._evaluated: dict[str, list[int]] = {}
        """Positions that wait for the evaluation of a candidate, by its name."""
        self._ends = 0
        """How many evaluations end while the method thinks, as far as is known."""
        self._nothing_now = False
        """Whether the method asked for nothing since it was told something last."""
        self._barren = 0
        """Asks in a row that brought nothing new."""
        self._since: list[Genes] = []
        """What the method was told of since the last generation was saved."""

    @classmethod
    def of(
        cls, method: Method, space: DesignSpace, searched: SearchedPoints, recorder: Recorder,
        done: OnGeneration | None,
    ) -> Self | None:  # fmt: skip
        """The search from where it has no barrier on; None where it has one up to its end: evaluations run one after
        the other, or follow from their order, or the method must know all before it asks."""
        evaluator = space.evaluator
        recognition = evaluator.recognition() if space.needs_error else None
        if recognition is None or not recorder.keeps_order or not isinstance(method, AsksWhilePending):
            return None
        if not isinstance(evaluator.executor, TakesMore) and not RecordedOrder(evaluator.ledger).begun:
            return None
        return cls(method, space, searched, recorder, done, recognition)

    @property
    def begins_at(self) -> int:
        """How many generations have a barrier before."""
        return self._order.begins_at if self._order.begun else self._recorder.saved

    def run(self) -> None:
        """Search on to the end. Raises InputError where it comes out otherwise than it was recorded."""
        self._number, self._saved = self.begins_at, self._searched.complete
        if not self._order.begun:
            if not self._searched.left:
                return
            self._order.begin(self._number)
        for event in self._order.asks_and_tells():
            if isinstance(event, Ask):
                self._repeat(event)
            else:
                self._tell(event)
        executor = self._space.evaluator.executor
        if beside := isinstance(executor, TakesMore):
            evaluations: Running = executor.running(self._recognition)
        else:
            evaluations = OneByOne(executor, self._recognition)
        self._ends = evaluations.workers // 4  # before it is known how long the method thinks
        with closing(evaluations), ThreadPoolExecutor(1) as thinking:
            self._submit(evaluations, self._pending)
            while self._pending or self._wanted(evaluations):
                if number := self._wanted(evaluations):
                    pending = np.array([*self._pending.values()]).reshape(-1, len(self._space.upper))
                    asked = thinking.submit(self._method.ask_more, number, pending)
                    self._serve(evaluations, asked if beside else None)
                    self._asked(number, asked.result(), evaluations)
                elif self._evaluated:
                    self._record(evaluations, None)
                if self._ready:
                    tell = Tell(self._ready)
                    self._order.told(tell)
                    self._tell(tell)

    def _wanted(self, evaluations: Running) -> int:
        """How many points the method is asked for next: when it has thought, all workers are to be busy, and a backlog
        for the time of its next thoughts is to wait; but no more than there are workers, or than a generation has: the
        method would know too little of what it asks for."""
        if self._nothing_now or self._barren >= MOST_BARREN:
            return 0
        most = max(evaluations.workers, self._searched.offspring)
        backlog = min(most, max(1, -(-self._ends * 5 // 4)))
        there = max(0, len(self._evaluated) - self._ends)
        return min(self._searched.left, max(0, evaluations.workers + backlog - there))

    def _serve(self, evaluations: Running, thinking: Future[Genes | None] | None) -> None:
        """Have workers go on until the method has thought."""
        found = len(self._ready)
        while thinking is not None and not thinking.done():
            if self._evaluated:
                self._record(evaluations, POLL_S)
            else:
                wait([thinking])
        if thinking is not None:  # fewer again when it thinks shorter, as it does as long as it knows little
            least = 0 if self._searched.complete >= 0 else evaluations.workers // 4
            self._ends = max(least, self._ends * 3 // 4, len(self._ready) - found)

    def _record(self, evaluations: Running, timeout_s: float | None) -> None:
        """Record what is finished, after a wait for the first of so many seconds at most."""
        for group, outcome in evaluations.finished(timeout_s):
            self._space.evaluator.record(group, outcome, self._space.done)
            for bits in group:
                self._ready += self._evaluated.pop(name_of(bits))

    def _asked(self, number: int, asked: Genes | None, evaluations: Running) -> None:
        """Take in what the method asked for."""
        genes = checked_genes(self._method, asked, self._space.upper)[:number]
        self._order.asked(Ask(number, genes))
        self._submit(evaluations, self._added(genes))

    def _repeat(self, ask: Ask) -> None:
        """Ask as it was recorded, and hold the answer against that."""
        pending = np.array([*self._pending.values()]).reshape(-1, len(self._space.upper))
        genes = checked_genes(self._method, self._method.ask_more(ask.number, pending), self._space.upper)[: ask.number]
        if not np.array_equal(genes, ask.genes.reshape(-1, len(self._space.upper))):
            raise InputError(
                f"{self._recorder.folder}: what is asked for after {len(self._rows)} points comes out otherwise than "
                "when it was recorded: other versions of the libraries, or another processor, made this run; start a "
                "new one with a copy of its ledger"
            )
        self._added(genes)

    def _added(self, genes: Genes) -> range:
        """Note gene vectors (N, genes) as asked for; their positions."""
        first = len(self._rows)
        positions = range(first, first + len(genes))
        self._rows += list(genes)
        self._pending |= dict(zip(positions, genes, strict=True))
        self._nothing_now = not len(genes)
        if self._nothing_now and not self._rows and not self._number:
            raise InputError(f"method {type(self._method).__name__}: it asks for nothing")
        self._barren = 0 if self._searched.charge(genes) or not len(genes) else self._barren + 1
        return positions

    def _submit(self, evaluations: Running, positions: Iterable[int]) -> None:
        """Have evaluated what must be, each candidate once."""
        rows = {position: self._rows[position] for position in positions}
        missing = self._space.not_evaluated(np.array([*rows.values()]).reshape(-1, len(self._space.upper)))
        for position, bits in zip(rows, missing, strict=True):
            if bits is None:
                self._ready.append(position)
            elif name_of(bits) in self._evaluated:
                self._evaluated[name_of(bits)].append(position)
            else:
                self._evaluated[name_of(bits)] = [position]
                evaluations.submit([bits])

    def _tell(self, tell: Tell) -> None:
        """Tell the method what became of points. Raises InputError for some that are not pending."""
        if not {*tell.positions} <= self._pending.keys():
            rule = "the order in its ledger was changed: it tells of what is not asked"
            raise InputError(f"{self._recorder.folder}: {rule}")
        rows = [self._pending.pop(position) for position in tell.positions]
        self._ready = []
        trials = self._space.evaluate(np.array(rows))
        self._method.tell(trials)
        self._searched.add(trials)
        self._nothing_now = False
        self._since += rows
        if self._searched.complete > self._saved:
            self._recorder.check(self._number, np.array(self._since))
            self._recorder.save(self._number, np.array(self._since))
            if self._done:
                self._done(max(0, self._searched.complete), len(self._searched.trials), self._searched.front)
            self._number, self._saved, self._since = self._number + 1, self._searched.complete, []
