"""The limits of a co-design."""

from quant.sites.candidate import homogeneous
from search.codesign.design_points import WHY_UNKNOWN
from search.evaluation.evaluator import Evaluator
from search.evaluation.quality import BASELINE_BITS
from search.settings.experiment import Experiment
from simulators.inputs.source_locations import KeyedError


def error_limit_of(experiment: Experiment, evaluator: Evaluator) -> float | None:
    """The largest feasible error in percent, None where none is wanted: an increase is over 16 bits for everything,
    whether or not a variant has them. Raises KeyedError if that baseline has no error."""
    constraints = experiment.constraints
    if not experiment.needs_error or constraints.error_increase is None:
        return constraints.error
    base = homogeneous(evaluator.model.sites, BASELINE_BITS)
    (quality,) = evaluator.qualities([base])
    if quality is None:
        unknown = evaluator.why_unknown(base)
        why = "it was not evaluated" if unknown is None else WHY_UNKNOWN[unknown]
        raise KeyedError(("constraints", "error_increase"), f"the 16-bit baseline has no error: {why}")
    return quality.error + constraints.error_increase
