"""What one direction of an LSTM, GRU or RNN of ONNX is, with all that a node may say of it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
"""Gates of each operator."""

Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Activation:
    """A function of a gate, by ONNX's name, with its parameters."""

    name: str
    alpha: float | None = None
    """The first parameter, a plain number; None: ONNX's default."""
    beta: float | None = None
    """The second parameter, a plain number; None: ONNX's default."""

    @property
    def is_bounded(self) -> bool:
        """Whether its values lie in [-1, 1], and can be held as gates are."""
        return self.name in ("Sigmoid", "Tanh", "HardSigmoid", "Softsign")

    def function(self) -> Function:
        """Raises KeyError for a name that ONNX has not."""
        default = _DEFAULTS.get(self.name, (0.0, 0.0))
        alpha = default[0] if self.alpha is None else self.alpha
        beta = default[1] if self.beta is None else self.beta
        functions: dict[str, Function] = {
            "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Relu": torch.relu, "Softsign": functional.softsign,
            "Softplus": functional.softplus, "Affine": lambda x: alpha * x + beta,
            "LeakyRelu": lambda x: functional.leaky_relu(x, alpha), "Elu": lambda x: functional.elu(x, alpha),
            "ThresholdedRelu": lambda x: torch.where(x > alpha, x, torch.zeros_like(x)),
            "ScaledTanh": lambda x: alpha * torch.tanh(beta * x),
            "HardSigmoid": lambda x: (alpha * x + beta).clamp(0, 1),
        }  # fmt: skip
        return functions[self.name]


_DEFAULTS = {"Affine": (1.0, 0.0), "LeakyRelu": (0.01, 0.0), "Elu": (1.0, 0.0), "ThresholdedRelu": (1.0, 0.0),
             "ScaledTanh": (1.0, 1.0), "HardSigmoid": (0.2, 0.5)}  # fmt: skip
"""alpha and beta where a node does not say them (ONNX's reference of LSTM)."""

PLAIN = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
"""Activations where a node does not name them."""


@dataclass(frozen=True)
class RecurrentDirection:
    """One direction of a layer of C cells and G gates."""

    op: str
    """LSTM, GRU or RNN."""
    sites: tuple[str, str]
    """Names of the input product's site and of the recurrent one."""
    w: torch.Tensor
    """(G·C, K), held as the roundings say."""
    u: torch.Tensor
    """(G·C, C), held as the roundings say."""
    bias: torch.Tensor
    """(2, G·C): of the input product, and of the recurrent one."""
    peepholes: torch.Tensor | None
    """(3, C) of LSTM: what its gates i, o, f see of the memory."""
    activations: tuple[Activation, ...]
    clip: float | None = None
    """Sums before an activation are kept within ± this."""
    couples: bool = False
    """Whether LSTM's forget gate is 1 - i (input_forget, as ONNX Runtime reads it)."""
    resets_after: bool = False
    """Whether GRU's reset gate stands behind the recurrent product (linear_before_reset)."""

    @property
    def is_plain(self) -> bool:
        """Whether its steps are those of this project's own LSTM and GRU."""
        named = tuple(activation.name for activation in self.activations) == PLAIN[self.op]
        unusual = self.clip is not None or self.couples or self.peepholes is not None or self.op == "RNN"
        return named and not unusual and (self.resets_after or self.op == "LSTM")


@dataclass(frozen=True)
class States:
    """What a step hands on: h (B, C), and the memory of LSTM (B, C)."""

    h: torch.Tensor
    c: torch.Tensor | None = None
