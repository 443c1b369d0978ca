"""The recurrent layers of this project as torch modules, for networks of one's own: see `quant.own.own_model`."""

import torch
from torch import nn

from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.networks.cell_layer import CellLayer, LayerParameters
from quant.networks.registry import CELLS
from quant.sites.site import Role


class Recurrent(nn.Module):
    """One bidirectional layer of a registered cell, as "sru", "lstm", "gru", "ligru", "mingru" or "lru": x
    (T, B, inputs) → (T, B, 2·cells), all utterances of full length. W and U hold both directions' rows, as in
    `quant.networks.network`."""

    def __init__(self, cell: str, inputs: int, cells: int):
        super().__init__()
        self.cell = CELLS.get(cell)
        self.inputs, self.cells = inputs, cells
        self.sites = self.cell.layer_sites(0, inputs, cells)
        """The sites of such a layer, by whose roles its parameters are called W and U."""
        rows = self.sites[0].out_features
        bound = (3.0 / inputs) ** 0.5
        self.W = nn.Parameter(torch.empty(rows, inputs).uniform_(-bound, bound))
        self.U: nn.Parameter | None = None
        if any(site.role is Role.RECURRENT for site in self.sites):
            self.U = nn.Parameter(torch.empty(rows, cells).uniform_(-(cells**-0.5), cells**-0.5))
        self.B = nn.Parameter(torch.zeros(rows)) if self.cell.input_bias else None
        self.register_parameter(self.cell.vectors_prefix, nn.Parameter(torch.zeros(self.cell.vectors_shape(cells))))

    def layer(self, path: str = "") -> CellLayer:
        """The layer, to be computed in any arithmetic; its sites are called `PATH.W` and `PATH.U`."""
        parameters = LayerParameters(
            input_site=f"{path}.W", input_weight=self.W, bias=self.B,
            vectors=self.get_parameter(self.cell.vectors_prefix),
            recurrent_site=None if self.U is None else f"{path}.U", recurrent_weight=self.U,
        )  # fmt: skip
        return self.cell.layer(parameters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (T, B, inputs) → (T, B, 2·cells), in float32."""
        lengths = torch.full((x.shape[1],), len(x))
        return FloatArithmetic().recurrence(self.layer(), x, lengths).flatten(2)
