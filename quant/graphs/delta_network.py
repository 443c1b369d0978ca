"""A network that is a graph, with thresholds of a delta network: what it errs and saves."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from quant.evaluation.delta_activity import check_thresholds, even_masks
from quant.graphs.call import Scope
from quant.graphs.graph import Node
from quant.graphs.graph_delta import GraphDelta
from quant.graphs.graph_model import GraphModel
from quant.graphs.graph_records import CellRecord, ConvolutionRecord, ProductRecord, TraceLayer
from quant.graphs.time_axes import Label, TimeAxes
from quant.own.own_rates import OwnRates
from quant.own.roundings import Exactly
from quant.sites.candidate import Bits, check_candidate, refuse_thresholds
from quant.sites.delta_pair import in_codes, pair_name, thresholds_in
from quant.sites.site import Role
from simulators import Matmul, Trace
from simulators.inputs.errors import InputError

BESIDE = "thresholds in activation codes are given beside the bits"
"""Why a candidate with thresholds of its own is refused."""


RESETS_BEFORE = "the reset gate stands before the product, whose halves read two inputs: not linear_before_reset"
"""Why a GRU's recurrent product has no threshold."""


class _Reads(Exactly):
    """Notes what each site reads: its sizes in every call, and the labels of its axes in the node that calls it."""

    def __init__(self, axes: TimeAxes) -> None:
        self.sizes: dict[str, list[torch.Size]] = {}
        self.labels: dict[str, tuple[Label, ...]] = {}
        self.resets_before: set[str] = set()
        """Sites of GRUs whose reset gate stands before the recurrent product."""
        self._axes = axes
        self._new: list[str] = []

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        self.sizes.setdefault(site, []).append(x.shape)
        self._new.append(site)
        return x

    def computed(self, node: Node, scope: Scope) -> None:
        """A node was computed: the sites since the one before it are its own."""
        for site in self._new:
            if node.op == "GRU" and not node.attributes.get("linear_before_reset", 0):
                self.resets_before.add(site)
            if node.op == "MatMul" and scope.is_constant(node.inputs[0]):  # it reads the columns of its second operand
                known = self._axes.of(node.inputs[1]) or ()
                self.labels.setdefault(site, (*known[:-2], *known[-2:][::-1]))
            elif node.op in ("Linear", "MatMul"):
                self.labels.setdefault(site, self._axes.of(node.inputs[0]) or ())
        self._new.clear()
        self._axes.follow(node, scope)


@dataclass(frozen=True)
class NetworkDelta:
    """What a delta network errs and saves."""

    rate: OwnRates
    active: dict[str, float]
    """The share of what each site's product reads that is sent."""
    eliminated: float
    """The share of all multiply-accumulates that are therefore not done."""


