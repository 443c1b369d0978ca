"""Sweeps: candidates on many variants of hardware. A candidate's error is found once, whatever the hardware; cycles and
energy come from the simulators, a variant at a time, in processes that share nothing but the folder.

A finished variant is a file, `parts/NNNNN.npz`, until all are; a sweep that is killed goes on with those that are
missing, and ends with the files of one that was not.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from quant.sites.candidate import name_of, parse_bits
from search.codesign.design_points import NOT_OFFERED, OVER_ERROR, OVER_MEMORY, SET_ASIDE, CoDesign
from search.codesign.sweep_outputs import write_sweep
from search.evaluation.evaluator import Evaluator, Quality
from search.evaluation.executors.executor import Executor, Inline
from search.evaluation.executors.worker import Source
from search.evaluation.ledger import LEDGER_FILE, Ledger, errors_of
from search.evaluation.model import HasPrecisions, code_of
from search.runs.driver import BASELINE_BITS, data_digest, reporter, search_with
from search.runs.run_folder import CODESIGN_STATE_FILE, RunFolder
from search.runs.run_reader import load_run
from search.settings.experiment import Candidates, Experiment, ExperimentModel
from search.settings.experiment_source import located
from search.space.genome import Bits, Genome
from search.space.hardware_variants import Hardware, Variant
from simulators.closed_forms.mohaq import memory_mib
from simulators.inputs.cores import usable_cores
from simulators.inputs.errors import InputError
from simulators.inputs.files import with_folder
from simulators.inputs.source_locations import KeyedError, under
from simulators.run.cost_code import cost_code
from simulators.run.parallel_sweep import simulate_on_all
from simulators.run.trace_batch import Figures, TraceBatch

PARTS = "parts"


class SweepProgress(Protocol):
    """What a display is told; every method may do nothing."""

    def searching(self, number: int, variants: int) -> None:
        """Candidates are searched for on a variant."""

    def started(self, candidates: int) -> None:
        """The errors of so many candidates are wanted."""

    def evaluated(self, bits: Bits, quality: Quality) -> None:
        """One candidate's error is known."""

    def set_aside(self, bits: Bits) -> None:
        """One candidate's evaluation killed the workers that tried it."""

    def simulating(self, done: int, variants: int, candidates: int) -> None:
        """So many variants are simulated."""


@located
def sweep(
    experiment: Experiment,
    folder: Path,
    resume: bool = False,
    progress: SweepProgress | None = None,
    model: Any = None,
    executor: Executor | None = None,
    workers: int | None = None,
) -> CoDesign:
    """All candidates on all variants; results in `folder`, see `search.codesign.sweep_outputs`. `workers`: processes
    that simulate, by default one a core.

    Raises InputError as `search.run` does.
    """
    if not experiment.hardware:
        raise KeyedError(("hardware",), "missing: a sweep needs variants of the hardware")
    hardware = hardware_of(experiment)
    factory = ExperimentModel.of(experiment) if model is None else None
    model = factory() if factory else model
    genome_of(experiment, hardware, model)
    source = experiment.candidates
    given = None if source is None else _given(source, experiment, hardware, model)
    with with_folder(folder):
        identity = identity_of(experiment, hardware, model)
    if given is not None:
        identity["digests"]["candidates"] = _digest(name_of(bits) for bits in given)
    with (
        RunFolder(folder, identity, resume, CODESIGN_STATE_FILE) as state,
        closing(Ledger(folder / LEDGER_FILE)) as ledger,
    ):
        if state.is_new:
            ledger.forget_set_aside()
        comes_from = Source.of(model, factory)
        if source is not None and source.run is not None:
            _copy_errors(Path(source.run) / LEDGER_FILE, ledger, model, given or [])
        executor = executor or Inline()
        evaluators = (
            Evaluator(model, variant.arch, experiment.steps, ledger, executor, comes_from) for variant in hardware
        )
        found = given if given is not None else _searched(experiment, hardware, evaluators, folder, progress)
        evaluator = Evaluator(model, hardware.variants[0].arch, experiment.steps, ledger, executor, comes_from)
        candidates, out_of_bounds, limit = _screened(experiment, evaluator, found, progress)
        figures = _simulated(candidates, experiment.steps, hardware, model, folder / PARTS, progress, workers)
        result = _collected(experiment, folder, hardware, evaluator, candidates, out_of_bounds, limit, figures)
        write_sweep(result, identity)
        shutil.rmtree(folder / PARTS, ignore_errors=True)
    return result


