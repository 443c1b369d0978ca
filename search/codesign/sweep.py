"""Sweeps: candidates on many variants of hardware.

A candidate's error is found once, whatever the hardware; cycles and energy come from the simulators, a variant at a
time. A sweep that was killed and goes on ends with the files of one that was not.
"""

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from quant.sites.candidate import Bits, name_of
from search.codesign.checked_sweep import checked
from search.codesign.design_points import CoDesign
from search.codesign.sent_sweep import sends, sent_points
from search.codesign.sweep_candidates import Screened, copy_known, memory_of, named_candidates, screened
from search.codesign.sweep_outputs import write_sweep
from search.codesign.sweep_parts import PARTS, SimulateAll, swept_points, variant_figures
from search.evaluation.delta_evaluator import DeltaEvaluator
from search.evaluation.evaluator import Evaluator
from search.evaluation.executors.executor import Executor, SimulatesVariants
from search.evaluation.ledger import LEDGER_FILE
from search.evaluation.model import Model
from search.evaluation.progress import EvaluationProgress
from search.runs.driver import VariantSearch, check_thresholds
from search.runs.identity import digest_of
from search.runs.session import Plan, Session, begun, plan
from search.runs.shortfall import NothingFeasible
from search.settings.experiment import Experiment
from search.settings.experiment_source import located
from search.space.genome import Genes
from simulators.inputs.cores import processes
from simulators.inputs.source_locations import KeyedError
from simulators.run.parallel_sweep import simulate_on_all


class SweepProgress(EvaluationProgress, Protocol):
    """What a display of a sweep is told; every method may do nothing."""

    def searching(self, number: int, variants: int) -> None:
        """Candidates are searched for on a variant."""

    def simulating(self, done: int, variants: int, candidates: int) -> None:
        """So many variants are simulated."""


@located
def sweep(
    experiment: Experiment,
    folder: Path,
    resume: bool = False,
    progress: SweepProgress | None = None,
    model: Model | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
) -> CoDesign:
    """All candidates on all variants; results in `folder`, see `search.codesign.sweep_outputs`. `workers`: processes
    of this machine that simulate, by default the executor's where it has some that can, or else one a core.

    Raises InputError as `search.run` does.
    """
    if not experiment.hardware:
        raise KeyedError(("hardware",), "missing: a sweep needs variants of the hardware")
    if experiment.learn_from and experiment.candidates is not None:
        raise KeyedError(("learn_from",), "the candidates are named: nothing is searched for, and nothing learnt")
    if experiment.thresholds and experiment.candidates is not None and experiment.candidates.random is None:
        raise KeyedError(("thresholds",), "the candidates are named, with thresholds of their own, as in 8x8@16")
    simulate = _simulating(executor, workers)
    planned = plan(experiment, model)
    check_thresholds(planned)
    planned.genome(planned.hardware.precisions)  # settings that do not go with it are refused before anything is done
    source = experiment.candidates
    named = None if source is None else named_candidates(source, planned)
    sending = bool(experiment.thresholds) or sends(named or [], planned.model)
    digests = {} if named is None else {"candidates": digest_of(name_of(bits) for bits in named)}
    with begun(planned, folder, resume, executor, digests) as session:
        if source is not None and source.run is not None:
            copy_known(Path(source.run) / LEDGER_FILE, session.ledger, planned.model, named or [])
        evaluators = session.evaluators(sending)
        candidates = _searched(session, evaluators, progress) if named is None else named
        within = screened(experiment, evaluators[0], candidates, progress)
        result = _swept(session, evaluators, within, progress, simulate)
        if experiment.needs_error:
            write_sweep(result, session.identity)  # test takes its time, and what was found is there meanwhile
            result = checked(result, evaluators[0], progress)
        write_sweep(result, session.identity)
        shutil.rmtree(folder / PARTS, ignore_errors=True)
    return result


class _Unrecorded:
    """A search within a sweep: the ledger resumes it, nothing else is kept."""

    keeps_order, saved = False, 0

    def __init__(self, folder: Path):
        self.folder = folder

    def check(self, number: int, genes: Genes) -> None:
        """Nothing was saved that a generation could differ from."""

    def save(self, number: int, genes: Genes) -> None:
        """Nothing is saved."""


def _searched(
    session: Session, evaluators: Mapping[int, Evaluator], progress: SweepProgress | None
) -> list[Bits]:  # fmt: skip
    """What a search on each variant looks at, each candidate once."""
    planned, hardware = session.plan, session.plan.hardware
    single = _on_one_variant(planned)
    candidates: dict[str, Bits] = {}
    for variant in hardware:
        if progress:
            progress.searching(variant.number, len(hardware))
        search = VariantSearch.of(single, variant)
        for solution in search.run(evaluators[variant.number], _Unrecorded(session.folder.folder)).visited:
            candidates.setdefault(solution.name, solution.bits)
    return list(candidates.values())


def _on_one_variant(planned: Plan) -> Plan:
    """The plan of a search on any variant by itself, where its area is the same for all candidates."""
    experiment = planned.experiment
    names = tuple(o.name for o in experiment.resolved_objectives if o.applies(to_variants=False))
    if not names:
        rule = f"{experiment.objectives[0]}: a search on each variant needs another beside it"
        raise KeyedError(("objectives",), rule)
    single = experiment.model_copy(update={"objectives": names, "hardware": (), "published": None})
    return replace(planned, experiment=single)


def _simulating(executor: Executor | None, workers: int | None) -> SimulateAll:
    """Where variants are simulated."""
    if workers is None and isinstance(executor, SimulatesVariants):
        return executor.simulate
    return partial(simulate_on_all, workers=processes(workers))


def _swept(
    session: Session, evaluators: Mapping[int, Evaluator], within: Screened, progress: SweepProgress | None,
    simulate: SimulateAll,
) -> CoDesign:  # fmt: skip
    """The candidates on all variants."""
    planned, folder, evaluator = session.plan, session.folder.folder, evaluators[0]
    hardware, candidates = planned.hardware, within.candidates

    def done(count: int) -> None:
        if progress:
            progress.simulating(count, len(hardware), len(candidates))

    if isinstance(evaluator, DeltaEvaluator):
        points = sent_points(candidates, within.left_out, hardware, evaluators, done)
    else:
        # Those that a search drew may be others where another version of its method or a library goes on with it.
        of_these = folder / PARTS / digest_of(map(name_of, candidates))[:12]
        parts = variant_figures(candidates, evaluator.steps, hardware, planned.model, of_these, simulate, done)
        points = swept_points(parts, within.left_out)
    if not len(points.variant):
        counts = sum(map(Counter, points.left_out.values()), Counter[str]())
        reasons = "; ".join(f"{count}: {reason}" for reason, count in counts.most_common())
        raise NothingFeasible(f"no variant of {len(hardware)} can run any of {len(candidates)} candidates: {reasons}")
    return CoDesign(
        experiment=planned.experiment,
        folder=folder,
        hardware=hardware,
        candidates=tuple(candidates),
        qualities=tuple(evaluator.known_quality(bits) for bits in candidates),
        memory_mib=np.array([memory_of(evaluator, bits) for bits in candidates]),
        error_limit=within.error_limit,
        **points._asdict(),
        evaluated=sum(one.evaluated for one in evaluators.values()),
        model=planned.model,
    )
