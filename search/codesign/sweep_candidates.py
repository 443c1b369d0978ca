"""The candidates of a sweep: named by the experiment, or found by a search on each variant; and which of them are
within the limits."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from quant.sites.candidate import Bits, homogeneous, name_of, parse_bits
from quant.sites.site import Site
from search.codesign.design_points import OVER_ERROR, OVER_MEMORY, WHY_UNKNOWN
from search.codesign.limits import error_limit_of
from search.evaluation.evaluator import Evaluator
from search.evaluation.ledger import LEDGER_FILE, Ledger, errors_of
from search.evaluation.model import MIB_BITS, HasPrecisions, Model, stored_bits_of
from search.evaluation.progress import EvaluationProgress, reporter
from search.evaluation.quality import BASELINE_BITS
from search.held_out.split_errors import copy_errors
from search.runs.run_reader import load_run
from search.runs.session import Plan
from search.runs.shortfall import NothingFeasible
from search.settings.candidate_source import SweepCandidates
from search.settings.experiment import Experiment
from search.space.design_genome import fitted
from search.space.hardware_variants import Hardware
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import KeyedError, under

DRAWS = 100
"""Draws for each candidate that is wanted at random before there are taken to be no more."""


def named_candidates(source: SweepCandidates, planned: Plan) -> list[Bits]:
    """The candidates that an experiment names, each once, and what each becomes where a variant lacks bits of it.
    Raises KeyedError for one that cannot be."""
    named = _named(source, planned) if source.random is None else _drawn(source.random, planned)
    return named if isinstance(planned.model, HasPrecisions) else _with_lifted(named, planned.hardware)


def _named(source: SweepCandidates, planned: Plan) -> list[Bits]:
    """The candidates of a list or of another run."""
    model = planned.model
    texts = list(source.bits) if source.run is None else _of_run(source.run, source, model)
    candidates: dict[str, Bits] = {}
    for i, text in enumerate(texts):
        try:
            parsed = parse_bits(text, cast(Sequence[Site], model.sites))  # it asks for names alone
        except InputError as error:
            key = ("candidates", "bits", i) if source.bits else ("candidates", "run")
            raise KeyedError(key, str(error).removeprefix("bits: ")) from None
        bits = {site.name: parsed[site.name] for site in model.sites}
        candidates.setdefault(name_of(bits), bits)
    if not candidates:
        raise KeyedError(("candidates", "run"), f"{source.run}: it has none of this model and these data")
    return list(candidates.values())


def _with_lifted(named: Sequence[Bits], hardware: Hardware) -> list[Bits]:
    """Candidates, and behind them what each becomes on hardware that lacks bits of it, as where genes choose the
    hardware: the next wider ones that are offered."""
    candidates = {name_of(bits): bits for bits in named}
    for offered in dict.fromkeys(variant.precisions for variant in hardware):
        for bits in named:
            lifted = fitted(bits, offered)
            candidates.setdefault(name_of(lifted), lifted)
    return list(candidates.values())


def _drawn(count: int, planned: Plan) -> list[Bits]:
    """So many distinct candidates of what any variant offers, drawn evenly."""
    genome = planned.genome(planned.hardware.precisions)
    generator = np.random.default_rng(planned.experiment.seed)
    drawn: dict[str, Bits] = {}
    for _ in range(DRAWS * count):
        bits = genome.decode(generator.integers(0, genome.upper + 1))
        drawn.setdefault(name_of(bits), bits)
        if len(drawn) == count:
            return list(drawn.values())
    raise KeyedError(("candidates", "random"), f"{count}: there are hardly more than {len(drawn)} distinct ones")


def _of_run(folder: str, source: SweepCandidates, model: Model) -> list[str]:
    """The candidates of a finished search, as text."""
    with under("candidates", "run"):
        run = load_run(Path(folder))
        if run.results is None:
            raise InputError(f"{folder}: the search is not finished")
    if source.take == "front":
        return [row["bits"] for row in run.results["front"]]
    with closing(Ledger(Path(folder) / LEDGER_FILE)) as ledger:
        return ledger.candidates(errors_of(model))


def copy_known(path: Path, ledger: Ledger, model: Model, candidates: Sequence[Bits]) -> None:
    """Record what another run's ledger knows of the candidates, and of 16 bits for everything."""
    if path.is_file():
        base = homogeneous(model.sites, BASELINE_BITS)
        with closing(Ledger(path)) as other:
            copy_errors(other, ledger, model, [name_of(bits) for bits in (base, *candidates)])


@dataclass(frozen=True)
class Screened:
    """The candidates of a sweep that are within the limits, and how many are not."""

    candidates: list[Bits]
    left_out: dict[str, int]
    """Reason → how many."""
    error_limit: float | None
    """Largest feasible error in percent."""


def screened(
    experiment: Experiment, evaluator: Evaluator, candidates: Sequence[Bits], progress: EvaluationProgress | None
) -> Screened:
    """The candidates within the limits, in their order: those over the memory limit are not evaluated. Raises
    NothingFeasible where there are none."""
    allowed = experiment.constraints.memory_mib
    kept = [bits for bits in candidates if allowed is None or memory_of(evaluator, bits) <= allowed]
    left_out = {OVER_MEMORY: len(candidates) - len(kept)}
    limit = None
    if experiment.needs_error:
        if progress:
            progress.started(len(kept))
        limit = error_limit_of(experiment, evaluator)
        qualities = evaluator.qualities(kept, reporter(progress))
        evaluated = [(bits, quality) for bits, quality in zip(kept, qualities, strict=True) if quality is not None]
        unknown = Counter(evaluator.why_unknown(bits) for bits in kept)
        left_out |= {reason: unknown[why] for why, reason in WHY_UNKNOWN.items()}
        kept = [bits for bits, quality in evaluated if limit is None or quality.error <= limit]
        left_out[OVER_ERROR] = len(evaluated) - len(kept)
    if not kept:
        known = {name_of(bits): evaluator.known_quality(bits) for bits in candidates}
        errors = {name: quality.error for name, quality in known.items() if quality is not None}
        raise NothingFeasible(
            _nearest({name_of(bits): memory_of(evaluator, bits) for bits in candidates}, allowed, errors, limit)
        )
    return Screened(kept, {reason: count for reason, count in left_out.items() if count}, limit)


def _nearest(
    memories: Mapping[str, float], allowed: float | None, errors: Mapping[str, float], limit: float | None
) -> str:
    """What is said where no candidate is within the limits: by how much the nearest fails. Candidates have, by name,
    memories in MiB and, where they were evaluated, errors in percent; both have limits."""
    said = f"nothing is within the limits: of {len(memories)} candidates the nearest"
    within = {name: errors[name] for name in errors if allowed is None or memories[name] <= allowed}
    if within and limit is not None:
        name = min(within, key=lambda name: within[name])
        return f"{said}, {name}, exceeds them by {within[name] - limit:.3g} percentage points of error"
    if allowed is None or min(memories.values()) <= allowed:
        return f"nothing is within the limits: none of {len(memories)} candidates could be evaluated"
    name = min(memories, key=lambda name: memories[name])
    return f"{said}, {name}, exceeds them by {memories[name] - allowed:.3g} MiB of memory"


def memory_of(evaluator: Evaluator, bits: Bits) -> float:
    """MiB that a candidate's parameters take."""
    return stored_bits_of(evaluator.model, bits, evaluator.steps) / MIB_BITS
