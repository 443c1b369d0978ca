"""A layer of a trace, and the site that it comes from."""

from dataclasses import dataclass

from simulators import Elementwise, Matmul


@dataclass(frozen=True)
class TracedLayer:
    """What the simulators take, with what a network knows of it besides."""

    layer: Matmul | Elementwise
    site: str | None = None
    """The site whose input a product reads; None for elementwise work."""
    direction: int = 0
    """Which direction of time a product's input belongs to: 0 forward or both, 1 backward."""
