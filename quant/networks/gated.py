"""Bidirectional stacked LSTM, GRU and Li-GRU: the acoustic models with a recurrent matrix product.

    features (23) → [W0 → U0] → [W1 → U1] → … → FC → phone states

Wi is one matrix for both directions and all gates (2·G·C × inputs), Ui holds the recurrent matrices of both directions
(2·G·C × C): one site each. In training the results of Wi are batch-normalised over true frames, as in PyTorch-Kaldi's
recipes for TIMIT (Ravanelli et al. 2019); `fold` then turns the normalisation into weights and biases.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from quant.arithmetic.protocol import Arithmetic, FloatArithmetic, Stage
from quant.networks.cells import CELLS
from quant.networks.dropout import drop
from quant.sites.site import DIRECTIONS, Site
from simulators import Elementwise, Matmul
from simulators.inputs.errors import InputError


@dataclass(frozen=True)
class GatedGeometry:
    """Sizes of the network; `networks.geometry` fills in the published ones."""

    cell: str
    inputs: int = 23
    layers: int = 5
    cells: int = 550
    outputs: int = 117

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise InputError(f"model geometry: cell {self.cell!r}: it must be one of {', '.join(CELLS)}")
        for name, value in asdict(self).items():
            if name != "cell" and (not isinstance(value, int) or value < 1):
                raise InputError(f"model geometry: {name} is {value!r}: it must be a whole number of at least 1")


class GatedRnn(nn.Module):
    """Parameters and data flow. `forward` takes time-major features (T, B, inputs) and lengths (B,), and returns
    logits (T, B, outputs)."""

    frames_per_batch = 8192
    """Of an evaluation: a step is one small product over a batch, and wants many utterances; threads want batches."""

    def __init__(self, geometry: GatedGeometry, dropout: float = 0.0, normalised: bool = False):
        """`normalised`: with the batch normalisation of training; what is stored and quantized has none."""
        super().__init__()
        self.geometry = geometry
        self.dropout = dropout  # on the inputs of W and FC in training, one mask for all time steps of an utterance
        self.rule = CELLS[geometry.cell]
        for site in self.sites:
            self.register_parameter(site.name, nn.Parameter(torch.empty(site.out_features, site.in_features)))
        wide = DIRECTIONS * self.rule.gates * geometry.cells
        inner = self.rule.recurrent_biases * geometry.cells
        for i in range(geometry.layers):
            self.register_parameter(f"B{i}", nn.Parameter(torch.zeros(wide)))
            self.register_parameter(f"R{i}", nn.Parameter(torch.zeros(DIRECTIONS, inner)))
        self.register_parameter("bias", nn.Parameter(torch.zeros(geometry.outputs)))
        self.norms = nn.ModuleList(nn.BatchNorm1d(wide) for _ in range(geometry.layers if normalised else 0))

    @property
    def cell(self) -> str:
        return self.geometry.cell

    @property
    def sites(self) -> tuple[Site, ...]:
        """In the order of the computation: W0, U0, W1, U1, …, FC."""
        g = self.geometry
        wide = DIRECTIONS * CELLS[g.cell].gates * g.cells
        sites = []
        for i in range(g.layers):
            sites += [Site(f"W{i}", wide, DIRECTIONS * g.cells if i else g.inputs), Site(f"U{i}", wide, g.cells)]
        return (*sites, Site("FC", g.outputs, DIRECTIONS * g.cells))

    def initialise(self, generator: torch.Generator) -> None:
        """Input weights uniform of variance 1/inputs; recurrent ones orthogonal, gate by gate (PyTorch-Kaldi)."""
        cells = self.geometry.cells
        with torch.no_grad():
            for site in self.sites:
                weight = self.get_parameter(site.name)
                if site.name.startswith("U"):
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
        operations = DIRECTIONS * self.geometry.cells * sum(self.rule.ops.values())
        layers = [
            Stage((f"W{i}", f"U{i}"), partial(self._layer, i, lengths, arithmetic, generator), operations)
            for i in range(self.geometry.layers)
        ]
        return [*layers, Stage(("FC",), partial(self._output, arithmetic, generator), kept=False)]

    def _layer(
        self, i: int, lengths: torch.Tensor, arithmetic: Arithmetic, generator: torch.Generator | None, x: torch.Tensor
    ) -> torch.Tensor:
        true = torch.arange(len(x))[:, None] < lengths
        x = drop(x, self.dropout, generator) if i else x
        weight = self.get_parameter(f"W{i}")
        if self.norms:
            u = self._normalise(i, arithmetic.product(f"W{i}", x, weight), true, generator is not None)
        else:
            u = arithmetic.product(f"W{i}", x, weight, self.get_parameter(f"B{i}"))
        h = arithmetic.recurrence(
            f"U{i}", self.rule, u, self.get_parameter(f"U{i}"), self.get_parameter(f"R{i}"), lengths
        )
        return h.flatten(2) * true[..., None]

    def _output(self, arithmetic: Arithmetic, generator: torch.Generator | None, x: torch.Tensor) -> torch.Tensor:
        return arithmetic.product(
            "FC", drop(x, self.dropout, generator), self.get_parameter("FC"), self.get_parameter("bias")
        )

    def _normalise(self, i: int, u: torch.Tensor, true: torch.Tensor, training: bool) -> torch.Tensor:
        """Batch normalisation over the true frames only."""
        norm = self.norms[i]
        assert isinstance(norm, nn.BatchNorm1d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, variance = norm.running_mean, norm.running_var
        if training:
            frames = u[true]
            variance, mean = torch.var_mean(frames, 0, correction=0)
            with torch.no_grad():
                norm.running_mean.lerp_(mean, 0.1)
                norm.running_var.lerp_(variance, 0.1)
        scale = norm.weight * torch.rsqrt(variance + norm.eps)
        return u * scale + (norm.bias - mean * scale)

    def folded(self) -> "GatedRnn":
        """The same function without batch normalisation: its scales in the weights, its shifts in the biases."""
        plain = GatedRnn(self.geometry)
        state = {name: value.clone() for name, value in self.state_dict().items() if not name.startswith("norms.")}
        for i, norm in enumerate(self.norms):
            assert isinstance(norm, nn.BatchNorm1d)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
            state[f"W{i}"] = state[f"W{i}"] * scale[:, None]
            state[f"B{i}"] = norm.bias - norm.running_mean * scale
        plain.load_state_dict(state)
        return plain.requires_grad_(False)

    def trace_layers(self, bits: Mapping[str, tuple[int, int]], steps: int) -> Iterator[Matmul | Elementwise]:
        """The layers as the simulators take them: the input product of all steps, then each direction's recurrent
        product, a step at a time, the gates behind the second. Gates and states are 16-bit fixed point."""
        g, rule = self.geometry, self.rule
        sites = self.sites
        reads = {site.name: bits[site.name][1] for site in sites}
        following = [*(f"W{i}" for i in range(1, g.layers)), "FC"]
        for i in range(g.layers):
            w, u = sites[2 * i], sites[2 * i + 1]
            yield Matmul(
                name=w.name, out_features=w.out_features, in_features=w.in_features, steps=steps,
                weight_bits=bits[w.name][0], activation_bits=bits[w.name][1], output_bits=16,
            )  # fmt: skip
            for d in range(DIRECTIONS):
                yield Matmul(
                    name=f"{u.name}{'fb'[d]}", out_features=u.out_features // DIRECTIONS, in_features=u.in_features,
                    steps=steps, recurrent=True, weight_bits=bits[u.name][0], activation_bits=bits[u.name][1],
                    output_bits=16,
                )  # fmt: skip
                ops: dict[Any, int] = {op: count * g.cells for op, count in rule.ops.items()}
                yield Elementwise(
                    name=f"E{i}{'fb'[d]}", ops=ops, inputs=2 * rule.gates * g.cells, outputs=g.cells, steps=steps,
                    recurrent=True, vector_parameters=rule.vectors * g.cells,
                    output_bits=reads[following[i]],
                )  # fmt: skip
        fc = sites[-1]
        yield Matmul(
            name="FC", out_features=fc.out_features, in_features=fc.in_features, steps=steps,
            weight_bits=bits["FC"][0], activation_bits=bits["FC"][1], output_bits=16,
        )  # fmt: skip
