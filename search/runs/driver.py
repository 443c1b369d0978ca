"""A search from beginning to end: a method (`search.methods`) asks for post-training-quantized candidates, an evaluator
answers, with the help of beacons where the experiment has them (`search.evaluation.beacons`), as MOHAQ does (Rezk et
al. 2022).

A run is a function of its experiment, model, data, hardware and code, and of the processor, where a method learns in
floating point: what a method asks for follows from its seed and from what it was told, and every evaluation that it saw
is in the ledger. To resume is therefore to run again from the seed, with all finished evaluations found in the ledger
at next to no cost; the state saved after each generation is held against what the rerun passes through, so that a run
whose surroundings changed is refused rather than silently mixed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from search.evaluation.beacons import BeaconEvaluator
from search.evaluation.evaluator import Evaluator
from search.evaluation.executors.executor import Executor
from search.evaluation.executors.worker import MakeModel
from search.evaluation.finetuning import FinetuneEvaluator
from search.evaluation.model import HasDeltas, HasFloatError, HasThresholdSites, Model
from search.evaluation.progress import EvaluationProgress, OnQuality, reporter
from search.evaluation.quality import BASELINE_BITS, Quality, Unknown
from search.evaluation.racing import RacingEvaluator
from search.methods.method import Method, Trial
from search.runs.budget_limits import BudgetLimits, check_budget
from search.runs.checked_front import checked
from search.runs.confirmation import check_confirmable, confirmed
from search.runs.design_space import DesignSpace
from search.runs.initial import initial_candidates
from search.runs.point_costs import PointCosts
from search.runs.recorder import OnGeneration, Recorder
from search.runs.results import Run, Solution
from search.runs.search_loop import search_space
from search.runs.search_outputs import write_outputs
from search.runs.searched_points import front_of
from search.runs.session import Plan, begun, plan
from search.runs.shortfall import shortfall
from search.settings.experiment import Experiment
from search.settings.experiment_source import located
from search.space.design_genome import OneVariantGenome
from search.space.genome import Genome
from search.space.hardware_variants import Variant
from search.space.threshold_genes import KEY, check_hardware, check_sites
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import KeyedError
from simulators.lowering.platform import platform_named


class Progress(EvaluationProgress, Protocol):
    """What a display of a search is told; every method may do nothing."""

    def generation(self, number: int, of: int, candidates: int, front: int) -> None:
        """A generation is complete; so many candidates were asked for in all, so many are on the front."""


@located
def run(
    experiment: Experiment,
    folder: Path,
    resume: bool = False,
    progress: Progress | None = None,
    model: Model | None = None,
    executor: Executor | None = None,
    factory: MakeModel | None = None,
    method: Method | None = None,
    check: bool = True,
) -> Run:
    """Search, and write the results to `folder`: see `search.runs.search_outputs`.

    `model` is by default the experiment's, loaded by `quant.load_model`. Evaluations run where `executor` says, in this
    process by default; other processes come by a given model through `factory`, or else it is pickled. A `method` takes
    the place of the one that the experiment names. Without `check` the front is not held against test and all of dev.
    Raises InputError if the folder holds another run, or this one and `resume` is false.
    """
    if experiment.hardware:
        raise KeyedError(("hardware",), "several variants: search.codesign.hardware_search searches them")
    check_no_candidates(experiment)
    planned = plan(experiment, model, factory, method)
    check_thresholds(planned)
    (variant,) = planned.hardware
    search = VariantSearch.of(planned, variant)
    if experiment.confirm:
        check_confirmable(planned.model)
    with begun(planned, folder, resume, executor) as session:
        evaluator = session.evaluator(variant)
        if experiment.retraining is not None:
            retraining = BeaconEvaluator if experiment.finetune is None else FinetuneEvaluator
            evaluator = retraining(evaluator, experiment.retraining, folder, progress)
        if experiment.fidelity is not None:
            evaluator = RacingEvaluator(evaluator, experiment.fidelity, experiment.resolved_objectives, experiment.seed)
        result = search.run(evaluator, session.folder, progress)
        if experiment.confirm:
            result = confirmed(result, evaluator, progress)
        if check and experiment.needs_error:
            write_outputs(result, session.identity)  # test takes its time, and what was found is there meanwhile
            result = checked(result, evaluator, progress)
        write_outputs(result, session.identity)
    return result


def check_no_candidates(experiment: Experiment) -> None:
    """Raise KeyedError for a search that names its candidates, as a sweep does."""
    if experiment.candidates is not None:
        raise KeyedError(("candidates",), "they are a sweep's (mohaq sweep); a search finds its own")


@dataclass(frozen=True)
class VariantSearch:
    """A search on one piece of hardware, checked and not begun."""

    experiment: Experiment
    variant: Variant
    genome: Genome
    method: Method

    @classmethod
    def of(cls, planned: Plan, variant: Variant) -> Self:
        """The search that a plan has on a variant. Raises KeyedError for settings that do not go with it."""
        experiment, arch = planned.experiment, variant.arch
        if experiment.published not in (None, "memory", arch.platform):
            rule = f"{experiment.published}: its claims are of another platform than {arch.name}"
            raise KeyedError(("published",), rule)
        for i, objective in enumerate(experiment.resolved_objectives):
            if objective.platforms is not None and arch.platform not in objective.platforms:
                rule = f"{objective.name}: MOHAQ has no closed form of it for platform {arch.platform}"
                raise KeyedError(("objectives", i), rule)
            if objective.needs_dram and not platform_named(arch.platform).has_dram_energy(arch.spec):
                rule = f"{objective.name}: {arch.name} has no figure of DRAM's energy"
                raise KeyedError(("objectives", i), rule)
        genome = planned.genome(variant.precisions)
        relative = experiment.constraints.error_increase is not None
        without_base = experiment.beacons is not None and not isinstance(planned.model, HasFloatError)
        if (relative or without_base) and BASELINE_BITS not in genome.homogeneous():
            key = ("constraints", "error_increase") if relative else ("beacons",)
            rule = f"it needs a {BASELINE_BITS}-bit baseline, which {arch.name} does not offer"
            raise KeyedError(key, f"{rule}: give constraints.error instead" if relative else rule)
        check_budget(experiment.constraints.budget, genome, arch.name)
        return cls(experiment, variant, genome, planned.method())

    def run(self, evaluator: Evaluator, recorder: Recorder, progress: Progress | None = None) -> Run:
        """Search with an evaluator, and write nothing but what the recorder and the ledger do."""
        experiment, done = self.experiment, reporter(progress)
        genome = OneVariantGenome(self.genome, self.variant)
        budget = BudgetLimits.of(experiment.constraints.budget, evaluator, self.genome)
        points = PointCosts(experiment.constraints, genome, {self.variant.number: evaluator}, budget)
        points.check()
        if progress:
            progress.started(experiment.population + experiment.offspring * experiment.generations)
        baselines = self._baselines(evaluator, done)
        limit = self._error_limit(evaluator, baselines)
        if isinstance(evaluator, BeaconEvaluator):
            evaluator.begin(0.0 if experiment.beacons is None else self._base_of_beacons(evaluator, baselines))
        if isinstance(evaluator, RacingEvaluator):
            evaluator.begin(limit)
        within = [s.bits for s in baselines.values() if s.quality and (limit is None or s.quality.error <= limit)]
        initial = initial_candidates(experiment, self.genome, within, points)
        space = DesignSpace(experiment, points, limit, initial, done)
        trials = search_space(self.method, space, experiment, recorder, on_generation(progress, experiment))
        return self._result(evaluator, recorder, trials, baselines, (limit, budget))

    def _baselines(self, evaluator: Evaluator, done: OnQuality | None) -> dict[int, Solution]:
        """The candidates of one width for everything, evaluated, by that width in bits."""
        homogeneous = self.genome.homogeneous()
        qualities = evaluator.qualities(list(homogeneous.values()), done)
        return {
            width: Solution(bits, quality, evaluator.cost(bits))
            for (width, bits), quality in zip(homogeneous.items(), qualities, strict=True)
        }

    def _error_limit(self, evaluator: Evaluator, baselines: Mapping[int, Solution]) -> float | None:
        """The largest feasible error in percent."""
        constraints = self.experiment.constraints
        if constraints.error_increase is None:
            return constraints.error
        return self._base(evaluator, baselines).error + constraints.error_increase

    def _base_of_beacons(self, evaluator: Evaluator, baselines: Mapping[int, Solution]) -> float:
        """The error in percent over which a candidate is worth retraining: that of 16 bits, or, on hardware that does
        not offer them, of float32."""
        if BASELINE_BITS in baselines:
            return self._base(evaluator, baselines).error
        error = evaluator.float_error()
        if error is None:
            raise InputError(f"{self.experiment.name}: the model has no error in float32: beacons need a base")
        return error

    def _base(self, evaluator: Evaluator, baselines: Mapping[int, Solution]) -> Quality:
        """What the search's increases of error are counted from."""
        base = baselines[BASELINE_BITS]
        if base.quality is None:
            unknown = evaluator.why_unknown(base.bits)
            why = "it was not evaluated" if unknown is None else unknown.value
            raise InputError(
                f"{self.experiment.name}: the {BASELINE_BITS}-bit baseline has no error: {why}: a search needs it"
            )
        return base.quality

    def _retrained(self, evaluator: Evaluator, beacons: Sequence[str]) -> dict[str, Model]:
        """See `Run.retrained`."""
        wanted = {beacon for beacon in beacons if beacon and self.experiment.thresholds}
        return {beacon: evaluator.with_parameters(beacon).model for beacon in sorted(wanted)}

    def _result(
        self, evaluator: Evaluator, recorder: Recorder, trials: list[Trial], baselines: Mapping[int, Solution],
        limits: tuple[float | None, BudgetLimits],
    ) -> Run:  # fmt: skip
        limit, budget = limits
        costs = evaluator.costs([trial.bits for trial in trials])
        solutions = {
            trial.name: Solution(trial.bits, evaluator.known_quality(trial.bits), cost)
            for trial, cost in zip(trials, costs, strict=True)
        }
        unknown = {name: evaluator.why_unknown(solution.bits) for name, solution in solutions.items()}
        front = sorted(front_of(trials), key=lambda trial: (*trial.objectives.tolist(), trial.name))
        return Run(
            experiment=self.experiment,
            folder=recorder.folder,
            front=tuple(solutions[trial.name] for trial in front),
            visited=tuple(solutions.values()),
            feasible=tuple(trial.feasible for trial in trials),
            baselines=baselines,
            error_limit=limit,
            budget=budget,
            evaluated=evaluator.evaluated,
            model=evaluator.model,
            arch=evaluator.arch,
            area_mm2=self.variant.area_mm2,
            shortfall=shortfall(trials, [of.name for of in budget.limits]),
            float_error=evaluator.float_error(),
            retraining=evaluator.retraining_cost() if isinstance(evaluator, BeaconEvaluator) else None,
            set_aside=tuple(s for name, s in solutions.items() if unknown[name] is Unknown.KILLED),
            retrained=self._retrained(evaluator, [solutions[trial.name].chosen.beacon for trial in front]),
            no_number=tuple(s for name, s in solutions.items() if unknown[name] is Unknown.NO_NUMBER),
        )


def check_thresholds(planned: Plan) -> None:
    """Raise KeyedError for thresholds that the model makes nothing of, or none of the hardware."""
    groups = planned.genome(planned.hardware.precisions).thresholds
    if not groups:
        return
    model = planned.model
    if not isinstance(model, HasDeltas):
        raise KeyedError((KEY,), "as genes they are for recognisers of this project and networks from files")
    sites = model.sites
    if isinstance(model, HasThresholdSites):
        check_sites(groups, model.without_thresholds())
        sites = model.threshold_sites()
        if planned.experiment.beacons is not None:
            raise KeyedError((KEY,), "a network from a file is not retrained with them: leave out beacons")
    check_hardware(groups, [variant.arch for variant in planned.hardware], sites)


def on_generation(progress: Progress | None, experiment: Experiment) -> OnGeneration | None:
    """What tells a display of each generation."""
    if progress is None:
        return None
    return lambda number, points, front: progress.generation(number, experiment.generations, points, front)
