"""A search from beginning to end: a method (`search.methods.pymoo_methods`) asks for post-training-quantized
candidates, an evaluator answers, with the help of beacons where the experiment has them (`search.evaluation.beacons`),
as MOHAQ does (Rezk et al. 2022).

A run is a function of its experiment, model, data, hardware and code, and of the processor, where a method learns in
floating point: a method draws from one seeded generator, and
every evaluation that it saw is in the ledger. To resume is therefore to run again from the seed, with all finished
evaluations found in the ledger at next to no cost; the state saved after each generation is held against what the
rerun passes through, so that a run whose surroundings changed is refused rather than silently mixed.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from quant.sites.candidate import name_of
from search.evaluation.beacons import BeaconEvaluator, digest_of_carried
from search.evaluation.evaluator import Evaluator, Quality
from search.evaluation.executors.executor import Executor, Inline
from search.evaluation.executors.worker import Source
from search.evaluation.ledger import LEDGER_FILE, Ledger
from search.evaluation.model import HasPrecisions, code_of
from search.methods.pymoo_methods import method_of
from search.runs.generations import Recorder, generations
from search.runs.problem import PLATFORMS_OF, BitWidthProblem
from search.runs.results import Run, Solution
from search.runs.run_folder import RunFolder
from search.runs.search_outputs import write_outputs
from search.settings.experiment import Experiment, ExperimentModel
from search.settings.experiment_source import located
from search.space.genome import Bits, Genome
from search.space.hardware_variants import experiment_arch, spec_changes
from simulators import Arch
from simulators.inputs.errors import InputError
from simulators.inputs.files import with_folder
from simulators.inputs.source_locations import KeyedError, or_else_under
from simulators.run.cost_code import cost_code

BASELINE_BITS = 16


class Progress(Protocol):
    """What a display is told; every method may do nothing."""

    def started(self, candidates: int) -> None:
        """The search will look at about this many candidates."""

    def evaluated(self, bits: Bits, quality: Quality) -> None:
        """One candidate's error is known, computed now or found in the ledger."""

    def set_aside(self, bits: Bits) -> None:
        """One candidate's evaluation killed the workers that tried it, now or before: it counts as infeasible."""

    def generation(self, number: int, of: int, candidates: int, front: int) -> None:
        """A generation is complete; so many candidates were asked for in all, so many are on the front."""


@located
def run(
    experiment: Experiment,
    folder: Path,
    resume: bool = False,
    progress: Progress | None = None,
    model: Any = None,
    executor: Executor | None = None,
    factory: Callable[[], Any] | None = None,
) -> Run:
    """Search, and write the results to `folder`: see `search.runs.search_outputs`.

    `model` is by default the experiment's, loaded by `quant.load_model`. Evaluations run where `executor` says, in this
    process by default; other processes come by a given model through `factory`, or else it is pickled. Raises
    InputError if the folder holds another run, or this one and `resume` is false.
    """
    arch = experiment_arch(experiment.arch, spec_changes(experiment.set))
    if experiment.published not in (None, "memory", arch.platform):
        rule = f"{experiment.published}: its claims are of another platform than {arch.name}"
        raise KeyedError(("published",), rule)
    if model is None:
        factory = ExperimentModel.of(experiment)
        model = factory()
    genome_of(experiment, model, arch)
    carried = {}
    if experiment.beacons is not None and experiment.beacons.carry:
        carried = {"carried beacons": digest_of_carried(experiment.beacons)}
    with with_folder(folder):  # before the data are read or synthesised: a folder that cannot be costs nothing
        data = data_digest(experiment, model)
    digests = {
        "model": model.digest,
        "data": data,
        "arch": arch.digest,
        "code of the model": code_of(model).digest(),
        "code of the simulator": cost_code(arch.platform).digest(),
        **carried,
    }
    identity = {"experiment": experiment.to_dict(), "digests": digests}
    with RunFolder(folder, identity, resume) as state, closing(Ledger(folder / LEDGER_FILE)) as ledger:
        if state.is_new:
            ledger.forget_set_aside()
        surroundings = model, arch, experiment.steps, ledger, executor or Inline()
        source = Source.of(model, factory)
        if experiment.beacons is None:
            evaluator = Evaluator(*surroundings, source)
        else:
            training = getattr(progress, "retraining", None)
            evaluator = BeaconEvaluator(*surroundings, experiment.beacons, folder, training, source)
        result = search_with(experiment, state, evaluator, progress)
        write_outputs(result, identity)
    return result


def data_digest(experiment: Experiment, model: Any) -> str:
    """Of the model's data, which are read or synthesised now."""
    with or_else_under("model" if experiment.corpus_root is None else "corpus_root"):
        return str(model.data_digest)


def genome_of(experiment: Experiment, model: Any, arch: Arch) -> Genome:
    """Of a search on one architecture. Raises KeyedError for settings that do not go with the model or with that."""
    platform = arch.platform
    for i, objective in enumerate(experiment.objectives):
        if platform not in PLATFORMS_OF.get(objective, (platform,)):
            raise KeyedError(("objectives", i), f"{objective}: MOHAQ has no closed form of it for platform {platform}")
    # A model whose sites are not products, such as `quant.own.operator_gru`, has widths of its own.
    precisions = model.precisions if isinstance(model, HasPrecisions) else arch.precisions
    genome = Genome.of([site.name for site in model.sites], precisions, experiment)
    relative = experiment.constraints.error_increase is not None
    if (relative or experiment.beacons is not None) and BASELINE_BITS not in genome.homogeneous():
        key = ("constraints", "error_increase") if relative else ("beacons",)
        rule = f"it needs a {BASELINE_BITS}-bit baseline, which {arch.name} does not offer"
        raise KeyedError(key, f"{rule}: give constraints.error instead" if relative else rule)
    return genome


