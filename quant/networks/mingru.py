"""minGRU (Feng et al. 2024): a GRU whose gate and candidate read the input alone, so that its state is linear in the
one before and nothing is multiplied by a matrix step after step."""

from typing import ClassVar

import numpy as np
import torch

from quant.arithmetic.whole_numbers import GATE_FRACTION, Ints, rounded_sum, sigmoid
from quant.networks.linear_scan import linear_scan
from quant.networks.scanned_cell import ScannedCell
from quant.networks.step import Fractions, StepRoundings, Tensors


class MinGru(ScannedCell):
    """z = sigmoid(W x + b); n = W x + b; h = (1 - z) h' + z n. Order of the gates: z, n."""

    name, title, gates, vector_words = "mingru", "minGRU", 2, 2
    ops: ClassVar = {"add": 3, "multiply": 1, "multiply_add": 1, "sigmoid": 1}

    def all_steps(self, u: torch.Tensor, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """h is what is kept."""
        z, n = u.chunk(2, -1)
        z = z.sigmoid()
        h = linear_scan(1 - z, z * n)
        return h, h

    def step(self, u: torch.Tensor, constants: Tensors, state: Tensors, roundings: StepRoundings) -> Tensors:
        """One step of all directions, rounded."""
        (h,) = state
        z, n = u.chunk(2, -1)
        z = roundings.gate(z.sigmoid())
        return (roundings.memory(roundings.memory((1 - z) * h) + z * n),)

    def integer_step(
        self, u: Ints, constants: tuple[Ints, ...], state: tuple[Ints, ...], fractions: Fractions
    ) -> tuple[Ints, ...]:
        """`step` in whole numbers."""
        (h,) = state
        sums, memory = fractions.sum, fractions.memory
        a, n = np.split(u, 2, -1)
        z = sigmoid(a, sums)
        kept = rounded_sum((((1 << GATE_FRACTION) - z) * h, GATE_FRACTION + memory), to=memory)
        return (rounded_sum((kept, memory), (z * n, GATE_FRACTION + sums), to=memory),)


MINGRU = MinGru()