class DeltaNetwork:
    """A network whose products of vectors in an order of time may have thresholds.

    These are the products of recurrent layers, and those that multiply one vector, or one for each item of a batch, at
    each of their frames or calls. Which axis is that of time the graph says (`quant.graphs.time_axes`), or, where an
    axis could not be followed, its length, if no other has the same. All others send everything; `without` says why.
    """

    def __init__(self, model: GraphModel):
        """Raises InputError for a network with no such product."""
        self.model = model
        self._axes: dict[str, int | None] = {}
        self.without: dict[str, str] = {}
        """Sites that have no threshold, and why."""
        roles, self._macs = self._found()
        self.sites = tuple(replace(site, role=roles[site.name]) for site in model.sites if site.name in roles)
        """Sites that may have thresholds, with what they are for: the last one outside of recurrent layers is the
        output's."""
        if not self.sites:
            why = "; ".join(f"{site}: {reason}" for site, reason in self.without.items())[:300]
            raise InputError(
                f"{model.name}: no product has an order of time ({why}): a delta network has nothing to hold"
            )

    def evaluate_delta(self, bits: Bits, thresholds: Mapping[str, int], split: str = "") -> "NetworkDelta":
        """Error and savings at thresholds in codes of what products read. `split` is not asked for: there is one.
        Raises InputError for a bad candidate, or for a threshold that is below zero or of another site."""
        refuse_thresholds(bits, BESIDE)
        held = self._held(bits, thresholds)
        rate = self._judged(held)
        active = {site: counts.share for site, counts in held.sent.items()}
        macs = self.model.trace(bits).macs
        saved = sum(self._macs[site] * (1.0 - share) for site, share in active.items())
        return NetworkDelta(rate, active, saved / macs)

    def trace_delta(self, bits: Bits, thresholds: Mapping[str, int], utterance: int = 0, split: str = "") -> Trace:
        """The trace of an utterance, counted from 0, with masks of what each step sends; `split` as in
        `evaluate_delta`. Raises InputError for one that there is not, for a batch, and for chunks, each of which has
        masks of its own."""
        refuse_thresholds(bits, BESIDE)
        if self.model.data.chunk is not None:
            raise InputError("every chunk has masks of its own: a trace of one says nothing of the others")
        return next(self._with_masks(bits, utterance, self._sent(bits, thresholds, utterance).masks))

    def codes(self, bits: Bits) -> dict[str, int]:
        """Thresholds in codes of those sites of a candidate that have one, at its widths. Raises InputError for a site
        that can have none."""
        thresholds = thresholds_in(bits)
        for site in thresholds:
            if site in self.without:
                raise InputError(f"bits of {site}: {pair_name(bits[site])}: no threshold: {self.without[site]}")
        check_thresholds(thresholds, self.sites)
        grids = self.model.formats.inputs
        return {site: in_codes(threshold, grids[site][bits[site][1]].step) for site, threshold in thresholds.items()}

    def evaluate_deltas(self, candidates: Sequence[Bits]) -> Iterator[tuple[OwnRates, Iterator[Trace]]]:
        """Error of candidates with thresholds, each with the traces of the utterances that it was judged by, in their
        order, with masks of what was sent; of a network that takes chunks, a trace for each chunk."""
        for bits in candidates:
            held, made = self._held(bits, self.codes(bits)), []
            traces: list[Trace] = []
            for number in range(len(self.model.data.utterances)):
                made.append(self._output(number, held))
                traces += self._with_masks(bits, number, held.masks)
            yield self.model.rates_of(made), iter(traces)

    def error_of(self, bits: Bits) -> OwnRates:
        """Error of a candidate with thresholds."""
        return self._judged(self._held(bits, self.codes(bits)))

    def trace_utterance(self, bits: Bits, utterance: int = 0) -> Trace:
        """The trace of an utterance, with masks of what the sites that have thresholds send; of a network that takes
        chunks, that of a chunk which sends evenly what those of the utterance send on average. Raises InputError for
        an utterance that there is not, and for a batch."""
        sent = self._sent(bits, self.codes(bits), utterance)
        if self.model.data.chunk is None:
            return next(self._with_masks(bits, utterance, sent.masks))
        return self.expected_trace(bits, self.model.frames, {site: count.share for site, count in sent.sent.items()})

    def expected_trace(self, bits: Bits, steps: int, shares: Mapping[str, float]) -> Trace:
        """The trace of a call that sends so large a share of the input of each site named, evenly, at each step."""

        def evenly(layer: Matmul) -> tuple[str, ...] | None:
            return even_masks(layer, shares[layer.name]) if layer.name in shares else None

        return _with_active(self.model.trace(bits, steps), evenly)

    def mean_steps(self) -> int:
        """Frames of an utterance, on average, or of the first where the network takes no others; of a chunk, where it
        takes chunks."""
        model = self.model
        if model.data.chunk is not None:
            return model.frames
        frames = [model.traces.of_utterance(number).frames for number in range(len(model.data.utterances))]
        mean = max(1, round(sum(frames) / len(frames)))
        return mean if model.traces.can_be(mean) else model.frames

    def _sent(self, bits: Bits, thresholds: Mapping[str, int], utterance: int) -> GraphDelta:
        """What an utterance, counted from 0, sends."""
        if not 0 <= utterance < (there := len(self.model.data.utterances)):
            raise InputError(f"utterance {utterance}: there are {there}, counted from 0")
        held = self._held(bits, thresholds)
        self._output(utterance, held)
        return held

    def _judged(self, held: GraphDelta) -> OwnRates:
        """The error over all utterances."""
        return self.model.rates_of([self._output(number, held) for number in range(len(self.model.data.utterances))])

    def _output(self, number: int, held: GraphDelta) -> torch.Tensor:
        """The judged output of an utterance, before which nothing was sent; its masks are left in `held`."""
        held.next_utterance()
        with torch.no_grad():
            return self.model.output_with(number, held)

    def _with_masks(self, bits: Bits, number: int, masks: Mapping[str, list[torch.Tensor]]) -> Iterator[Trace]:
        """The trace of each call of an utterance, of which there is one where the network takes no chunks."""
        model = self.model
        trace = model.traces.of_utterance(number).trace(model.name, bits, model.data.chunk)
        calls = 1 if model.data.chunk is None else sum(1 for _ in model.data.calls(model.data.utterances[number]))
        for call in range(calls):

            def of_call(layer: Matmul, call: int = call) -> tuple[str, ...] | None:
                sent = [vector for step in masks.get(layer.name, []) for vector in step]
                if sent and len(sent) != calls * layer.steps:
                    raise InputError(f"{layer.name}: {len(sent)} masks of {calls * layer.steps} vectors")
                return tuple(_hexadecimal(vector) for vector in sent[call * layer.steps :][: layer.steps]) or None

            yield _with_active(trace, of_call)

    def _held(self, bits: Bits, thresholds: Mapping[str, int]) -> GraphDelta:
        check_candidate(bits, self.model.sites)
        check_thresholds(thresholds, self.sites)
        return GraphDelta(bits, self.model.formats, self.model.quantized_weights(bits), thresholds, self._axes)

    def _found(self) -> tuple[dict[str, Role], dict[str, int]]:
        """The sites that may have thresholds, and the multiply-accumulates of each in the first call."""
        model, axes = self.model, TimeAxes(self.model.first_call())
        trace, reads = model.traces.first, _Reads(axes)
        model.first_values(reads, reads.computed)
        roles: dict[str, Role] = {}
        macs: dict[str, int] = {}
        for record in trace.records:
            if isinstance(record, CellRecord):
                recurrence = record.recurrence
                for site in recurrence.of_sites:
                    if site.role is Role.RECURRENT and site.name in reads.resets_before:
                        self.without[site.name] = RESETS_BEFORE
                        continue
                    roles[site.name], macs[site.name] = site.role, site.weights * recurrence.steps
                    self._axes[site.name] = 0 if site.role is Role.INPUT else None
            elif isinstance(record, ProductRecord):
                name = record.site
                axis = _axis(reads.sizes[name], [*self._labels(reads, axes, name)], trace.frames)
                if isinstance(axis, str):
                    self.without[name] = axis
                    continue
                self._axes[name] = axis
                roles[name] = Role.RECURRENT if record.recurrent else Role.FEEDFORWARD
                macs[name] = record.rows * record.columns * record.vectors
            elif isinstance(record, ConvolutionRecord):
                self.without[record.site] = "a convolution reads each frame several times"
        # An output's product is the last: none of a recurrent layer's is behind it.
        last = [site for site, role in [*roles.items()][-1:] if role is Role.FEEDFORWARD]
        return roles | dict.fromkeys(last, Role.OUTPUT), macs

    def _labels(self, reads: _Reads, axes: TimeAxes, site: str) -> Iterator[bool | None]:
        """Whether each axis of what a site reads, but the last, is that of time; None where it is not known."""
        labels = reads.labels.get(site, ())
        for axis in range(len(reads.sizes[site][0]) - 1):
            label = labels[axis] if axis < len(labels) else None
            yield None if label is None else axes.is_time(label)