def hardware_of(experiment: Experiment) -> Hardware:
    """The experiment's variants. Raises InputError for one that cannot be, or has no area where that is asked for."""
    return Hardware(experiment.hardware, experiment.arch, experiment.set, "area" in experiment.objectives)


def identity_of(experiment: Experiment, hardware: Hardware, model: Any) -> dict[str, Any]:
    """All that a co-design's results depend on."""
    digests = {
        "model": model.digest,
        "data": data_digest(experiment, model),
        "hardware": digest_of(hardware),
        "code of the model": code_of(model).digest(),
        "code of the simulator": _digest(sorted({cost_code(v.arch.platform).digest() for v in hardware})),
    }
    return {"experiment": experiment.to_dict(), "digests": digests}


def digest_of(hardware: Hardware) -> str:
    """sha256 of all variants' specs."""
    return _digest(variant.arch.digest for variant in hardware)


def genome_of(experiment: Experiment, hardware: Hardware, model: Any) -> Genome:
    """Of what any variant offers."""
    precisions = model.precisions if isinstance(model, HasPrecisions) else hardware.precisions
    return Genome.of([site.name for site in model.sites], precisions, experiment)


def offered(bits: Bits, variant: Variant, model: Any) -> bool:
    """Whether a variant has all pairs of a candidate."""
    return isinstance(model, HasPrecisions) or set(bits.values()) <= set(variant.arch.precisions)


def needs_error(experiment: Experiment) -> bool:
    """Whether candidates are evaluated at all."""
    limits = experiment.constraints.error, experiment.constraints.error_increase
    return "error" in experiment.objectives or any(limit is not None for limit in limits)


def error_limit(experiment: Experiment, evaluator: Evaluator) -> float | None:
    """The largest feasible error in percent: an increase is over 16 bits for everything, whether or not a variant has
    them."""
    if experiment.constraints.error_increase is None:
        return experiment.constraints.error
    base = {site.name: (BASELINE_BITS, BASELINE_BITS) for site in evaluator.model.sites}
    quality = evaluator.qualities([base])[0]
    if quality is None:
        raise KeyedError(("constraints", "error_increase"), f"the 16-bit baseline was {SET_ASIDE}")
    return quality.error + experiment.constraints.error_increase


def _digest(parts: Any) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _given(source: Candidates, experiment: Experiment, hardware: Hardware, model: Any) -> list[Bits]:
    """The candidates that an experiment names, each once."""
    names = [site.name for site in model.sites]
    if source.random is not None:
        genome = genome_of(experiment, hardware, model)
        generator = np.random.default_rng(experiment.seed)
        drawn: dict[str, Bits] = {}
        for _ in range(100 * source.random):
            bits = genome.decode(generator.integers(0, genome.upper + 1))
            drawn.setdefault(name_of(bits), bits)
            if len(drawn) == source.random:
                return list(drawn.values())
        rule = f"{source.random}: there are hardly more than {len(drawn)} distinct ones"
        raise KeyedError(("candidates", "random"), rule)
    if source.run is not None:
        with under("candidates", "run"):
            run = load_run(Path(source.run))
            if run.results is None:
                raise InputError(f"{source.run}: the search is not finished")
        if source.take == "front":
            texts = [row["bits"] for row in run.results["front"]]
        else:
            with closing(Ledger(Path(source.run) / LEDGER_FILE)) as ledger:
                texts = ledger.candidates(errors_of(model))
    else:
        texts = list(source.bits)
    found: dict[str, Bits] = {}
    for i, text in enumerate(texts):
        try:
            bits = parse_bits(text, model.sites)
        except InputError as error:
            key = ("candidates", "bits", i) if source.bits else ("candidates", "run")
            raise KeyedError(key, str(error).removeprefix("bits: ")) from None
        bits = {name: bits[name] for name in names}
        found.setdefault(name_of(bits), bits)
    if not found:
        raise KeyedError(("candidates", "run"), f"{source.run}: it has none of this model and these data")
    return list(found.values())


