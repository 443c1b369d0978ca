"""Linear recurrent unit (Orvieto et al. 2023): a complex diagonal linear recurrence, with a gate behind it.

The state of a cell is one complex number that turns and decays. The matrix behind the recurrence of the paper is the
next layer's input product here, which reads the real part, gated so that layers do not collapse to a linear one.
"""

import math
from typing import ClassVar

import numpy as np
import torch

from quant.arithmetic.whole_numbers import GATE_FRACTION, Ints, rounded_sum, sigmoid
from quant.networks.linear_scan import linear_scan
from quant.networks.scanned_cell import ScannedCell
from quant.networks.step import Fractions, StepRoundings, Tensors

SHORTEST, LONGEST = 0.4, 0.99
"""Magnitudes of the eigenvalues before training, spread evenly over the cells: 1 to 100 frames."""
LARGEST_PHASE = math.pi / 4
"""Phases before training lie below it, in radians a step."""
_GOLDEN = (math.sqrt(5) - 1) / 2


class Lru(ScannedCell):
    """s = λ s' + γ (W x + b); h = sigmoid(W x + b) Re s, with λ = exp(-exp ν + i θ) and γ² = 1 - |λ|², which gives the
    state the variance of its input. Order of the gates: Re, Im, gate; of the vectors: ν, θ, from a fixed spread on."""

    name, title, gates, vector_words = "lru", "LRU", 3, 6
    ops: ClassVar = {"multiply": 5, "add": 5, "multiply_add": 2, "sigmoid": 1}
    states, vectors = 3, 2  # h, Re s, Im s

    def constants(self, vectors: torch.Tensor) -> Tensors:
        """Re λ, Im λ and γ, (D, C) each."""
        cells = vectors.shape[-1]
        places = torch.arange(cells, dtype=torch.float64, device=vectors.device)
        magnitudes = SHORTEST + (LONGEST - SHORTEST) * (places + 0.5) / cells
        decays = (-magnitudes.log()).log().to(vectors.dtype) + vectors[:, 0]
        phases = (LARGEST_PHASE * ((places + 1) * _GOLDEN % 1)).to(vectors.dtype) + vectors[:, 1]
        rate = decays.exp()
        magnitude = (-rate).exp()
        return magnitude * phases.cos(), magnitude * phases.sin(), (-torch.expm1(-2 * rate)).sqrt()

    def all_steps(self, u: torch.Tensor, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Re s and Im s are kept."""
        real, imaginary, scale = (value[:, None] for value in self.constants(vectors))
        u_real, u_imaginary, gate = u.chunk(3, -1)
        entering = torch.complex(scale * u_real, scale * u_imaginary)
        s = linear_scan(torch.complex(real, imaginary), entering)
        return gate.sigmoid() * s.real, torch.cat((s.real, s.imag), -1)

    def step(self, u: torch.Tensor, constants: Tensors, state: Tensors, roundings: StepRoundings) -> Tensors:
        """One step of all directions, rounded."""
        real, imaginary, scale = constants
        _, s_real, s_imaginary = state
        u_real, u_imaginary, a = u.chunk(3, -1)
        memory = roundings.memory
        next_real = memory(real * s_real - imaginary * s_imaginary + scale * u_real)
        next_imaginary = memory(real * s_imaginary + imaginary * s_real + scale * u_imaginary)
        return memory(roundings.gate(a.sigmoid()) * next_real), next_real, next_imaginary

    def integer_step(
        self, u: Ints, constants: tuple[Ints, ...], state: tuple[Ints, ...], fractions: Fractions
    ) -> tuple[Ints, ...]:
        """`step` in whole numbers."""
        real, imaginary, scale = constants
        _, s_real, s_imaginary = state
        u_real, u_imaginary, a = np.split(u, 3, -1)
        sums, memory = fractions.sum, fractions.memory
        of_state, of_input = GATE_FRACTION + memory, GATE_FRACTION + sums
        turned = real * s_real - imaginary * s_imaginary, real * s_imaginary + imaginary * s_real
        next_real = rounded_sum((turned[0], of_state), (scale * u_real, of_input), to=memory)
        next_imaginary = rounded_sum((turned[1], of_state), (scale * u_imaginary, of_input), to=memory)
        h = rounded_sum((sigmoid(a, sums) * next_real, of_state), to=memory)
        return h, next_real, next_imaginary


LRU = Lru()
