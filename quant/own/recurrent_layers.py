"""The recurrent layers of this project as torch modules, for networks of one's own: see `quant.own.own_model`."""

import torch
from torch import nn

from quant.arithmetic.protocol import FloatArithmetic
from quant.networks.cells import CELLS, Cell
from quant.networks.registry import NAMES
from quant.networks.sru import GATES, VECTORS_PER_CELL
from quant.sites.site import DIRECTIONS
from simulators.inputs.errors import InputError


class Recurrent(nn.Module):
    """One bidirectional layer of a cell ("sru", "lstm", "gru", "ligru"): x (T, B, inputs) → (T, B, 2·cells), all
    utterances of full length. W and U hold both directions' rows, as in `quant.models`."""

    def __init__(self, cell: str, inputs: int, cells: int):
        super().__init__()
        if cell not in NAMES:
            raise InputError(f"cell {cell!r}: it must be one of {', '.join(NAMES)}")
        self.cell, self.inputs, self.cells = cell, inputs, cells
        rows = DIRECTIONS * cells * (CELLS[cell].gates if cell in CELLS else GATES)
        bound = (3.0 / inputs) ** 0.5
        self.W = nn.Parameter(torch.empty(rows, inputs).uniform_(-bound, bound))
        self.U: nn.Parameter | None = None
        if cell in CELLS:
            self.U = nn.Parameter(torch.empty(rows, cells).uniform_(-(cells**-0.5), cells**-0.5))
            self.B = nn.Parameter(torch.zeros(rows))
            self.R = nn.Parameter(torch.zeros(DIRECTIONS, CELLS[cell].recurrent_biases * cells))
        else:
            self.V = nn.Parameter(torch.zeros(DIRECTIONS, VECTORS_PER_CELL, cells))

    @property
    def rule(self) -> type[Cell]:
        """The cell of a layer with a recurrent product."""
        return CELLS[self.cell]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lengths = torch.full((x.shape[1],), len(x))
        arithmetic = FloatArithmetic()
        if self.U is None:
            return arithmetic.sru("W", x, self.W, self.V, lengths).flatten(2)
        u = arithmetic.product("W", x, self.W, self.B)
        return arithmetic.recurrence("U", self.rule, u, self.U, self.R, lengths).flatten(2)
