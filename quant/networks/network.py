"""Stacks of recurrent layers of one cell, bidirectional or causal: the acoustic models.

    features (23) → layer 0 → [projection 1 → layer 1] → [projection 2 → layer 2] → … → FC → phone states

A layer is one input matrix for all directions and gates, a recurrent matrix of all directions where its cell has one,
and the recurrence; projections narrow the D·C outputs of a layer for the next, where networks of the cell have
them. In training input products are batch-normalised over true frames, as in PyTorch-Kaldi's recipes for TIMIT
(Ravanelli et al. 2019): `quant.networks.normalised_product` turns that into weights and biases, step by step and, for
what is stored, once and for all (`folded`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import nn

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.grid import Grid
from quant.arithmetic.protocol import Arithmetic
from quant.networks.cell_layer import LayerParameters
from quant.networks.dropout import drop
from quant.networks.geometry import Geometry
from quant.networks.normalised_product import normalised_product
from quant.networks.registry import CELLS
from quant.networks.time_order import true_frames
from quant.networks.traced_layer import TracedLayer
from quant.sites.candidate import Bits
from quant.sites.site import Role, Site
from simulators import Matmul

OUTPUT = "FC"
"""Name of the output layer's site."""


@dataclass(frozen=True)
class Stage:
    """A part of a network's computation."""

    sites: tuple[str, ...]
    """Names of the sites whose products it computes."""
    compute: Callable[[torch.Tensor], torch.Tensor]
    """Makes its result of that of the part before."""
    operations: int = 0
    """Elementwise operations of its recurrence, a frame."""
    kept: bool = True
    """Whether the result is small beside the time that it takes: worth memory until another candidate needs it."""


