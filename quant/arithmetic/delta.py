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
from simulators.workloads.masks import unpacked_masks

Masks = Mapping[str, np.ndarray]
"""Site → (T, directions, B, (K + 7) // 8) uint8: which of its input's K elements were transmitted, bits
of bytes, element 0 the least significant of the first; none past an utterance's end."""


@dataclass
class Delta:
    """Thresholds of sites for one batch of utterances, and what was transmitted."""

    thresholds: Mapping[str, int]
    """Threshold of each site, in activation codes."""
    lengths: torch.Tensor
    """(B,) in frames."""
    active: dict[str, np.ndarray] = field(default_factory=dict)
    """site → (T, directions, B): the share of its input's elements that were transmitted; 0 past an utterance's end."""
    sent: dict[str, np.ndarray] = field(default_factory=dict)
    """`Masks` of what was transmitted."""

    def held(self, site: str, x: torch.Tensor, grid: Grid) -> OperandCodes:
        """The codes of x (T, B, K) with what is not transmitted as it was last."""
        codes = grid.encode(values(x)).to(torch.int32)
        sent = np.zeros(x.shape, np.bool_)
        kernels.hold(codes.numpy(), self.lengths.numpy(), self.thresholds[site], sent)
        self.record(site, sent[:, None])
        return split(codes, grid)

    def share(self, site: str, utterance: int, direction: int) -> np.ndarray:
        """The share of a site's input that one utterance of the batch transmits at each of its frames (T,). `direction`
        counts only where the site has an input of its own for each."""
        shares = self.active[site][: int(self.lengths[utterance])]
        return shares[:, min(direction, shares.shape[1] - 1), utterance]

    def record(self, site: str, sent: np.ndarray) -> None:
        """Note which elements were transmitted: (T, directions, B, K), bool."""
        self.active[site] = sent.mean(axis=-1)
        self.sent[site] = np.packbits(sent, axis=-1, bitorder="little")


def masks_of_utterance(masks: np.ndarray, length: int, utterance: int, direction: int) -> tuple[str, ...]:
    """Hexadecimal masks of what one utterance of a batch transmits at each of its steps, of `Masks` of one site.
    `direction` counts only where the site has an input of its own for each."""
    packed = masks[:length, min(direction, masks.shape[1] - 1), utterance]
    return tuple(unpacked_masks(np.ascontiguousarray(packed)))
