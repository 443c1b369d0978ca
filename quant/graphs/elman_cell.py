"""The simple recurrent network of Elman (1990), which ONNX calls RNN: h = tanh(W x + U h' + b)."""

from typing import ClassVar

import torch

from quant.networks.gated import GatedCell
from quant.networks.step import StepRoundings, Tensors


class Elman(GatedCell):
    """One gate, one state."""

    name, title, gates, vector_words = "rnn", "RNN", 1, 1
    ops: ClassVar = {"add": 2, "tanh": 1}
    default_layers = 1

    def step(
        self, u: torch.Tensor, a: torch.Tensor, bias: torch.Tensor, state: Tensors, roundings: StepRoundings
    ) -> Tensors:
        """One step, rounded."""
        return (roundings.gate(roundings.sum(u + a).tanh()),)


ELMAN = Elman()
