"""What the weights of a graph's nodes are called as sites, and what the file says of them."""

import re
from collections.abc import Callable
from typing import NamedTuple

import torch

from quant.arithmetic.grid import Grid
from quant.graphs.graph import Node
from quant.sites.site import NAME_CHARACTERS
from simulators.inputs.errors import InputError

_UNFIT = re.compile(rf"[^{NAME_CHARACTERS}]+")
LONGEST = 60
"""Characters of a name, to which a trace may add."""


class SitePlace(NamedTuple):
    """Where a site's matrix (M, K) lies in the network's constants."""

    storage: int
    """Address of the memory of the constant."""
    memory: torch.Tensor
    """All elements of that memory."""
    numbers: torch.Tensor
    """(M · K,) Which element of that memory each element of the matrix is."""


class SiteNames:
    """Names by weight: nodes that share one, as the steps of an unrolled loop do, share a site."""

    def __init__(self) -> None:
        self.weights: dict[str, torch.Tensor] = {}
        """The matrix (M, K) of each site, in the order in which they were met."""
        self.grids: dict[str, Grid] = {}
        """The grid of a site's activations where a quantizer of the graph's own says it."""
        self.stored_bits: dict[str, int] = {}
        """The width of the integers that a site's weights are stored as, of those that are."""
        self._names: dict[tuple[int, str], str] = {}
        self._taken: set[str] = set()
        self._kept: dict[tuple[int, str], torch.Tensor] = {}
        self._arranged: dict[int, tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]] = {}
        self._alive: list[torch.Tensor] = []
        self._tables: set[int] = set()

    def of(self, node: Node, weight: torch.Tensor, suffix: str = "") -> str:
        """The name of a constant's site: the node's that first read it, without slashes around it and without the
        operator at its end."""
        key = (weight.data_ptr(), suffix)
        if key not in self._names:
            stem = re.sub(rf"/({node.op}|MatMul|Gemm)(_\d+)?$", "", node.name) or node.name
            stem = _UNFIT.sub("_", stem.strip("/"))[-LONGEST:] or node.op
            name, number = f"{stem}{suffix}", 1
            while name in self._taken:
                number += 1
                name = f"{stem}_{number}{suffix}"
            self._names[key] = name
            self._taken.add(name)
            self._alive.append(weight)  # so that no other comes to lie where it does
        return self._names[key]

    def of_table(self, node: Node, table: torch.Tensor) -> str | None:
        """The site whose matrix (M, K) a node looks rows up in, as an embedding that is tied to a product does; None
        where it is none's, or none's yet."""
        if node.op != "Gather" or node.attributes.get("axis", 0) not in (0, -table.dim()) or not table.numel():
            return None
        self._tables.add(table.data_ptr())
        site = self._names.get((table.data_ptr(), ""))
        return site if site is not None and self.weights[site].shape == table.shape else None

    @property
    def has_tied_tables(self) -> bool:
        """Whether rows of a site's matrix are looked up."""
        return any(place in self._tables for place, _ in self._names)

    def note(self, site: str, weight: torch.Tensor, grid: Grid | None, stored_bits: int | None) -> None:
        """What a site's matrix (M, K) is, and what the file says of its integers."""
        self.weights.setdefault(site, weight)
        if grid is not None:
            self.grids.setdefault(site, grid)
        if stored_bits is not None:
            self.stored_bits.setdefault(site, stored_bits)

    def kept(self, weight: torch.Tensor, how: str, made: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """What a constant is in another arrangement, which `made` makes of it, once, so that it stays one site."""
        key = (weight.data_ptr(), how)
        if key not in self._kept:
            arranged = made(weight).contiguous()
            self._kept[key] = arranged
            self._arranged[arranged.untyped_storage().data_ptr()] = (weight, made)
            self._alive.append(weight)
        return self._kept[key]

    def place(self, site: str) -> SitePlace:
        """Where in the network's constants a site's matrix lies. Raises InputError for one that is computed of them, as
        that of a Fourier transform."""
        matrix = self.weights[site]
        found = self._arranged.get(matrix.untyped_storage().data_ptr())
        if found is None:
            numbers = torch.arange(matrix.numel()).add(int(matrix.storage_offset()))
            return _placed(matrix, numbers)
        weight, made = found
        arranged = made(torch.arange(weight.numel()).view(weight.shape)).flatten()
        if arranged.is_floating_point():
            raise InputError(f"site {site}: its matrix is computed, and no constant of the network: it is not exported")
        numbers = arranged.add(int(weight.storage_offset()))
        return _placed(weight, numbers)


def _placed(constant: torch.Tensor, numbers: torch.Tensor) -> SitePlace:
    memory = constant.untyped_storage()
    return SitePlace(memory.data_ptr(), constant.new_empty(0).set_(memory), numbers)
