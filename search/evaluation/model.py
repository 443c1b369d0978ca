"""What the search asks of a model, and what a model may be able to do besides.

What a model can do besides is a protocol of its own, which the search finds by `isinstance`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from quant.evaluation.rates import ScoredUtterances
from quant.evaluation.work_estimate import Part
from quant.sites.candidate import Bits, NamedSite
from quant.sites.delta_pair import thresholds_in
from search.space.hardware_variants import pairs_of
from simulators import Trace
from simulators.inputs.code_digest import Code

MIB_BITS = 8 * 2**20
"""Bits of a MiB."""


class MeasuredError(Protocol):
    """The error of one candidate, in percent."""

    @property
    def error_max(self) -> float:
        """Percent, the largest over the parts of the data: what a search minimises."""
        ...

    @property
    def error(self) -> float:
        """Percent over all data."""
        ...


@runtime_checkable
class CountedError(Protocol):
    """An error that is a count of edits over utterances."""

    @property
    def edits(self) -> Sequence[int]:
        """Edits of each utterance, in the order of the model's `scored`."""
        ...


class Model(Protocol):
    """What the search asks of a model; `quant.Recogniser` is one."""

    @property
    def sites(self) -> Sequence[NamedSite]:
        """What gets bits, in the order of computation."""
        ...

    @property
    def digest(self) -> str:
        """Tells its parameters apart from others."""
        ...

    @property
    def data_digest(self) -> str:
        """Tells what it is evaluated on apart."""
        ...

    def evaluate_population(self, candidates: Sequence[Bits]) -> Sequence[MeasuredError]:
        """The error of each candidate, in their order."""
        ...

    def trace(self, bits: Bits, steps: int) -> Trace:
        """The layers of a candidate over so many frames, for the simulators."""
        ...


@runtime_checkable
class HasPrecisions(Protocol):
    """A model whose widths are its own, whatever the hardware offers: `quant.own.operator_gru` is one."""

    @property
    def precisions(self) -> Sequence[tuple[int, int]]:
        """Pairs of widths that a site may have."""
        ...


@runtime_checkable
class HasWidths(Protocol):
    """A model that can be quantized to some widths alone, of which the hardware's are offered."""

    @property
    def bit_widths(self) -> Sequence[int]:
        """Widths in bits that weights and activations may have."""
        ...


