"""A graph as the search takes it: sites, errors, traces."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.arithmetic.grid import Grid
from quant.arithmetic.products import Weights
from quant.evaluation.code import GRAPH_MODEL, GRAPH_RETRAINING
from quant.graphs.call import Pass, Scope
from quant.graphs.call_traces import CallTraces
from quant.graphs.fidelity import ERRORS, PARTS, rates
from quant.graphs.graph import Graph, Node
from quant.graphs.graph_data import GivenUtterance, GraphData
from quant.graphs.graph_digest import digest_of
from quant.graphs.graph_roundings import GraphRounded
from quant.graphs.graph_trace import GraphTrace
from quant.graphs.held_integers import HeldIntegers, HeldValues
from quant.graphs.operations.table import OPERATIONS
from quant.graphs.reweighted import reweighted
from quant.graphs.running import compute, run_graph
from quant.graphs.site_names import SiteNames
from quant.networks.cell_layer import ValueRoundings
from quant.own.formats import Formats, Seen
from quant.own.own_rates import FileBits, OwnRates
from quant.own.roundings import Exactly
from quant.own.saturation import SiteSaturation
from quant.sites.candidate import BIT_WIDTHS, Bits, check_candidate, parse_bits, refuse_thresholds
from quant.sites.delta_pair import thresholds_in
from quant.sites.site import Site
from quant.training.loop import TrainingStep
from quant.training.retraining import RESULT
from simulators import Trace
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError

if TYPE_CHECKING:
    from quant.graphs.delta_network import DeltaNetwork


class GraphModel:
    """A network and the data that it is evaluated on.

    Sites are its matrices and kernels: of the products that the first utterance passes through, in order. Raises
    InputError for a graph that cannot be computed on the data.
    """

    bit_widths = BIT_WIDTHS
    """Widths in bits that weights and activations may have."""

    def __init__(
        self, graph: Graph, data: GraphData, name: str, scheme: Scheme | None = None, held: HeldIntegers | None = None
    ):
        """`held` takes the place of weights and calibration, for a network that was exported."""
        self.name = name
        self.graph = graph
        self.data = data.checked(graph)
        self.scheme = scheme or Scheme()
        self._names = SiteNames()
        self._deltas: DeltaNetwork | None = None
        self._weights: dict[tuple[str, int], Weights] = {}
        self._held = held
        self._against = ""
        self._base = ""
        first = self._traced(self.first_call())
        if self._names.has_tied_tables:  # a table came before the product whose matrix it is
            first = self._traced(self.first_call())
        self.traces = CallTraces(graph, self.data, first, self._traced)
        """What its calls compute."""
        self.sites = tuple(Site(site, len(w), w.shape[1]) for site, w in self._names.weights.items())
        if not self.sites:
            raise InputError(f"{name}: no node has weights that could be quantized")
        self._formats = self._chosen_formats() if held is None else held.formats
        self._references: list[torch.Tensor] | None = None
        self._content = digest_of(graph) if held is None else held.digest

    @property
    def digest(self) -> str:
        """Tells the graph apart, and how it is quantized."""
        return f"{self._content}:{self.scheme.name}{self._against}"

    @property
    def base_digest(self) -> str:
        """Its digest, or that of the network that it has other weights of."""
        return self._base or self.digest

    @property
    def data_digest(self) -> str:
        """Tells what it is evaluated and calibrated on apart."""
        return self.data.digest

    @property
    def code(self) -> Code:
        """What decides its errors."""
        return GRAPH_MODEL

    @property
    def frames(self) -> int:
        """Frames of the first call, which its trace has unless another number is asked for."""
        return self.traces.first.frames

    @property
    def error_name(self) -> str:
        """What its error is, in words."""
        return ERRORS[self.data.settings.error]

    @property
    def error_parts(self) -> int:
        """Parts of the data, of which the error has a worst."""
        return min(PARTS, len(self.data.utterances))

    @property
    def file_bits(self) -> dict[str, FileBits]:
        """The widths of sites that the file has quantizers for, whose scales they take at these widths: of weights and
        of activations, None where it has none."""
        stored, grids = self._names.stored_bits, self._names.grids
        found = {site.name: (stored.get(site.name), _bits_of(grids.get(site.name))) for site in self.sites}
        return {site: widths for site, widths in found.items() if widths != (None, None)}

    def with_scheme(self, scheme: Scheme) -> "GraphModel":
        """The network with another scheme of clipping, on the same data."""
        other = copy(self)
        other.scheme, other._weights, other._deltas = scheme, {}, None
        other._formats = other._chosen_formats()
        return other

    def parse_bits(self, text: str) -> dict[str, tuple[int, int]]:
        """A candidate, as a user writes it."""
        return parse_bits(text, self.sites)

    def outputs(self, bits: Bits | None) -> list[torch.Tensor]:
        """The judged output of every utterance, chunks side by side; without bits, of the network as it is."""
        if bits is not None:
            check_candidate(bits, self.sites)
            refuse_thresholds(bits, "outputs are those of what sends everything")
        elif self._held is not None:
            self._held.check(bits)
        run = Pass(Exactly(), self._names, OPERATIONS) if bits is None else self._rounded(bits)
        return self._outputs(run)

    def output_with(self, number: int, roundings: ValueRoundings) -> torch.Tensor:
        """The judged output of an utterance, counted from 0, its values held in a way of the caller's."""
        run = Pass(roundings, self._names, OPERATIONS, quantized=True)
        return self._output(self.data.utterances[number], run)

    def with_weights(self, weights: Mapping[str, torch.Tensor]) -> "GraphModel":
        """The network with other weights (M, K) of its sites, whose error is a difference from this one in float."""
        graph = reweighted(self.graph, self._names, weights)
        other = GraphModel(graph, self.data, self.name, self.scheme)
        other._references, other._against = self.float_outputs(), self._against or f":against {self._content}"
        other._base = self.base_digest
        return other

    def retrained(
        self,
        bits: Bits,
        folder: Path,
        *,
        epochs: int,
        learning_rate: float,
        on_step: Callable[[TrainingStep], None] | None = None,
    ) -> "GraphModel":
        """This network trained on for a candidate, in `folder`; continued there, or found there, if it was begun."""
        from quant.graphs.graph_retraining import GraphRecipe, retrain_graph

        if not (folder / RESULT).is_file():
            retrain_graph(self, bits, folder, GraphRecipe(epochs, learning_rate), resume=True, on_step=on_step)
        return self.retrained_before(folder)

    def retrained_before(self, folder: Path) -> "GraphModel":
        """What `retrained` left in a folder. Raises InputError if it left nothing."""
        return self.with_weights_of(folder / RESULT)

    def with_weights_of(self, path: Path) -> "GraphModel":
        """The network with the weights in a file that a retraining of it wrote. Raises InputError for another file."""
        from quant.graphs.graph_retraining import retrained_graph

        return retrained_graph(self, path)

    @property
    def retraining_code(self) -> Code:
        """What decides what `retrained` comes to."""
        return GRAPH_RETRAINING

    def first_values(
        self, roundings: Exactly | None = None, computed: Callable[[Node, Scope], None] | None = None
    ) -> dict[str, torch.Tensor]:
        """All values of the first call by their names, of the network as it is, or held in a way of the caller's, but
        for those inside nodes. `computed` is told of every node that was computed, with the values so far."""
        scope = Scope(self.graph)
        scope.values.update(self.first_call())
        run = Pass(roundings or self._as_it_is(), self._names, OPERATIONS)
        with torch.no_grad():
            for node in self.graph.nodes:
                compute(node, scope, run)
                if computed is not None:
                    computed(node, scope)
        return {**self.graph.constants, **scope.values}

    def evaluate(self, bits: Bits | None) -> OwnRates:
        """Error of a candidate, with what saturated; without bits, of the network as it is."""
        if bits is None:
            if self._held is not None:
                self._held.check(bits)
            before = self.float_outputs()
            return self.rates_of(self.outputs(None) if self._against else before)
        check_candidate(bits, self.sites)
        if thresholds_in(bits):
            return self.deltas.error_of(bits)
        return self.evaluate_some(bits)

    def float_error(self) -> OwnRates:
        """The error before quantization: none where it is a difference from the float network."""
        return self.evaluate(None)

    def evaluate_some(self, bits: Bits) -> OwnRates:
        """Error with the sites that `bits` names quantized, and all others in float32. What saturates inside compiled
        recurrences, whose two sites both have widths, is not counted."""
        if self.data.settings.error != "labels":
            self.float_outputs()
        run = self._rounded(bits)
        made = self._outputs(run)
        assert isinstance(run.roundings, GraphRounded)
        return self.rates_of(made, run.roundings.saturation.by_site())

    def evaluate_population(self, candidates: Sequence[Bits]) -> list[OwnRates]:
        """Errors of several candidates, one after the other."""
        return [self.evaluate(bits) for bits in candidates]

    @property
    def deltas(self) -> "DeltaNetwork":
        """The network with thresholds. Raises InputError for one without a product in an order of time."""
        from quant.graphs.delta_network import DeltaNetwork

        if self._deltas is None:
            self._deltas = DeltaNetwork(self)
        return self._deltas

    def threshold_sites(self) -> tuple[Site, ...]:
        """Sites that may have thresholds, with their roles. Raises InputError where none may."""
        return self.deltas.sites

    def without_thresholds(self) -> Mapping[str, str]:
        """Sites that can have no threshold, and why. Raises InputError where none can."""
        return self.deltas.without

    def evaluate_deltas(self, candidates: Sequence[Bits]) -> Iterator[tuple[OwnRates, Iterator[Trace]]]:
        """Error of candidates with thresholds in 1/256 of what products read, and traces of what was sent: see
        `DeltaNetwork.evaluate_deltas`."""
        return self.deltas.evaluate_deltas(candidates)

    def mean_steps(self) -> int:
        """Frames of an utterance, on average: see `DeltaNetwork.mean_steps`."""
        return self.deltas.mean_steps()

    def expected_trace(self, bits: Bits, steps: int, shares: Mapping[str, float]) -> Trace:
        """The trace of a call that sends so large a share of the input of each site named, evenly, at each step."""
        return self.deltas.expected_trace(bits, steps, shares)

    def trace_utterance(self, bits: Bits, utterance: int = 0) -> Trace:
        """The trace of an utterance, counted from 0, with masks of what the sites that have thresholds send."""
        return self.deltas.trace_utterance(bits, utterance)

    def trace(self, bits: Bits, steps: int | None = None) -> Trace:
        """What the network computes for the first utterance, or the first chunk of it; for other frames, for an input
        cut or repeated to as many. Raises InputError where that does not give them."""
        check_candidate(bits, self.sites)
        chunk, of_first = self.data.chunk, self.frames
        if chunk is not None and steps not in (None, of_first):
            raise InputError(f"{steps} frames: {self.name} takes chunks, and its trace is of one call: {of_first}")
        return self.traces.over(of_first if steps is None else steps).trace(self.name, bits, chunk)

    def rates_of(self, made: list[torch.Tensor], saturation: tuple[SiteSaturation, ...] = ()) -> OwnRates:
        """The error of judged outputs of all utterances, however they were made, and what saturated by site."""
        found = rates(list(zip(made, self._right(), strict=True)), self.data.settings)
        return OwnRates(found.error_max, found.error, saturation)

    def _outputs(self, run: Pass) -> list[torch.Tensor]:
        with torch.no_grad():
            return [self._output(utterance, run) for utterance in self.data.utterances]

    def float_outputs(self) -> list[torch.Tensor]:
        """Outputs of the network as it is, computed once."""
        if self._references is None and self._held is not None:
            reference = self._held.reference
            self._references = [reference(each.name, each.digest()) for each in self.data.utterances]
        elif self._references is None:
            self._references = self.outputs(None)
        return self._references

    def _right(self) -> list[torch.Tensor]:
        if self.data.settings.error != "labels":
            return self.float_outputs()
        labels = [utterance.labels for utterance in self.data.utterances]
        if missing := [u.name for u in self.data.utterances if u.labels is None]:
            raise InputError(f"{missing[0]}: no array of labels, which the error counts")
        return [label for label in labels if label is not None]

    def _output(self, utterance: GivenUtterance, run: Pass) -> torch.Tensor:
        """The judged output of an utterance, of all its calls in a row."""
        settings = self.data.settings
        judged = settings.output or self.graph.outputs[0]
        state: dict[str, torch.Tensor] = {}
        made = []
        try:
            for given in self.data.calls(utterance):
                outputs = run_graph(self.graph, given | state, run)
                state = {name: outputs[source] for name, source in settings.state.items()}
                made.append(outputs[judged])
        except InputError as error:
            raise InputError(f"{utterance.name}: {error}") from error
        return made[0] if len(made) == 1 else torch.stack(made)

    def _rounded(self, bits: Bits) -> Pass:
        held = GraphRounded(bits, self._formats, self.quantized_weights(bits))
        return Pass(held, self._names, OPERATIONS, quantized=True)

    def quantized_weights(self, bits: Bits) -> dict[str, Weights]:
        """The codes and steps of the weights of those sites that `bits` names."""
        if self._held is not None:
            self._held.check(bits)
        return {site.name: self._quantized(site.name, bits[site.name][0]) for site in self.sites if site.name in bits}

    def _chosen_formats(self) -> Formats:
        """The formats of all sites, by what passes of the data that ranges are taken from; those of the graph's own
        quantizers at their width."""
        seen = Seen()
        with torch.no_grad():
            for utterance in self.data.calibration:
                self._output(utterance, Pass(seen, self._names, OPERATIONS, quantized=True))
                seen.next_input()
        if idle := [site.name for site in self.sites if site.name not in seen.sites]:
            raise InputError(f"{self.name}: {idle[0]}: no data that ranges are taken from pass through")
        try:
            formats = seen.formats(self.scheme.activations, {})
        except IndexError:  # NumPy's histogram, of a range that float32 has no width for
            raise InputError(f"{self.name}: values too large to be quantized pass") from None
        own = {site: {grid.bits: grid} for site, grid in self._names.grids.items() if grid.bits in BIT_WIDTHS}
        return replace(formats, inputs={site: {**grids, **own.get(site, {})} for site, grids in formats.inputs.items()})

    @property
    def formats(self) -> Formats:
        """The grids of what its sites read, leave and keep."""
        return self._formats

    @property
    def names(self) -> SiteNames:
        """What its weights are called, and where they lie."""
        return self._names

    def weights_at(self, site: str, bits: int) -> Weights:
        """The codes and steps of a site's weights. Raises InputError where they are those of the network's own file,
        whose integers are not kept."""
        if self._names.stored_bits.get(site) == bits:
            raise InputError(
                f"site {site}: the network's file has its integers of {bits} bits already: another width is written"
            )
        return self._quantized(site, bits)

    def _quantized(self, site: str, bits: int) -> Weights:
        """The codes of a site's weights, kept: candidates share them."""
        if self._held is not None:
            return self._held.weights[site]
        if (site, bits) not in self._weights:
            weight = self._names.weights[site]
            if self._names.stored_bits.get(site) == bits:  # they lie on the file's own grid already
                held = Weights(weight, torch.ones(len(weight)), bits)
            else:
                held = quantize_weights(weight, bits, self.scheme)
            self._weights[site, bits] = held
        return self._weights[site, bits]

    def first_call(self) -> dict[str, torch.Tensor]:
        """What the network is given first, by the names of its inputs."""
        return next(self.data.calls(self.data.utterances[0]))

    def _traced(self, given: Mapping[str, torch.Tensor]) -> GraphTrace:
        trace = GraphTrace()
        with torch.no_grad():
            run_graph(self.graph, given, Pass(self._as_it_is(), self._names, OPERATIONS, trace))
        return trace

    def _as_it_is(self) -> Exactly:
        return Exactly() if self._held is None else HeldValues(self._held)


def _bits_of(grid: Grid | None) -> int | None:
    return None if grid is None else grid.bits