def _copy_errors(path: Path, ledger: Ledger, model: Any, candidates: Sequence[Bits]) -> None:
    """What another run's ledger knows of the candidates."""
    if not path.is_file():
        return
    with closing(Ledger(path)) as other:
        base = {site.name: (BASELINE_BITS, BASELINE_BITS) for site in model.sites}
        for bits in [base, *candidates]:
            found = other.find_error(errors_of(model), name_of(bits))
            if found is not None:
                ledger.write_error(errors_of(model), name_of(bits), found, 0.0)


class _Unrecorded:
    """A search within a sweep: the ledger resumes it, nothing else is kept."""

    def __init__(self, folder: Path):
        self.folder = folder

    def check(self, number: int, genes: np.ndarray) -> None: ...

    def save(self, number: int, genes: np.ndarray, population: Any) -> None: ...


def _searched(
    experiment: Experiment, hardware: Hardware, evaluators: Iterable[Evaluator], folder: Path,
    progress: SweepProgress | None,
) -> list[Bits]:  # fmt: skip
    """What a search on each variant looks at, each candidate once."""
    found: dict[str, Bits] = {}
    objectives = tuple(name for name in experiment.objectives if name != "area")
    if not objectives:
        raise KeyedError(("objectives",), "area: a search on each variant needs another beside it")
    single = experiment.model_copy(update={"objectives": objectives, "hardware": (), "published": None})
    for variant, evaluator in zip(hardware, evaluators, strict=True):
        if progress:
            progress.searching(variant.number, len(hardware))
        for solution in search_with(single, _Unrecorded(folder), evaluator, None).visited:
            found.setdefault(solution.name, solution.bits)
    return list(found.values())


def _screened(
    experiment: Experiment, evaluator: Evaluator, found: Sequence[Bits], progress: SweepProgress | None
) -> tuple[list[Bits], dict[str, int], float | None]:
    """The candidates within the limits, how many are not by reason, and the error limit."""
    allowed = experiment.constraints.memory_mib
    kept, out = [], {OVER_MEMORY: 0, OVER_ERROR: 0}
    for bits in found:
        if allowed is not None and memory_mib(evaluator.model.trace(bits, experiment.steps)) > allowed:
            out[OVER_MEMORY] += 1
        else:
            kept.append(bits)
    limit = None
    if needs_error(experiment):
        if progress:
            progress.started(len(kept))
        limit = error_limit(experiment, evaluator)
        qualities = evaluator.qualities(kept, reporter(progress))
        within = [(bits, quality) for bits, quality in zip(kept, qualities, strict=True) if quality is not None]
        out[SET_ASIDE] = len(kept) - len(within)
        kept = [bits for bits, quality in within if limit is None or quality.error <= limit]
        out[OVER_ERROR] = len(within) - len(kept)
    if not kept:
        raise KeyedError(("constraints",), f"none of {len(found)} candidates is within these limits")
    return kept, {reason: count for reason, count in out.items() if count}, limit


