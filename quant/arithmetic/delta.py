"""Delta networks: what did not change much since it was last transmitted is not multiplied again.

An element of a site's input is transmitted only where it is further than a threshold, in codes of its grid, from what
was transmitted last (Neil et al. 2017, "Delta networks for optimized recurrent network computation", equations 5-8).
Sums are kept, so a product costs one column for each transmitted element; in exact integer arithmetic the result is
that of multiplying the held input. Input products run forward in time for both directions, recurrent ones in the order
of their own direction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from quant.arithmetic import kernels
from quant.arithmetic.grid import Grid
from quant.arithmetic.products import Operand, split, values
from quant.sites.site import Site


def thresholds_of(sites: Sequence[Site], x: int, h: int, fc: int) -> dict[str, int]:
    """One threshold for each group of sites: inputs of layers, recurrent inputs (U), and the output layer; the first
    site transmits every change (Delta networks on Shrink and Eliminate's quantized models, Rezk et al. 2020)."""
    first = sites[0].name
    groups = {site.name: h if site.name.startswith("U") else fc if site.name == "FC" else x for site in sites}
    return {**groups, first: 0}


@dataclass
class Delta:
    """Thresholds of sites for one batch of utterances of these lengths, and what was transmitted."""

    thresholds: Mapping[str, int]
    lengths: torch.Tensor
    active: dict[str, np.ndarray] = field(default_factory=dict)
    """site → (T, directions, B): the share of its input's elements that were transmitted; 0 past an utterance's end."""

    def held(self, site: str, x: torch.Tensor, grid: Grid) -> Operand:
        """The codes of x (T, B, K) with what is not transmitted as it was last."""
        codes = grid.encode(values(x)).to(torch.int32)
        counts = np.zeros(x.shape[:2], np.int32)
        kernels.hold(codes.numpy(), self.lengths.numpy(), self.thresholds[site], counts)
        self.record(site, counts[:, None], x.shape[2])
        return split(codes, grid)

    def share(self, site: str, utterance: int, direction: int) -> np.ndarray:
        """(T,) of one utterance of the batch, without what lies past its end."""
        shares = self.active[site][: int(self.lengths[utterance])]
        return shares[:, min(direction, shares.shape[1] - 1), utterance]

    def record(self, site: str, counts: np.ndarray, inputs: int) -> None:
        """`counts` (T, directions, B) of transmitted elements out of `inputs`."""
        self.active[site] = counts / inputs
