"""Options of evaluations as EdgeDRNN computes them, and what they print."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mohaq.app import out
from mohaq.model_kinds import ModelKind, as_given
from simulators.inputs.errors import InputError

if TYPE_CHECKING:
    from quant.arithmetic.edgedrnn import Thresholds
    from quant.evaluation.rates import DeltaResult
    from quant.sites.site import Site

QUANTIZED, EDGEDRNN = "quantized", "edgedrnn"
BITS = ("", "8x16")
"""What `--bits` may say: EdgeDRNN has one pair of widths."""
NOT_ON_EDGEDRNN = frozenset(
    {"--clipping", "--activation-clipping", "--per-channel", "--integer", "--data", "--weights", "--steps", "--chunk"}
)
OF_AN_UTTERANCE = frozenset({"--utterance", "--split", "--corpus", "--root"})

Arithmetic = Annotated[
    str,
    typer.Option(
        "--arithmetic",
        help="`quantized`, or `edgedrnn`: a GRU in the exact arithmetic of that accelerator, 8-bit weights and 16-bit "
        "activations.",
    ),
]
RegisterThresholds = Annotated[
    str | None,
    typer.Option(
        "--thresholds",
        metavar="X,H",
        help="Of --arithmetic edgedrnn, in 1/256: changes of inputs and of states below them are not sent. "
        "Default: 0,0.",
    ),
]


TrainedThresholds = Annotated[
    str | None,
    typer.Option(
        "--thresholds",
        metavar="X,H",
        help="Train a delta network: changes of recurrent layers' inputs and of their states below these, in 1/256, "
        "are not sent. --bits may say a site's own instead, as 8x16@16.",
    ),
]


def on_edgedrnn(arithmetic: str, thresholds: str | None) -> bool:
    """Whether EdgeDRNN's arithmetic is asked for. Raises InputError for another word, or for thresholds without it."""
    if arithmetic not in (QUANTIZED, EDGEDRNN):
        raise InputError(f"--arithmetic {arithmetic}: expected {QUANTIZED} or {EDGEDRNN}")
    if arithmetic == QUANTIZED and thresholds is not None:
        raise InputError(f"--thresholds {thresholds}: they are of --arithmetic {EDGEDRNN}")
    return arithmetic == EDGEDRNN


def check_edgedrnn(model: str, kind: ModelKind, bits: str, given: Mapping[str, object]) -> None:
    """Raise InputError for what EdgeDRNN's arithmetic does not have: other bits, a given option, a model that is
    no recogniser."""
    if kind is not ModelKind.RECOGNISER:
        raise InputError(f"--model {model}: it is {kind.value}; EdgeDRNN's arithmetic is that of this project's GRU")
    if bits not in BITS:
        raise InputError(f"--bits {bits}: EdgeDRNN has 8-bit weights and 16-bit activations: 8x16, or left out")
    for option, value in given.items():
        if option in NOT_ON_EDGEDRNN:
            raise InputError(f"{as_given(option, value)}: --arithmetic {EDGEDRNN} does not have it")


def has_thresholds(bits: Mapping[str, tuple[int, int]]) -> bool:
    """Whether a candidate has thresholds (`8x16@16`)."""
    from quant.sites.delta_pair import thresholds_in

    return bool(thresholds_in(bits))


def check_no_utterance(kind: ModelKind, given: Mapping[str, object]) -> None:
    """Raise InputError for a given option that says of which utterance a trace is, where it is of none. A task's model
    has the task's data at its root."""
    for option, value in given.items():
        if option in OF_AN_UTTERANCE and not (kind.is_of_task and option == "--root"):
            raise InputError(
                f"{as_given(option, value)}: it says whose masks of sent elements a trace has: bits without thresholds "
                "have none"
            )


def register_thresholds(text: str | None) -> "Thresholds":
    """Thresholds as the option has them. Raises InputError for what the registers do not hold."""
    from quant.arithmetic.edgedrnn import Thresholds

    inputs, states = _of_inputs_and_states("0,0" if text is None else text)
    try:
        return Thresholds(inputs, states)
    except InputError as error:
        raise InputError(f"--thresholds {text}: {error}") from None


def with_thresholds(
    bits: Mapping[str, tuple[int, int]], sites: "Sequence[Site]", text: str | None
) -> Mapping[str, tuple[int, int]]:
    """A candidate with thresholds of inputs and states, as the option has them. Raises InputError for what they cannot
    be, for bits that have thresholds of their own, and for states of a network that multiplies none."""
    from quant.sites.candidate import check_threshold, refuse_thresholds
    from quant.sites.delta_pair import with_threshold
    from quant.sites.site import Role

    if text is None:
        return bits
    refuse_thresholds(bits, "--thresholds are instead of them")
    inputs, states = _of_inputs_and_states(text)
    of_roles = {Role.INPUT: inputs, Role.RECURRENT: states}
    for role, threshold in of_roles.items():
        check_threshold(f"{role.value} sites (--thresholds {text})", threshold)
    if states and not any(site.role is Role.RECURRENT for site in sites):
        raise InputError(f"--thresholds {text}: no product of this network reads states: {inputs},0")
    return {site.name: with_threshold(bits[site.name], of_roles.get(site.role)) for site in sites}


def _of_inputs_and_states(text: str) -> tuple[int, int]:
    try:
        inputs, states = (int(word) for word in text.split(","))
    except ValueError:
        raise InputError(
            f"--thresholds {text}: expected two whole numbers, of inputs and states, in 1/256: 16,8"
        ) from None
    return inputs, states


def print_delta(found: "DeltaResult", split: str, unit: str, as_json: bool) -> None:
    """Print an error and what of the inputs was sent."""
    rate = found.rate
    if as_json:
        print(json.dumps({**rate.to_dict(), "sent": found.active, "eliminated": found.eliminated}))
        return
    sent = ", ".join(f"{site} {100 * share:.1f}" for site, share in found.active.items())
    out.say(f"{split}: {unit} error rate {rate.error:.2f} %; worst of 4 groups {rate.error_max:.2f} %")
    out.say(f"sent: {sent} % of elements; {100 * found.eliminated:.1f} % of multiply-accumulates eliminated")
