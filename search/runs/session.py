"""What every search, search over hardware and sweep begins with: the experiment's hardware and model, then its folder,
locked, with the ledger in it."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from quant.sites.candidate import homogeneous
from search.evaluation.delta_evaluator import DeltaEvaluator
from search.evaluation.evaluator import Evaluator
from search.evaluation.executors.executor import Executor, Inline
from search.evaluation.executors.worker import MakeModel, Source
from search.evaluation.experiment_model import ExperimentModel
from search.evaluation.ledger import LEDGER_FILE, Ledger
from search.evaluation.model import HasPrecisions, HasWidths, Model, pairs_for
from search.evaluation.quality import BASELINE_BITS
from search.methods.method import ChecksSettings, KnownErrors, LearnsElsewhere, Method
from search.methods.registry import method_named
from search.runs.identity import Identity, digest_of, identity_of
from search.runs.learnt_elsewhere import learnt_elsewhere, text_of
from search.runs.run_folder import CODESIGN, SEARCH, RunFolder
from search.settings.experiment import GIVEN, LEARNS_NOTHING, Experiment
from search.space.genome import Genome
from search.space.hardware_variants import Hardware, Variant
from simulators.inputs.files import with_folder
from simulators.inputs.source_locations import KeyedError, under


@dataclass(frozen=True)
class Plan:
    """What a run works on; nothing is computed or written yet."""

    experiment: Experiment
    hardware: Hardware
    model: Model
    make_model: MakeModel | None
    """How another process comes by the model; None: it is sent there."""
    given_method: Method | None
    """What takes the place of the experiment's method."""
    elsewhere: tuple[KnownErrors, ...] = ()
    """Errors of other runs that the method learns from."""

    def genome(self, precisions: Sequence[tuple[int, int]]) -> Genome:
        """The genes of a candidate, where hardware offers these pairs and the model has no widths of its own. Raises
        KeyedError for settings that do not go with model or hardware."""
        names = [site.name for site in self.model.sites]
        of_model = isinstance(self.model, HasPrecisions)
        return Genome.of(names, pairs_for(self.model, precisions), self.experiment, of_model)

    def method(self) -> Method:
        """A method, not begun, with what it learns from."""
        method = self._method()
        if self.elsewhere:
            assert isinstance(method, LearnsElsewhere)
            method.learn_from(self.elsewhere)
        return method

    def _method(self) -> Method:
        if self.given_method is not None:
            return self.given_method
        if GIVEN in self.experiment.method:
            raise KeyedError(("method",), f"{self.experiment.method}: it was given in Python: give it to `run` again")
        return method_named(self.experiment.method)


def plan(
    experiment: Experiment,
    model: Model | None = None,
    make_model: MakeModel | None = None,
    method: Method | None = None,
) -> Plan:
    """The experiment's variants of hardware and its model, which is loaded unless one is given, with how other
    processes make it. A method that is given takes the place of the experiment's; its class is recorded. Raises
    InputError for hardware that cannot be, or has no area where an objective needs it, and for settings that the method
    cannot work with."""
    if method is not None:
        if isinstance(method, ChecksSettings):
            method.check(experiment, len(experiment.objectives))
        if experiment.learn_from and not isinstance(method, LearnsElsewhere):
            raise KeyedError(("learn_from",), LEARNS_NOTHING.format(type(method).__name__))
        name = f"{type(method).__module__}{GIVEN}{type(method).__qualname__}"
        experiment = experiment.model_copy(update={"method": name})
    hardware = hardware_of(experiment)
    if model is None:
        make_model = ExperimentModel.of(experiment)
        model = make_model()
    if experiment.data is not None:  # a network of one's own need not have every length
        with under("steps"):
            model.trace(homogeneous(model.sites, BASELINE_BITS), experiment.steps)
    if isinstance(model, HasWidths):
        hardware.offer_widths(model.bit_widths)
    return Plan(experiment, hardware, model, make_model, method, learnt_elsewhere(experiment))


def hardware_of(experiment: Experiment) -> Hardware:
    """The experiment's variants, or its one architecture. Raises InputError for one that cannot be, or has no area
    where an objective needs it."""
    needing = [objective.name for objective in experiment.resolved_objectives if objective.needs_area]
    return Hardware(experiment.hardware, experiment.arch, experiment.set, needing[0] if needing else "")


@dataclass(frozen=True)
class Session:
    """A run under way: its folder is locked, and the ledger in it is open."""

    plan: Plan
    folder: RunFolder
    ledger: Ledger
    executor: Executor
    source: Source
    identity: Identity

    def evaluator(self, variant: Variant, sends: bool = False) -> Evaluator:
        """What evaluates candidates on a variant, with the original parameters; `sends`: some have thresholds, whatever
        the experiment says."""
        plan = self.plan
        kind = DeltaEvaluator if sends or plan.experiment.thresholds else Evaluator
        return kind(plan.model, variant.arch, plan.experiment.steps, self.ledger, self.executor, self.source)

    def evaluators(self, sends: bool = False) -> dict[int, Evaluator]:
        """What evaluates candidates on each variant, by its number."""
        first, *others = self.plan.hardware
        evaluator = self.evaluator(first, sends)
        return {first.number: evaluator, **{variant.number: evaluator.on(variant.arch) for variant in others}}


@contextmanager
def begun(
    plan: Plan, folder: Path, resume: bool, executor: Executor | None, swept: dict[str, str] | None = None
) -> Iterator[Session]:
    """A run in its folder. Of a sweep, which more generations do not extend, `swept` are digests of what it depends on
    besides. The data are read or synthesised before the folder is claimed, which is taken away again if they cannot be.
    Raises InputError for a folder that cannot be used: see `RunFolder`."""
    with with_folder(folder):
        identity = identity_of(plan.experiment, plan.hardware, plan.model, plan.given_method)
    identity["digests"] |= swept or {}
    if plan.elsewhere:
        identity["digests"]["errors to learn from"] = digest_of(text_of(plan.elsewhere))
    kind = CODESIGN if plan.experiment.hardware else SEARCH
    with (
        RunFolder(folder, identity, resume, kind, swept is None) as state,
        closing(Ledger(folder / LEDGER_FILE)) as ledger,
    ):
        if state.is_new:
            ledger.begin_anew()
        source = Source.of(plan.model, plan.make_model)
        yield Session(plan, state, ledger, executor or Inline(), source, identity)
