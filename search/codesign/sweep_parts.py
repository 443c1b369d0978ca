"""The figures of a sweep, a variant at a time, from processes that share nothing.

A finished variant is a file, `parts/CANDIDATES/NNNNN.npz`, until all are; a sweep that is killed goes on with those
that are missing. CANDIDATES is a digest of the candidates that the figures are of, in their order.
"""

import io
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from quant.sites.candidate import Bits
from search.codesign.design_points import NOT_OFFERED
from search.codesign.point_arrays import PointArrays
from search.evaluation.model import HasPrecisions, Model
from search.space.hardware_variants import Hardware, Variant
from simulators.engine.program import Ints
from simulators.hardware.arch import Arch
from simulators.inputs.arrays import Expected, read_arrays
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole
from simulators.run.trace_batch import Figures as VariantFigures
from simulators.run.trace_batch import TraceBatch

PARTS = "parts"

OnVariant = Callable[[int], None]
"""Told how many variants are simulated."""
SimulateAll = Callable[[TraceBatch, Sequence[Arch]], Generator[tuple[int, VariantFigures], None, None]]
"""(position, figures) of all candidates on every architecture, in the order of completion."""


def variant_figures(
    candidates: Sequence[Bits], steps: int, hardware: Hardware, model: Model, folder: Path, simulate: SimulateAll,
    done: OnVariant | None = None,
) -> Iterator[VariantFigures]:  # fmt: skip
    """The figures of every variant, in order, from the parts in a folder that are there and those that are made now."""
    make_folder(folder)
    missing = [variant for variant in hardware if _read(folder, variant.number, len(candidates)) is None]
    if done:
        done(len(hardware) - len(missing))
    if missing:
        traces = TraceBatch([model.trace(bits, steps) for bits in candidates])
        pairs = [frozenset(bits.values()) for bits in candidates]
        every = frozenset[tuple[int, int]]().union(*pairs)
        with closing(simulate(traces, [variant.arch for variant in missing])) as simulated:
            for count, (i, figures) in enumerate(simulated, len(hardware) - len(missing) + 1):
                variant = missing[i]
                if not (isinstance(model, HasPrecisions) or every <= {*variant.precisions}):
                    figures = _offered(figures, variant, pairs)
                _write(folder, variant.number, figures)
                if done:
                    done(count)
    for variant in hardware:
        part = _read(folder, variant.number, len(candidates))
        if part is None:
            raise InputError(f"{folder}: variant {variant.number} was lost while the sweep ran")
        yield part


def swept_points(figures: Iterable[VariantFigures], left_out: Mapping[str, int]) -> PointArrays:
    """The points of all variants, whose figures come in order; `left_out` counts, by reason, the candidates that no
    variant was given."""
    rows: list[Ints] = []
    parts: list[VariantFigures] = []
    reasons: dict[int, dict[str, int]] = {}
    for number, part in enumerate(figures):
        parts.append(part)
        rows.append(np.flatnonzero(part.reason < 0))
        counts = np.bincount(part.reason[part.reason >= 0], minlength=len(part.reasons)).tolist()
        of_variant = {**{reason: n for reason, n in zip(part.reasons, counts, strict=True) if n}, **left_out}
        if of_variant:
            reasons[number] = of_variant
    return PointArrays(
        variant=np.repeat(np.arange(len(rows)), [len(kept) for kept in rows]),
        candidate=np.concatenate(rows),
        cycles=np.concatenate([part.cycles[kept] for part, kept in zip(parts, rows, strict=True)]),
        energy_uj=np.concatenate([part.energy_uj[kept] for part, kept in zip(parts, rows, strict=True)]),
        left_out=reasons,
    )


def _offered(figures: VariantFigures, variant: Variant, pairs: Sequence[frozenset[tuple[int, int]]]) -> VariantFigures:
    """The figures without candidates whose bits the variant does not offer, though it could store them; `pairs` are
    those of each candidate."""
    offers = set(variant.precisions)
    illegal = np.array([not of_candidate <= offers for of_candidate in pairs])
    reason = np.where(illegal, 0, np.where(figures.reason >= 0, figures.reason + 1, -1))
    runs = reason < 0
    return VariantFigures(
        np.where(runs, figures.cycles, 0), np.where(runs, figures.energy_uj, 0.0), reason,
        (NOT_OFFERED, *figures.reasons),
    )  # fmt: skip


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npz"


def _write(folder: Path, number: int, figures: VariantFigures) -> None:
    """Whole or not at all, as long as the machine runs: a part that a crash spoilt is made again."""
    content = io.BytesIO()
    np.savez(
        content, allow_pickle=False, cycles=figures.cycles, energy_uj=figures.energy_uj, reason=figures.reason,
        reasons=np.array(figures.reasons, dtype=np.str_),
    )  # fmt: skip
    write_whole(_part(folder, number), content.getvalue(), durable=False)


_ARRAYS = {
    "cycles": Expected("i", "candidates"), "energy_uj": Expected("f", "candidates"),
    "reason": Expected("i", "candidates"), "reasons": Expected("U", "reasons"),
}  # fmt: skip
_MOST_BYTES = 1 << 28
"""Size of a part: some ten million candidates."""


def _read(folder: Path, number: int, candidates: int) -> VariantFigures | None:
    """A finished variant's figures of so many candidates, or None: what is damaged is made again."""
    path = _part(folder, number)
    if not path.exists():
        return None
    try:
        part = read_arrays(path, _ARRAYS, _MOST_BYTES)
    except InputError:
        return None
    reason, reasons = part["reason"], tuple(str(reason) for reason in part["reasons"])
    known = np.isfinite(part["energy_uj"]).all() and (part["cycles"] >= 0).all() and (reason < len(reasons)).all()
    if len(reason) != candidates or not known:
        return None
    return VariantFigures(part["cycles"], part["energy_uj"], reason, reasons)