def _collected(
    experiment: Experiment, folder: Path, hardware: Hardware, evaluator: Evaluator, candidates: Sequence[Bits],
    out_of_bounds: dict[str, int], limit: float | None, figures: Iterator[Figures],
) -> CoDesign:  # fmt: skip
    variant, candidate, cycles, energy, left_out = [], [], [], [], {}
    for v, of_variant in zip(hardware, figures, strict=True):
        rows = np.flatnonzero(of_variant.reason < 0)
        variant.append(np.full(len(rows), v.number))
        candidate.append(rows)
        cycles.append(of_variant.cycles[rows])
        energy.append(of_variant.energy_uj[rows])
        counts = np.bincount(of_variant.reason[of_variant.reason >= 0], minlength=len(of_variant.reasons)).tolist()
        reasons = {reason: n for reason, n in zip(of_variant.reasons, counts, strict=True) if n} | out_of_bounds
        if reasons:
            left_out[v.number] = reasons
    known = [evaluator.known_quality(bits) for bits in candidates]
    return CoDesign(
        experiment=experiment,
        folder=folder,
        hardware=hardware,
        candidates=tuple(candidates),
        qualities=tuple(known),
        memory_mib=np.array([memory_mib(evaluator.model.trace(bits, experiment.steps)) for bits in candidates]),
        error_limit=limit,
        variant=np.concatenate(variant),
        candidate=np.concatenate(candidate),
        cycles=np.concatenate(cycles),
        energy_uj=np.concatenate(energy),
        left_out=left_out,
        evaluated=evaluator.evaluated,
        model=evaluator.model,
    )


def _simulated(
    candidates: Sequence[Bits], steps: int, hardware: Hardware, model: Any, folder: Path,
    progress: SweepProgress | None, workers: int | None,
) -> Iterator[Figures]:  # fmt: skip
    """The figures of every variant, in order, from the parts that are there and those that are made now."""
    folder.mkdir(exist_ok=True)
    missing = [variant for variant in hardware if _read(folder, variant.number) is None]
    total, count = len(hardware), len(candidates)
    done = total - len(missing)
    if progress:
        progress.simulating(done, total, count)
    if missing:
        population = TraceBatch([model.trace(bits, steps) for bits in candidates])
        pairs = [frozenset(bits.values()) for bits in candidates]
        every = frozenset().union(*pairs)
        archs = [variant.arch for variant in missing]
        with closing(simulate_on_all(population, archs, workers or usable_cores())) as simulated:
            for i, figures in simulated:
                if not isinstance(model, HasPrecisions):
                    figures = _legal(figures, missing[i], pairs, every)
                _write(folder, missing[i].number, figures)
                done += 1
                if progress:
                    progress.simulating(done, total, count)
    for variant in hardware:
        part = _read(folder, variant.number)
        if part is None:
            raise InputError(f"{folder}: variant {variant.number} was lost while the sweep ran")
        yield part


def _legal(
    figures: Figures, variant: Variant, pairs: Sequence[frozenset[tuple[int, int]]], every: frozenset[tuple[int, int]]
) -> Figures:
    """Without the candidates whose bits the variant does not offer, though it could store them; `pairs`: of each,
    `every`: of all."""
    has = set(variant.arch.precisions)
    if has.issuperset(every):
        return figures
    illegal = np.array([not of_candidate <= has for of_candidate in pairs])
    reason = np.where(illegal, 0, np.where(figures.reason >= 0, figures.reason + 1, -1))
    runs = reason < 0
    return Figures(
        np.where(runs, figures.cycles, 0), np.where(runs, figures.energy_uj, 0.0), reason,
        (NOT_OFFERED, *figures.reasons),
    )  # fmt: skip


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npz"


def _write(folder: Path, number: int, figures: Figures) -> None:
    """Whole or not at all, as long as the machine runs: a part that a crash spoilt is made again."""
    content = io.BytesIO()
    np.savez(
        content, allow_pickle=False, cycles=figures.cycles, energy_uj=figures.energy_uj, reason=figures.reason,
        reasons=np.array(figures.reasons, dtype=np.str_),
    )  # fmt: skip
    temporary = folder / f".{number:05d}"
    temporary.write_bytes(content.getvalue())
    temporary.rename(_part(folder, number))


def _read(folder: Path, number: int) -> Figures | None:
    """A finished variant's figures, or None."""
    try:
        with np.load(_part(folder, number), allow_pickle=False) as part:
            reasons = tuple(str(reason) for reason in part["reasons"])
            return Figures(part["cycles"], part["energy_uj"], part["reason"], reasons)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