class Network(nn.Module):
    """Parameters and data flow. `forward` takes time-major features (T, B, inputs) and lengths (B,) in frames, and
    returns logits (T, B, outputs)."""

    def __init__(self, geometry: Geometry, dropout: float = 0.0, normalised: bool = False):
        """`dropout`: the share of what goes into a projection, a layer that follows another, or the output layer that
        training drops, by one mask for all frames of an utterance. `normalised`: with the batch normalisation of
        training, where the cell has one; what is stored and quantized has none."""
        super().__init__()
        self.geometry = geometry
        self.dropout = dropout
        self.cell = CELLS.get(geometry.cell)
        self.layer_sites = tuple(
            self.cell.layer_sites(i, inputs, geometry.cells, geometry.directions)
            for i, inputs in enumerate(geometry.layer_inputs)
        )
        """The sites of each recurrent layer."""
        for site in self.sites:
            self.register_parameter(site.name, nn.Parameter(torch.empty(site.out_features, site.in_features)))
        for i, (first, *_) in enumerate(self.layer_sites):
            if self.cell.input_bias:
                self.register_parameter(f"B{i}", nn.Parameter(torch.zeros(first.out_features)))
            self.register_parameter(
                self._vectors(i),
                nn.Parameter(torch.zeros(self.cell.vectors_shape(geometry.cells, geometry.directions))),
            )
        self.register_parameter("bias", nn.Parameter(torch.zeros(geometry.outputs)))
        normalised = normalised and (self.cell.input_bias or self.cell.shifted_gates is not None)
        wide = [first.out_features for first, *_ in self.layer_sites]
        self.norms = nn.ModuleList(nn.BatchNorm1d(rows) for rows in wide if normalised)

    @property
    def sites(self) -> tuple[Site, ...]:
        """The weight matrices in the order of the computation: L0, P1, L1, …, FC, or W0, U0, W1, U1, …, FC."""
        g = self.geometry
        wide = g.directions * g.cells
        sites: list[Site] = []
        for i, of_layer in enumerate(self.layer_sites):
            if i and g.projection:
                sites.append(Site(f"P{i}", g.projection, wide, Role.PROJECTION, i))
            sites += of_layer
        return (*sites, Site(OUTPUT, g.outputs, wide, Role.OUTPUT))

    def initialise(self, generator: torch.Generator) -> None:
        """Uniform weights of variance 1/inputs (Lei et al. 2018, section 3.2), but recurrent ones orthogonal, gate by
        gate (PyTorch-Kaldi); vectors and biases stay at zero."""
        cells = self.geometry.cells
        with torch.no_grad():
            for site in self.sites:
                weight = self.get_parameter(site.name)
                if site.role is Role.RECURRENT:
                    for rows in weight.split(cells):
                        q, r = torch.linalg.qr(torch.randn(cells, cells, generator=generator))
                        rows.copy_(q * r.diagonal().sign())
                else:
                    bound = (3.0 / site.in_features) ** 0.5
                    weight.uniform_(-bound, bound, generator=generator)

    def forward(
        self,
        x: torch.Tensor,
        lengths: torch.Tensor,
        arithmetic: Arithmetic | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """`generator` draws the dropout masks of a training pass, in which batches are normalised by themselves;
        without it nothing is dropped, and running statistics normalise."""
        for stage in self.stages(lengths, arithmetic or FloatArithmetic(), generator):
            x = stage.compute(x)
        return x

    def stages(
        self, lengths: torch.Tensor, arithmetic: Arithmetic, generator: torch.Generator | None = None
    ) -> list[Stage]:
        """The computation in parts, in their order."""
        operations = self.geometry.directions * self.geometry.cells * sum(self.cell.ops.values())
        projected = self.geometry.projection is not None
        stages = []
        for i, sites in enumerate(self.layer_sites):
            if i and projected:
                stages.append(Stage((f"P{i}",), partial(self._product, f"P{i}", None, arithmetic, generator)))
            compute = partial(self._layer, i, lengths, arithmetic, generator)
            stages.append(Stage(tuple(site.name for site in sites), compute, operations, kept=not projected))
        output = partial(self._product, OUTPUT, self.get_parameter("bias"), arithmetic, generator)
        return [*stages, Stage((OUTPUT,), output, kept=False)]

    def _layer(
        self, i: int, lengths: torch.Tensor, arithmetic: Arithmetic, generator: torch.Generator | None, x: torch.Tensor
    ) -> torch.Tensor:
        if i and self.geometry.projection is None:
            x = drop(x, self.dropout, generator)
        first, *others = self.layer_sites[i]
        training = generator is not None and len(self.norms) > 0
        weight, bias, vectors = self._input_product(i, x[true_frames(x, lengths)] if training else None)
        parameters = LayerParameters(
            input_site=first.name,
            input_weight=weight,
            vectors=vectors,
            bias=bias,
            recurrent_site=others[0].name if others else None,
            recurrent_weight=self.get_parameter(others[0].name) if others else None,
        )
        return arithmetic.recurrence(self.cell.layer(parameters), x, lengths).flatten(2)

    def _product(
        self,
        site: str,
        bias: torch.Tensor | None,
        arithmetic: Arithmetic,
        generator: torch.Generator | None,
        x: torch.Tensor,
    ) -> torch.Tensor:
        return arithmetic.product(site, drop(x, self.dropout, generator), self.get_parameter(site), bias)

    def _input_product(
        self, i: int, frames: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
        """Weights (D·G·C, K), bias and recurrence's vectors of a layer, normalised where the network is: over the
        frames (N, K) of a training pass, or by running statistics."""
        weight = self.get_parameter(self.layer_sites[i][0].name)
        bias = self.get_parameter(f"B{i}") if self.cell.input_bias else None
        vectors = self.get_parameter(self._vectors(i))
        if not self.norms:
            return weight, bias, vectors
        norm = self.norms[i]
        assert isinstance(norm, nn.BatchNorm1d)
        scaled, shift = normalised_product(norm, weight, frames, self._shifted)
        if self.cell.input_bias:
            return scaled, shift, vectors
        return scaled, None, self.cell.with_shift(vectors, shift)

    @property
    def _shifted(self) -> torch.Tensor | None:
        """(D·G·C,) 1 for what normalisation shifts and 0 for what it only scales; None where it shifts all."""
        gates = self.cell.shifted_gates
        if gates is None:
            return None
        shifted = torch.zeros(self.geometry.directions, self.cell.gates, self.geometry.cells)
        shifted[:, list(gates)] = 1
        return shifted.flatten()

    def _vectors(self, i: int) -> str:
        """Name of the vectors of a layer's recurrence."""
        return f"{self.cell.vectors_prefix}{i}"

    def folded(self) -> "Network":
        """What is stored and quantized: the same function without batch normalisation, its scales in the weights and
        its shifts in the biases. A network that has none is returned as it is."""
        if not self.norms:
            return self
        plain = Network(self.geometry)
        state = {name: value.clone() for name, value in self.state_dict().items() if not name.startswith("norms.")}
        for i, (first, *_) in enumerate(self.layer_sites):
            weight, bias, vectors = self._input_product(i)
            state |= {first.name: weight, self._vectors(i): vectors} | ({} if bias is None else {f"B{i}": bias})
        plain.load_state_dict(state)
        return plain.requires_grad_(False)

    def vector_grids(self, calibration: Calibration) -> dict[str, Grid]:
        """The 16-bit fixed point of every parameter that is no weight matrix, by its name: biases have that of the sums
        which they are added to."""
        grids = {"bias": calibration.results[OUTPUT]}
        for i, sites in enumerate(self.layer_sites):
            if self.cell.input_bias:
                grids[f"B{i}"] = calibration.results[sites[0].name]
            vectors = self.get_parameter(self._vectors(i))
            if vectors.numel():
                grids[self._vectors(i)] = self.cell.vectors_grid(vectors, calibration.results[sites[-1].name])
        return grids

    def trace_layers(self, bits: Bits, steps: int) -> Iterator[TracedLayer]:
        """What a candidate computes in `steps` frames, as the simulators take it. Results are as wide as the
        activations of the product that reads them, and 16-bit fixed point where a recurrence or the decoder does."""
        sites = {site.name: site for site in self.sites}
        names = list(sites)
        reads = {name: bits[following][1] for name, following in pairwise(names)}
        for i, of_layer in enumerate(self.layer_sites):
            if i and self.geometry.projection:
                yield self._traced(sites[f"P{i}"], bits, steps, output_bits=reads[f"P{i}"])
            yield from self.cell.trace_layers(of_layer, bits, steps, reads[of_layer[-1].name], f"E{i}{{}}".format)
        yield self._traced(sites[OUTPUT], bits, steps, output_bits=16)

    def _traced(self, site: Site, bits: Bits, steps: int, output_bits: int) -> TracedLayer:
        weight_bits, activation_bits = bits[site.name]
        product = Matmul(
            name=site.name, out_features=site.out_features, in_features=site.in_features, steps=steps,
            weight_bits=weight_bits, activation_bits=activation_bits, output_bits=output_bits,
        )  # fmt: skip
        return TracedLayer(product, site.name)
