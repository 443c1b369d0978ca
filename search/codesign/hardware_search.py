"""A search whose genes hold the hardware as well as the bits. It resumes as a search on one piece of hardware does, and
leaves the files of a sweep."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quant.sites.candidate import Bits, name_of
from search.codesign.checked_sweep import checked
from search.codesign.design_points import OVER_ERROR, OVER_MEMORY, WHY_UNKNOWN, CoDesign, kind_of
from search.codesign.limits import error_limit_of
from search.codesign.point_arrays import PointArrays
from search.codesign.sweep_outputs import write_sweep
from search.evaluation.executors.executor import Executor
from search.evaluation.executors.worker import MakeModel
from search.evaluation.model import HasPrecisions, Model
from search.evaluation.progress import reporter
from search.evaluation.quality import Cost, Unknown
from search.methods.method import ChecksSettings, Method, ReplacedOverHardware, Trial
from search.methods.registry import METHODS, method_named
from search.runs.design_space import DesignSpace
from search.runs.driver import Progress, check_no_candidates, check_thresholds, on_generation
from search.runs.initial import initial_points
from search.runs.point_costs import PointCosts
from search.runs.search_loop import search_space
from search.runs.session import Plan, begun, plan
from search.runs.shortfall import NothingFeasible, shortfall
from search.settings.experiment import Experiment
from search.settings.experiment_source import located
from search.space.design_genome import VariantsGenome
from simulators.inputs.source_locations import KeyedError


@located
def search_hardware(
    experiment: Experiment,
    folder: Path,
    resume: bool = False,
    progress: Progress | None = None,
    model: Model | None = None,
    executor: Executor | None = None,
    factory: MakeModel | None = None,
    method: Method | None = None,
    check: bool = True,
) -> CoDesign:
    """Search variants and bits together; results in `folder`, as of a sweep. Raises InputError as `search.run` does."""
    check_no_candidates(experiment)
    if isinstance(method, ReplacedOverHardware):
        name = type(method).__name__
        raise KeyedError(("hardware",), f"{name} knows bits only; {method.over_hardware} searches both")
    planned = plan(experiment if method else over_hardware(experiment), model, factory, method)
    check_thresholds(planned)
    searcher = planned.method()
    hardware, has_widths = planned.hardware, isinstance(planned.model, HasPrecisions)
    genome = VariantsGenome(planned.genome(hardware.precisions), hardware, has_widths)
    with begun(planned, folder, resume, executor) as session:
        settings = planned.experiment
        evaluators = session.evaluators()
        points = PointCosts(settings.constraints, genome, evaluators)
        points.check()
        if progress:
            progress.started(settings.population + settings.offspring * settings.generations)
        limit = error_limit_of(settings, evaluators[0])
        space = DesignSpace(settings, points, limit, initial_points(settings, genome, points), reporter(progress))
        trials = search_space(searcher, space, settings, session.folder, on_generation(progress, settings))
        result = _result(planned, folder, space, trials)
        if check and settings.needs_error:
            write_sweep(result, session.identity, "search")
            result = checked(result, evaluators[0], progress)
        write_sweep(result, session.identity, "search")
    return result


def over_hardware(experiment: Experiment) -> Experiment:
    """The experiment with the method that runs: one that knows bits only has another in its place."""
    own = method_named(experiment.method) if experiment.method in METHODS else None
    if not isinstance(own, ReplacedOverHardware):
        return experiment
    other = method_named(own.over_hardware)
    if isinstance(other, ChecksSettings):
        other.check(experiment, len(experiment.objectives))
    return experiment.model_copy(update={"method": own.over_hardware})


def _result(planned: Plan, folder: Path, space: DesignSpace, trials: Sequence[Trial]) -> CoDesign:
    """What the search looked at, within the limits, as points sorted by variant."""
    left_out = defaultdict[int, Counter[str]](Counter)
    candidates: dict[str, tuple[int, Bits]] = {}
    memory_mib: list[float] = []
    points: list[tuple[int, int, Cost]] = []
    for trial in trials:
        cost = space.points.cost(planned.hardware.variants[trial.variant], trial.bits)
        reason = _why_left_out(space, trial, cost)
        if isinstance(cost, str) or reason:
            left_out[trial.variant][reason] += 1
            continue
        number, _ = candidates.setdefault(name_of(trial.bits), (len(candidates), trial.bits))
        if number == len(memory_mib):
            memory_mib.append(cost.memory_mib)
        points.append((trial.variant, number, cost))
    if not points:
        raise NothingFeasible(shortfall(trials))
    return CoDesign(
        experiment=planned.experiment,
        folder=folder,
        hardware=planned.hardware,
        candidates=tuple(bits for _, bits in candidates.values()),
        qualities=tuple(space.evaluator.known_quality(bits) for _, bits in candidates.values()),
        memory_mib=np.array(memory_mib),
        error_limit=space.error_limit,
        **PointArrays.of(points, left_out)._asdict(),
        evaluated=sum(one.evaluated for one in space.points.evaluators.values()),
        model=planned.model,
    )


def _why_left_out(space: DesignSpace, trial: Trial, cost: Cost | str) -> str:
    """The kind of reason why a design point is none of the result; empty for one that is."""
    if isinstance(cost, str):
        return kind_of(cost)
    if space.points.over_limits(cost):
        return OVER_MEMORY
    if unknown := space.evaluator.why_unknown(trial.bits):
        return WHY_UNKNOWN[unknown]
    if not cost.is_known:
        return WHY_UNKNOWN[Unknown.KILLED]
    return "" if trial.feasible else OVER_ERROR
