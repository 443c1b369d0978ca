"""Delta networks: what did not change much since it was last transmitted is not multiplied again.

An element of a site's input is transmitted only where it is further than a threshold, in codes of its grid, from what
was transmitted last (Neil et al. 2017, "Delta networks for optimized recurrent network computation", equations 5-8).
Sums are kept, so a product costs one column for each transmitted element; in exact integer arithmetic the result is
that of multiplying the held input. Input products run forward in time for both directions, recurrent ones in the order
of their own direction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from quant.arithmetic import kernels
from quant.arithmetic.grid import Grid
from quant.arithmetic.products import OperandCodes, split, values


@dataclass
class Delta:
    """Thresholds of sites for one batch of utterances, and what was transmitted."""

    thresholds: Mapping[str, int]
    """Threshold of each site, in activation codes."""
    lengths: torch.Tensor
    """(B,) in frames."""
    active: dict[str, np.ndarray] = field(default_factory=dict)
    """site → (T, directions, B): the share of its input's elements that were transmitted; 0 past an utterance's end."""

    def held(self, site: str, x: torch.Tensor, grid: Grid) -> OperandCodes:
        """The codes of x (T, B, K) with what is not transmitted as it was last."""
        codes = grid.encode(values(x)).to(torch.int32)
        counts = np.zeros(x.shape[:2], np.int32)
        kernels.hold(codes.numpy(), self.lengths.numpy(), self.thresholds[site], counts)
        self.record(site, counts[:, None], x.shape[2])
        return split(codes, grid)

    def share(self, site: str, utterance: int, direction: int) -> np.ndarray:
        """The share of a site's input that one utterance of the batch transmits at each of its frames (T,). `direction`
        counts only where the site has an input of its own for each."""
        shares = self.active[site][: int(self.lengths[utterance])]
        return shares[:, min(direction, shares.shape[1] - 1), utterance]

    def record(self, site: str, counts: np.ndarray, inputs: int) -> None:
        """Note the `counts` (T, directions, B) of transmitted elements out of `inputs`."""
        self.active[site] = counts / inputs
