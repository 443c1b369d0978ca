"""A sweep of candidates with thresholds: what each sends is simulated where it is evaluated, on several variants at
once, and is in the ledger, with which a sweep that was killed goes on."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from quant.sites.candidate import Bits, name_of
from quant.sites.delta_pair import thresholds_in, widths
from search.codesign.design_points import NOT_OFFERED, WHY_UNKNOWN
from search.codesign.point_arrays import PointArrays
from search.codesign.sweep_parts import OnVariant
from search.evaluation.evaluator import Evaluator
from search.evaluation.ledger_rows import LedgerUnusable
from search.evaluation.model import HasDeltas, HasPrecisions, HasThresholdSites, Model
from search.evaluation.quality import Cost, Unknown
from search.space.hardware_variants import Hardware, Variant
from search.space.threshold_genes import EDGEDRNN, why_not_held
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import KeyedError

AT_ONCE = 10
"""Variants that a candidate is simulated on after one evaluation: what a kill may lose, against evaluations."""


def sends(candidates: Sequence[Bits], model: Model) -> bool:
    """Whether any candidate has thresholds. Raises KeyedError for some of a model that sends everything."""
    sending = [bits for bits in candidates if thresholds_in(bits)]
    if sending and not isinstance(model, HasDeltas):
        rule = "thresholds are for recognisers of this project and networks from files"
        raise KeyedError(("candidates",), f"{name_of(sending[0])}: {rule}")
    return bool(sending)


def sent_points(
    candidates: Sequence[Bits], left_out: Mapping[str, int], hardware: Hardware, evaluators: Mapping[int, Evaluator],
    simulated: OnVariant,
) -> PointArrays:  # fmt: skip
    """All candidates on all variants; `left_out` counts, by reason, those that no variant was given; `simulated` is
    told how many variants are done."""
    points: list[tuple[int, int, Cost]] = []
    reasons = defaultdict[int, Counter[str]](Counter)
    for variant in hardware if left_out else ():
        reasons[variant.number].update(left_out)
    first = evaluators[0]
    for done in range(0, len(hardware), AT_ONCE):
        variants = hardware.variants[done : done + AT_ONCE]
        why_not = {
            (variant.number, i): _why_not(bits, variant, first.model)
            for variant in variants
            for i, bits in enumerate(candidates)
        }
        first.measure([(evaluators[number], candidates[i]) for (number, i), reason in why_not.items() if not reason])
        for (number, i), reason in why_not.items():
            cost = reason or _cost(evaluators[number], candidates[i])
            if isinstance(cost, str):
                reasons[number][cost] += 1
            else:
                points.append((number, i, cost))
        simulated(done + len(variants))
    return PointArrays.of(points, reasons)


def _why_not(bits: Bits, variant: Variant, model: Model) -> str:
    """Why a variant does not take a candidate, as far as it is known beforehand; empty where nothing is."""
    if not isinstance(model, HasPrecisions) and not {*map(widths, bits.values())} <= {*variant.precisions}:
        return NOT_OFFERED
    if variant.arch.platform == EDGEDRNN:
        return why_not_held(bits, model.threshold_sites() if isinstance(model, HasThresholdSites) else model.sites)
    return ""


def _cost(evaluator: Evaluator, bits: Bits) -> Cost | str:
    """What a candidate costs, or why that is not known."""
    try:
        cost = evaluator.cost(bits)
    except LedgerUnusable:
        raise
    except InputError as error:
        return str(error)
    return cost if cost.is_known else WHY_UNKNOWN[Unknown.KILLED]
