"""A method of search, as the driver sees it, and a search, as a method sees it: ask and tell.

A method is asked for gene vectors and told what became of each: `begin`, then `ask` and `tell` in turn until the budget
of generations is spent, or until nothing is asked for. A search that was killed is resumed by running it again, with
all finished evaluations found in the ledger: so what a method asks for must follow from its settings (the seed among
them) and from what it was told, and from nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from quant.evaluation.work_estimate import Part
from quant.sites.candidate import Bits
from search.objectives import Floats, Objective
from search.space.genome import Genes
from search.space.sites import SearchSite


@dataclass(frozen=True)
class Trial:
    """One design point that was asked for, with all that became known of it."""

    name: str
    """Names the design point: gene vectors of one name are one and the same point."""
    genes: Genes
    """(genes,)"""
    bits: Bits
    """The candidate: site → (weight bits, activation bits)."""
    variant: int
    """Number of the hardware variant; 0 where there is one piece of hardware."""
    objectives: Floats
    """(objectives,) in the order of `Space.objectives`, all minimised: what is maximised has its sign changed.
    `NOT_EVALUATED` where a limit was broken before the value was known."""
    violations: Floats
    """(limits,) How far each limit is exceeded: MiB of memory, percentage points of error, a number above 0 where
    the hardware cannot run the candidate, or its evaluation killed workers or gave no number, and then shares of the
    8-bit cost for each figure of a budget. 0 where the limit is kept."""
    error: float | None
    """Error rate in percent, whether or not it is an objective; None where it was not evaluated."""

    @property
    def feasible(self) -> bool:
        """Whether all limits are kept."""
        return not self.violations.any()


class MethodSettings(Protocol):
    """What an experiment says to its method."""

    @property
    def seed(self) -> int:
        """What everything random follows from."""
        ...

    @property
    def population(self) -> int:
        """Gene vectors to be asked for first."""
        ...

    @property
    def offspring(self) -> int:
        """Gene vectors to be asked for in each later generation."""
        ...

    @property
    def generations(self) -> int:
        """Generations after the first."""
        ...

    @property
    def crossover_eta(self) -> float:
        """Distribution index of simulated binary crossover."""
        ...

    @property
    def mutation_eta(self) -> float:
        """Distribution index of polynomial mutation."""
        ...


class Space(Protocol):
    """What there is to search, and what a method may know of it without an evaluation."""

    @property
    def objectives(self) -> Sequence[Objective]:
        """Names, units and senses, in the order of a trial's values."""
        ...

    @property
    def sites(self) -> Sequence[SearchSite]:
        """The network's sites: shapes and multiply-accumulates."""
        ...

    @property
    def precisions(self) -> Sequence[tuple[int, int]]:
        """Legal (weight bits, activation bits) of a site."""
        ...

    @property
    def upper(self) -> Genes:
        """(genes,) The largest value of each gene; the smallest is 0."""
        ...

    @property
    def hardware_genes(self) -> int:
        """How many genes, the last ones, choose the hardware; 0 in a search on one piece of it."""
        ...

    @property
    def initial(self) -> Genes:
        """(N, genes) Distinct gene vectors to begin with, `population` of them where there are so many: what the
        experiment's `seed_…` settings ask for, then random ones."""
        ...

    @property
    def memory_limit_mib(self) -> float | None:
        """What a candidate's parameters may take."""
        ...

    @property
    def error_limit(self) -> float | None:
        """The largest error rate in percent."""
        ...

    def decode(self, genes: Genes) -> Bits:
        """The candidate of a gene vector (genes,)."""
        ...

    def encode(self, bits: Bits) -> Genes:
        """The genes of a candidate; of a search over hardware, those of its bits alone. Raises InputError for bits
        that are not legal."""
        ...

    def name_of(self, genes: Genes) -> str:
        """The name of a gene vector's design point, as in `Trial.name`."""
        ...

    def within(self, genes: Genes) -> NDArray[np.bool_]:
        """(N,) Whether gene vectors (N, genes) are within the limits that are known before an error is evaluated: those
        of memory and of a budget, and that the chosen hardware can run the candidate. What is not is never evaluated,
        and is not counted among what a search may ask for. Narrower bits take no more memory."""
        ...

    def preview(self, genes: Genes, errors: Floats) -> tuple[Floats, Floats]:
        """Objectives (N, objectives) and violations (N, limits) of gene vectors (N, genes), as a trial has them, if
        these (N,) were their error rates in percent. Costs are simulated; nothing is evaluated or kept."""
        ...

    def parts(self, genes: Genes) -> Sequence[Part]:
        """The parts of the evaluation of a gene vector's error, with the work that each is: candidates that begin with
        the same bits share it. A single one where the model does not say what it shares."""
        ...


@runtime_checkable
class Method(Protocol):
    """Which candidates are asked for next."""

    def begin(self, space: Space, settings: MethodSettings) -> None:
        """Forget whatever was before, and prepare to search a space."""
        ...

    def ask(self) -> Genes | None:
        """Gene vectors (N, genes) of the next generation; None where there is nothing left to ask for."""
        ...

    def tell(self, trials: Sequence[Trial]) -> None:
        """What became of each gene vector that was asked for last, in their order."""
        ...


class KnownErrors(NamedTuple):
    """Errors of another run's candidates, which name the same sites."""

    candidates: Sequence[Bits]
    errors: Floats
    """(N,) In percent."""


@runtime_checkable
class AsksWhilePending(Method, Protocol):
    """A method that need not know what became of everything that it asked for before it asks for more: workers that
    evaluate beside one another wait for none then. What it was told comes in the order in which it was found."""

    def ask_more(self, number: int, pending: Genes) -> Genes | None:
        """At most so many gene vectors (N, genes), while what became of others (P, genes) that were asked for is not
        known yet; none, or None, where there is nothing to ask for before more is known. Like `ask`, it must follow
        from the settings and from what was asked and told before; the two may take turns."""
        ...


@runtime_checkable
class ChecksSettings(Protocol):
    """A method that cannot work with all settings."""

    def check(self, settings: MethodSettings, objectives: int) -> None:
        """Raise KeyedError that names the key of a setting that it cannot work with, for so many objectives."""
        ...


@runtime_checkable
class LearnsElsewhere(Method, Protocol):
    """A method that can learn from errors of other runs."""

    def learn_from(self, elsewhere: Sequence[KnownErrors]) -> None:
        """Errors of other runs, of other models or corpora, said before `begin`. They are no trials of this search."""
        ...


@runtime_checkable
class ReplacedOverHardware(Protocol):
    """A method that knows bits only, and has another take its place where genes choose the hardware too."""

    @property
    def over_hardware(self) -> str:
        """The name of that other method."""
        ...
