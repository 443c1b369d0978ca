"""The error of a network on its data: against labels, or as fidelity to the float network."""

import math
from collections.abc import Sequence

import torch

from quant.evaluation.rates import Rates
from quant.graphs.data_settings import DataSettings
from simulators.inputs.errors import InputError

PARTS = 4
"""Parts of the data, of which the worst is what a search minimises: every fourth utterance."""


ERRORS = {
    "signal": "difference from the float network",
    "decisions": "decisions that are not the float network's",
    "labels": "wrong decisions",
}
"""What each kind of error counts, in words."""


def decisions(output: torch.Tensor, threshold: float | None) -> torch.Tensor:
    """The largest along the last axis, or with a threshold of every value whether it exceeds that. Raises InputError
    for a choice among one."""
    if threshold is not None:
        return (output > threshold).long().flatten()
    if not output.dim() or output.shape[-1] == 1:
        raise InputError("threshold: missing: a decision on single values has one (data.yaml)")
    return output.argmax(-1).flatten()


def rates(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]], settings: DataSettings) -> Rates:
    """Percent of the worst part of the data and of all, of pairs of what each utterance's output is and what it should
    be. Raises InputError for labels of another number than decisions, and for an output of other sizes than the
    float network's."""
    counted = [_counted(output, reference, settings) for output, reference in pairs]
    parts = [counted[i::PARTS] for i in range(min(PARTS, len(counted)))]
    errors = [_percent(part, settings) for part in parts]
    return Rates(max(errors), _percent(counted, settings))


def _counted(output: torch.Tensor, reference: torch.Tensor, settings: DataSettings) -> tuple[float, float]:
    """What is wrong, and what it is a share of."""
    if settings.error != "labels" and output.shape != reference.shape:
        sizes = f"{list(output.shape)}, and the float network's {list(reference.shape)}"
        raise InputError(f"the judged output has sizes {sizes}: they must be the same")
    if settings.error == "signal":
        difference = (output.double() - reference.double()).square().sum()
        return float(difference.nan_to_num(nan=float("inf"))), float(reference.double().square().sum())
    made = decisions(output, settings.threshold)
    right = reference.flatten().long() if settings.error == "labels" else decisions(reference, settings.threshold)
    if made.shape != right.shape:
        raise InputError(f"{len(right)} labels for {len(made)} decisions")
    return float((made != right).sum()), float(len(right))


def _percent(counted: Sequence[tuple[float, float]], settings: DataSettings) -> float:
    wrong, of = (sum(values) for values in zip(*counted, strict=True))
    if of == 0.0:
        return 0.0 if wrong == 0.0 else 100.0
    share = float(wrong / of)
    return 100.0 * (math.sqrt(share) if settings.error == "signal" else share)
