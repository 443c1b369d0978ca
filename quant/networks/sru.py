"""Bidirectional stacked SRU with projections (MOHAQ, Rezk et al. 2022, figure 5): the acoustic model.

    features (23) → L0 → [P1 → L1] → [P2 → L2] → [P3 → L3] → FC → phone states

A layer Li is one matrix for both directions and all three gates (6·cells × inputs), followed by the fused recurrence;
Pi projects its 2·cells outputs to `projection` before the next layer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from quant.arithmetic.protocol import Arithmetic, FloatArithmetic, Stage
from quant.networks.dropout import drop
from quant.sites.site import DIRECTIONS, Site
from simulators import Elementwise, Matmul
from simulators.inputs.errors import InputError

# Elementwise operations of one cell and step, counted from the equations in `quant.networks.recurrence`.
OPS_PER_CELL = {"multiply": 4, "add": 6, "sigmoid": 2, "tanh": 1}
VECTORS_PER_CELL = 4  # v_f, v_r, b_f, b_r
GATES = 3


@dataclass(frozen=True)
class SruGeometry:
    """Sizes of the network; the defaults are MOHAQ's, with `outputs` the monophone states of the embedded corpus."""

    inputs: int = 23
    layers: int = 4
    cells: int = 550
    projection: int = 256
    outputs: int = 117

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int) or value < 1:
                raise InputError(f"model geometry: {name} is {value!r}: it must be a whole number of at least 1")


class Sru(nn.Module):
    """Parameters and data flow. `forward` takes time-major features (T, B, inputs) and lengths (B,), and returns
    logits (T, B, outputs)."""

    cell = "sru"
    frames_per_batch = 1024
    """Of an evaluation: what is in flight stays near the caches."""

    def __init__(self, geometry: SruGeometry, dropout: float = 0.0):
        super().__init__()
        self.geometry = geometry
        self.dropout = dropout  # on the inputs of P and FC in training, one mask for all time steps of an utterance
        for site in self.sites:
            self.register_parameter(site.name, nn.Parameter(torch.empty(site.out_features, site.in_features)))
        for i in range(geometry.layers):
            self.register_parameter(f"V{i}", nn.Parameter(torch.zeros(DIRECTIONS, VECTORS_PER_CELL, geometry.cells)))
        self.register_parameter("bias", nn.Parameter(torch.zeros(geometry.outputs)))

    @property
    def sites(self) -> tuple[Site, ...]:
        """In the order of the computation: L0, P1, L1, …, FC."""
        g = self.geometry
        wide, gates = DIRECTIONS * g.cells, DIRECTIONS * GATES * g.cells
        sites = [Site("L0", gates, g.inputs)]
        for i in range(1, g.layers):
            sites += [Site(f"P{i}", g.projection, wide), Site(f"L{i}", gates, g.projection)]
        return (*sites, Site("FC", g.outputs, wide))

    def initialise(self, generator: torch.Generator) -> None:
        """Uniform weights of variance 1/inputs (Lei et al. 2018, section 3.2); recurrent vectors and biases start at
        zero."""
        with torch.no_grad():
            for site in self.sites:
                bound = (3.0 / site.in_features) ** 0.5
                self.get_parameter(site.name).uniform_(-bound, bound, generator=generator)

    def forward(
        self,
        x: torch.Tensor,
        lengths: torch.Tensor,
        arithmetic: Arithmetic | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """`generator` draws the dropout masks of a training pass; without it nothing is dropped."""
        for stage in self.stages(lengths, arithmetic or FloatArithmetic(), generator):
            x = stage.compute(x)
        return x

    def stages(
        self, lengths: torch.Tensor, arithmetic: Arithmetic, generator: torch.Generator | None = None
    ) -> list[Stage]:
        """The computation in parts, in their order."""
        operations = DIRECTIONS * self.geometry.cells * sum(OPS_PER_CELL.values())
        return [
            Stage(
                (name,),
                partial(self._layer, name, lengths, arithmetic, generator),
                operations if name.startswith("L") else 0,
                kept=name.startswith("P"),
            )
            for name in (site.name for site in self.sites)
        ]

    def _layer(
        self,
        site: str,
        lengths: torch.Tensor,
        arithmetic: Arithmetic,
        generator: torch.Generator | None,
        x: torch.Tensor,
    ) -> torch.Tensor:
        weight = self.get_parameter(site)
        if site.startswith("L"):
            return arithmetic.sru(site, x, weight, self.get_parameter(f"V{site[1:]}"), lengths).flatten(2)
        bias = self.get_parameter("bias") if site == "FC" else None
        return arithmetic.product(site, drop(x, self.dropout, generator), weight, bias)

    def trace_layers(self, bits: Mapping[str, tuple[int, int]], steps: int) -> Iterator[Matmul | Elementwise]:
        """The layers as the simulators take them: a product's outputs are 16-bit fixed point where a recurrence or
        the decoder reads them, and as wide as the next site's activations where a product does."""
        cells = DIRECTIONS * self.geometry.cells
        sites = self.sites
        for site, following in zip(sites, (*sites[1:], None), strict=True):
            weight_bits, activation_bits = bits[site.name]
            recurs = site.name.startswith("L")
            next_bits = 16 if following is None else bits[following.name][1]
            yield Matmul(
                name=site.name,
                out_features=site.out_features,
                in_features=site.in_features,
                steps=steps,
                recurrent=False,
                weight_bits=weight_bits,
                activation_bits=activation_bits,
                output_bits=16 if recurs else next_bits,
            )
            if recurs:
                ops: dict[Any, int] = {op: count * cells for op, count in OPS_PER_CELL.items()}
                yield Elementwise(
                    name=f"E{site.name[1:]}",
                    ops=ops,
                    inputs=GATES * cells,
                    outputs=cells,
                    steps=steps,
                    recurrent=True,
                    vector_parameters=VECTORS_PER_CELL * cells,
                    weight_bits=16,
                    activation_bits=16,
                    output_bits=next_bits,
                )
