"""A network that is a graph, with thresholds of a delta network: what it errs and saves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from quant.evaluation.delta_activity import check_thresholds
from quant.graphs.graph_delta import GraphDelta
from quant.graphs.graph_model import NO_THRESHOLDS, GraphModel
from quant.graphs.graph_records import CellRecord, ProductRecord, TraceLayer
from quant.own.own_rates import OwnRates
from quant.own.roundings import Exactly
from quant.sites.candidate import Bits, check_candidate, refuse_thresholds
from quant.sites.site import Role
from simulators import Matmul, Trace
from simulators.inputs.errors import InputError


class _Shapes(Exactly):
    """Notes the sizes of what each site reads."""

    def __init__(self) -> None:
        self.of: dict[str, list[torch.Size]] = {}

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        self.of.setdefault(site, []).append(x.shape)
        return x


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
    each of their frames or calls, as the number of vectors tells. Convolutions, products over an axis of another
    length, and those of a matrix that is multiplied twice, send everything.
    """

    def __init__(self, model: GraphModel):
        """Raises InputError for a network with no such product."""
        self.model = model
        self._axes: dict[str, int | None] = {}
        roles, self._macs = self._found()
        self.sites = tuple(replace(site, role=roles[site.name]) for site in model.sites if site.name in roles)
        """Sites that may have thresholds, with what they are for: the last one outside of recurrent layers is the
        output's."""
        if not self.sites:
            raise InputError(f"{model.name}: no product has an order of time: a delta network has nothing to hold")

    def evaluate_delta(self, bits: Bits, thresholds: Mapping[str, int], split: str = "") -> "NetworkDelta":
        """Error and savings at thresholds in codes of what products read. `split` is not asked for: there is one.
        Raises InputError for a bad candidate, or for a threshold that is below zero or of another site."""
        with torch.no_grad():
            held = self._held(bits, thresholds)
            made = []
            for number in range(len(self.model.data.utterances)):
                held.next_utterance()
                made.append(self.model.output_with(number, held))
        active = {site: counts.share for site, counts in held.sent.items()}
        macs = self.model.trace(bits).macs
        saved = sum(self._macs[site] * (1.0 - share) for site, share in active.items())
        return NetworkDelta(self.model.rates_of(made), active, saved / macs)

    def trace_delta(self, bits: Bits, thresholds: Mapping[str, int], utterance: int = 0, split: str = "") -> Trace:
        """The trace of an utterance, counted from 0, with masks of what each step sends; `split` as in
        `evaluate_delta`. Raises InputError for one that there is not, for a batch, and for chunks, each of which has
        masks of its own."""
        model, utterances = self.model, self.model.data.utterances
        if not 0 <= utterance < len(utterances):
            raise InputError(f"utterance {utterance}: there are {len(utterances)}, counted from 0")
        if model.data.chunk is not None:
            raise InputError("every chunk has masks of its own: a trace of one says nothing of the others")
        with torch.no_grad():
            held = self._held(bits, thresholds)
            model.output_with(utterance, held)
        trace = model.trace_of(utterance, bits)
        layers: list[TraceLayer] = []
        for layer in trace.layers:
            steps = held.masks.get(layer.name, [])
            if isinstance(layer, Matmul) and steps:
                if any(len(step) != 1 for step in steps):
                    raise InputError(f"{layer.name}: masks are of a batch of one: expected one item")
                if len(steps) != layer.steps:
                    raise InputError(f"{layer.name}: {len(steps)} masks of {layer.steps} vectors")
                layers.append(layer.but(active=tuple(_hexadecimal(step[0]) for step in steps)))
            else:
                layers.append(layer)
        return Trace(name=trace.name, steps=trace.steps, layers=tuple(layers))

    def _held(self, bits: Bits, thresholds: Mapping[str, int]) -> GraphDelta:
        check_candidate(bits, self.model.sites)
        refuse_thresholds(bits, NO_THRESHOLDS)
        check_thresholds(thresholds, self.sites)
        return GraphDelta(bits, self.model.formats, self.model.quantized_weights(bits), thresholds, self._axes)

    def _found(self) -> tuple[dict[str, Role], dict[str, int]]:
        """The sites that may have thresholds, and the multiply-accumulates of each in the first call."""
        model, shapes = self.model, _Shapes()
        trace = model.first_trace
        model.first_values(shapes)
        roles: dict[str, Role] = {}
        macs: dict[str, int] = {}
        for record in trace.records:
            if isinstance(record, CellRecord):
                recurrence = record.recurrence
                for site in recurrence.of_sites:
                    roles[site.name], macs[site.name] = site.role, site.weights * recurrence.steps
                    self._axes[site.name] = 0 if site.role is Role.INPUT else None
            elif isinstance(record, ProductRecord):
                found = _axis(shapes.of[record.site], trace.frames)
                if found != _NONE:
                    self._axes[record.site] = found
                    roles[record.site] = Role.RECURRENT if record.recurrent else Role.FEEDFORWARD
                    macs[record.site] = record.rows * record.columns * record.vectors
        last = [site for site, role in roles.items() if role is Role.FEEDFORWARD]
        return roles | dict.fromkeys(last[-1:], Role.OUTPUT), macs


_NONE = -1
"""No axis of what a site reads is one of time."""


def _axis(shapes: list[torch.Size], frames: int) -> int | None:
    """The axis of time of what a product reads in a call of so many frames, None where each of its calls is a frame."""
    first = shapes[0]
    if len(shapes) == frames and all(shape == first for shape in shapes):
        is_one = first[:-1].numel() == 1
        return None if is_one or frames > 1 else _NONE
    along = [axis for axis, size in enumerate(first[:-1]) if size == frames]
    return along[0] if len(shapes) == 1 and len(along) == 1 else _NONE


def _hexadecimal(sent: torch.Tensor) -> str:
    """A mask of sent elements (K,) as a trace has it: element 0 is the least significant bit."""
    return f"{sum(1 << place for place in sent.nonzero().flatten().tolist()):x}"