def _axis(sizes: list[torch.Size], is_time: list[bool | None], frames: int) -> int | str | None:
    """The axis of time of what a product reads in a call of so many frames, of those axes of which it is said whether
    they are; None where each of its calls is a frame. A word of why there is none."""
    first = sizes[0]
    if len(sizes) == frames and all(each == first for each in sizes) and (frames > 1 or first[:-1].numel() == 1):
        return None
    if len(sizes) > 1:
        return "its matrix is multiplied again"
    declared = [axis for axis, is_it in enumerate(is_time) if is_it]
    if len(declared) > 1:
        return f"what it reads, {list(first)}, has two axes of time"
    if declared:
        return declared[0]
    along = [axis for axis, size in enumerate(first[:-1]) if size == frames and is_time[axis] is None]
    if len(along) == 1 and frames > 1:
        return along[0]
    if along and frames > 1:
        return f"which axis of what it reads, {list(first)}, is that of time cannot be told"
    return f"what it reads, {list(first)}, has no axis of time"


def _with_active(trace: Trace, active: Callable[[Matmul], tuple[str, ...] | None]) -> Trace:
    """A trace whose products have masks, step by step; None of one that has none."""
    layers: list[TraceLayer] = []
    for layer in trace.layers:
        masks = active(layer) if isinstance(layer, Matmul) else None
        layers.append(layer if masks is None else layer.but(active=masks))
    return Trace(name=trace.name, steps=trace.steps, layers=tuple(layers), chunk=trace.chunk)


def _hexadecimal(sent: torch.Tensor) -> str:
    """A mask of sent elements (K,) as a trace has it: element 0 is the least significant bit."""
    return f"{sum(1 << place for place in sent.nonzero().flatten().tolist()):x}"
