"""How a model's products and recurrences are computed: the seam between a network and the number formats it runs in.

A model says *what* is multiplied (`product`) and *what* recurs (`sru`); an arithmetic says *how*. Training runs in
`FloatArithmetic`; `quant.arithmetic.integer` supplies one that records ranges and one that quantizes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import functional

from quant.networks.cells import Cell, recurrence, turned
from quant.networks.recurrence import sru_recurrence
from quant.sites.site import DIRECTIONS


@dataclass(frozen=True)
class Stage:
    """A part of a network's computation."""

    sites: tuple[str, ...]
    compute: Callable[[torch.Tensor], torch.Tensor]
    """Its result from that of the part before."""
    operations: int = 0
    """Elementwise operations of its recurrence, a frame."""
    kept: bool = True
    """Whether the result is small beside the time that it takes: worth memory until another candidate needs it."""


class Arithmetic(Protocol):
    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """x (..., K) times weight (M, K) transposed, plus bias (M,): (..., M)."""
        ...

    def sru(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        """A layer of SRU: x (T, B, K), weight (2·3·C, K), vectors (2, 4, C) → h (T, B, 2, C): see
        `quant.networks.recurrence`."""
        ...

    def recurrence(
        self,
        site: str,
        cell: type[Cell],
        u: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        lengths: torch.Tensor,
    ) -> torch.Tensor:
        """The recurrence of both directions with the product of `site` inside: u (T, B, 2·G·C) with its biases, weight
        (2·G·C, C), bias (2, R·C) → h (T, B, 2, C). What lies past an utterance's end means nothing."""
        ...


def side_by_side(u: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """(T, B, 2·M) → (T, 2, B, M), the second direction in its own order of time."""
    forward, backward = u.chunk(2, -1)
    return torch.stack((forward, turned(backward, lengths)), 1)


def in_time(h: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """(T, 2, B, C), the second direction in its own order of time → (T, B, 2, C)."""
    return torch.stack((h[:, 0], turned(h[:, 1], lengths)), 2)


def by_gate(u: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """The product of an SRU layer (T, B, 2·3·C) → (T, B, 2, 3, C)."""
    return u.unflatten(-1, (DIRECTIONS, -1, vectors.shape[2]))


class FloatArithmetic:
    """Float32, differentiable."""

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        return functional.linear(x, weight, bias)

    def sru(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        return sru_recurrence(by_gate(self.product(site, x, weight), vectors), vectors, lengths)

    def recurrence(
        self,
        site: str,
        cell: type[Cell],
        u: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        lengths: torch.Tensor,
    ) -> torch.Tensor:
        w = weight.unflatten(0, (DIRECTIONS, -1))
        return in_time(recurrence(cell, side_by_side(u, lengths), w, bias), lengths)