def search_with(experiment: Experiment, state: Recorder, evaluator: Evaluator, progress: Progress | None) -> Run:
    """Search with an evaluator at hand, and write nothing but what `state` and the ledger do."""
    genome = genome_of(experiment, evaluator.model, evaluator.arch)
    homogeneous = genome.homogeneous()
    done = reporter(progress)
    if progress:
        progress.started(experiment.population + experiment.offspring * experiment.generations)
    qualities = evaluator.qualities(list(homogeneous.values()), done)
    baselines = {
        width: Solution(bits, quality, evaluator.cost(bits))
        for (width, bits), quality in zip(homogeneous.items(), qualities, strict=True)
    }
    limit = _error_limit(experiment, baselines)
    if isinstance(evaluator, BeaconEvaluator):
        evaluator.begin(_base(experiment, baselines).error)
    problem = BitWidthProblem(experiment, genome, evaluator, limit, done)
    known = [s.bits for s in baselines.values() if s.quality and (limit is None or s.quality.error <= limit)]
    algorithm = method_of(experiment, problem, _initial(experiment, genome, known))

    visited: dict[str, tuple[Bits, np.ndarray, bool]] = {}
    for number, asked in generations(algorithm, problem, state):
        for individual in asked:
            bits = genome.decode(individual.X)
            visited.setdefault(name_of(bits), (bits, individual.F, bool(individual.FEAS)))
        if progress:
            front = _front([f for _, f, feasible in visited.values() if feasible])
            progress.generation(number, experiment.generations, len(visited), len(front))
    costs = evaluator.costs([bits for bits, _, _ in visited.values()])
    solutions = {
        name: Solution(bits, evaluator.known_quality(bits), cost)
        for (name, (bits, _, _)), cost in zip(visited.items(), costs, strict=True)
    }
    feasible = [(name, f) for name, (_, f, ok) in visited.items() if ok]
    chosen = sorted(
        (feasible[i] for i in _front([f for _, f in feasible])), key=lambda item: (*item[1].tolist(), item[0])
    )
    return Run(
        experiment=experiment,
        folder=state.folder,
        front=tuple(solutions[name] for name, _ in chosen),
        visited=tuple(solutions.values()),
        feasible=tuple(ok for _, _, ok in visited.values()),
        baselines=baselines,
        set_aside=tuple(s for s in solutions.values() if evaluator.was_set_aside(s.bits)),
        error_limit=limit,
        evaluated=evaluator.evaluated,
        model=evaluator.model,
        arch=evaluator.arch,
    )


class Evaluations(Protocol):
    """The part of a display that is told of candidates."""

    def evaluated(self, bits: Bits, quality: Quality) -> None: ...
    def set_aside(self, bits: Bits) -> None: ...


def reporter(progress: Evaluations | None) -> Callable[[Bits, Quality | None], None] | None:
    """Tells a display of each candidate."""
    if progress is None:
        return None

    def done(bits: Bits, quality: Quality | None) -> None:
        if quality is None:
            progress.set_aside(bits)
        else:
            progress.evaluated(bits, quality)

    return done


def _initial(experiment: Experiment, genome: Genome, feasible: list[Bits]) -> np.ndarray:
    """Distinct gene vectors: what is known to be good where asked for, then random ones. `feasible`: of the homogeneous
    candidates those within the error limit, widest first."""
    generator = np.random.default_rng(experiment.seed)
    seeds = [genome.encode(bits) for bits in genome.homogeneous().values()] if experiment.seed_homogeneous else []
    if experiment.seed_neighbours and feasible:
        base = genome.encode(feasible[-1])
        seeds += [base - step for step in np.eye(len(base), dtype=base.dtype) if (base >= step).all()]
    rows = {row.tobytes(): row for row in seeds}
    possible = float(np.prod(genome.upper + 1.0))
    while len(rows) < min(experiment.population, possible):
        row = generator.integers(0, genome.upper + 1)
        rows[row.tobytes()] = row
    return np.array(list(rows.values())[: experiment.population])


def _error_limit(experiment: Experiment, baselines: dict[int, Solution]) -> float | None:
    """The largest feasible error in percent."""
    constraints = experiment.constraints
    if constraints.error_increase is None:
        return constraints.error
    return _base(experiment, baselines).error + constraints.error_increase


def _base(experiment: Experiment, baselines: dict[int, Solution]) -> Quality:
    """What the search's increases of error are counted from."""
    quality = baselines[BASELINE_BITS].quality
    if quality is None:
        raise InputError(
            f"{experiment.name}: the {BASELINE_BITS}-bit baseline killed the workers that evaluated it, and was set "
            "aside: a search needs it"
        )
    return quality


def _front(values: list[np.ndarray]) -> list[int]:
    """Positions of the non-dominated vectors (all minimised); of equal vectors all are kept."""
    if not values:
        return []
    return sorted(NonDominatedSorting().do(np.array(values), only_non_dominated_front=True).tolist())