def pairs_for(model: object, offered: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Pairs of widths that a model may have on hardware: its own, whatever is offered, or what it takes of that."""
    if isinstance(model, HasPrecisions):
        return tuple(model.precisions)
    return pairs_of(model.bit_widths, offered) if isinstance(model, HasWidths) else tuple(offered)


@runtime_checkable
class HasStoredBits(Protocol):
    """A model whose parameters are stored at widths of their own, whatever width hardware holds them in."""

    def stored_bits(self, bits: Bits) -> int:
        """Bits that a candidate's parameters take."""
        ...


@runtime_checkable
class SharesParts(Protocol):
    """A model that computes once what candidates have in common."""

    def parts(self, bits: Bits) -> Sequence[Part]:
        """The parts of a candidate's evaluation in their order, with the work that each is."""
        ...


@runtime_checkable
class CountsEdits(Protocol):
    """A model whose errors are counted over utterances (`CountedError`), so that it is known how far they are
    chance."""

    @property
    def scored(self) -> ScoredUtterances:
        """What its errors are counted over."""
        ...


@runtime_checkable
class KeepsResults(Protocol):
    """A model that keeps results of evaluations in memory, and can keep them with another's."""

    def keep_results_with(self, other: object) -> bool:
        """Keep them in the same bounded store as another model from now on; False where the other has none such."""
        ...


@runtime_checkable
class HasFloatError(Protocol):
    """A model whose error in float32 a search holds its widest baseline against."""

    def float_error(self) -> MeasuredError:
        """The error before quantization."""
        ...


@runtime_checkable
class HasSplits(Protocol):
    """A model that can be evaluated on other data than those that a search chooses by."""

    def on_split(self, split: str) -> Model:
        """The model evaluated on all of a split, "dev" (what the search has, or has a part of) or "test", under a
        `data_digest` of its own. What cannot be read is an InputError, here or when the digest is asked for."""
        ...


@runtime_checkable
class HasUtterances(CountsEdits, Protocol):
    """A model that can be evaluated on some of its utterances alone."""

    def on_utterances(self, positions: Sequence[int]) -> Model:
        """The model evaluated on the utterances at these positions of `scored`, under a `data_digest` of its own. Each
        has as many edits as where all are evaluated."""
        ...


@runtime_checkable
class HasDeltas(Protocol):
    """A model that sends only what changes by a threshold, which pairs of widths may have
    (`quant.sites.delta_pair`)."""

    def evaluate_deltas(self, candidates: Sequence[Bits]) -> Iterator[tuple[MeasuredError, Iterator[Trace]]]:
        """The error of each candidate, in their order, with the traces of exactly the utterances that it was counted
        over, whose products have masks of what was sent."""
        ...

    def mean_steps(self) -> int:
        """Frames of an utterance, on average."""
        ...

    def expected_trace(self, bits: Bits, steps: int, shares: Mapping[str, float]) -> Trace:
        """A trace in which so large a share of the input of each site named is sent at each step."""
        ...

    def trace_utterance(self, bits: Bits) -> Trace:
        """The trace of the first utterance, with masks of what was sent."""
        ...


@runtime_checkable
class HasThresholdSites(Protocol):
    """A model of which some sites may have thresholds, and which is not retrained with them."""

    def threshold_sites(self) -> Sequence[NamedSite]:
        """Sites that may have thresholds, with their roles."""
        ...

    def without_thresholds(self) -> Mapping[str, str]:
        """Sites that send everything, and why."""
        ...


@runtime_checkable
class Retrainable(Protocol):
    """A model that can be trained on for a candidate, as beacons are."""

    def retrained(
        self,
        bits: Bits,
        folder: Path,
        *,
        epochs: int,
        learning_rate: float,
        on_step: Callable[[Any], None] | None = None,
    ) -> Model:
        """The model trained on, in a folder; continued there, or found there, if it was begun."""
        ...

    def retrained_before(self, folder: Path) -> Model:
        """What `retrained` left in a folder."""
        ...


class CountedFrames(Protocol):
    """Utterances."""

    @property
    def frames(self) -> int:
        """Frames of all of them."""
        ...


@runtime_checkable
class CountsFrames(Protocol):
    """A model that says how many frames its evaluation and its training go through."""

    split: str
    """The split that it is evaluated on."""

    def utterances(self, split: str) -> CountedFrames:
        """The utterances of a split: of its own as many as it is evaluated on, of "train" all."""
        ...


@runtime_checkable
class HasCode(Protocol):
    """A model that says what code its errors come from."""

    @property
    def code(self) -> Code:
        """What decides its errors."""
        ...


@runtime_checkable
class HasRetrainingCode(Protocol):
    """A model that says what code the parameters of a retraining come from."""

    @property
    def retraining_code(self) -> Code:
        """What decides the parameters, besides what decides its errors."""
        ...


def stored_bits_of(model: Model, bits: Bits, steps: int) -> int:
    """Bits that a candidate's parameters take: what the model says, or its trace over so many frames."""
    return model.stored_bits(bits) if isinstance(model, HasStoredBits) else model.trace(bits, steps).weight_bits_total


def code_of(model: Model) -> Code:
    """What decides a model's errors: what it says, or the module of its class."""
    return model.code if isinstance(model, HasCode) else Code((type(model).__module__,))


def retraining_code_of(model: Model) -> Code:
    """What decides what a model's retraining comes to."""
    own = Code((type(model).__module__,))
    return code_of(model) | (model.retraining_code if isinstance(model, HasRetrainingCode) else own)


def solution_trace(model: Model, bits: Bits, steps: int) -> Trace:
    """A candidate's trace over so many frames; with thresholds, of the first utterance, with masks of what is sent."""
    if thresholds_in(bits) and isinstance(model, HasDeltas):
        return model.trace_utterance(bits)
    return model.trace(bits, steps)
