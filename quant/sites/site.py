"""A site: what gets a pair of bit-widths."""

from dataclasses import dataclass
from enum import StrEnum

NAME_CHARACTERS = r"\w./+\-"
"""Characters of names of sites, as a set of a regular expression has them: those of networks from files have the paths
of their modules."""
DIRECTIONS = 2
"""Directions of a bidirectional layer: forward in time, and backward."""


class Role(StrEnum):
    """What a weight matrix is for."""

    INPUT = "input"
    """Multiplies the input of a recurrent layer, all steps at once."""
    RECURRENT = "recurrent"
    """Multiplies the state of a recurrent layer, each step after the one before."""
    PROJECTION = "projection"
    """Narrows the result of one recurrent layer for the next."""
    OUTPUT = "output"
    """Makes scores of the last layer's result."""
    FEEDFORWARD = "feedforward"
    """Any other layer with weights."""


class Direction(StrEnum):
    """The direction of time in which a recurrent layer's matrix is used."""

    FORWARD = "forward"
    BACKWARD = "backward"
    BOTH = "both"
    """The matrix has the rows of the forward direction, then as many of the backward one."""


def direction_of(directions: int) -> Direction:
    """The direction of a layer's matrices that hold the rows of so many."""
    return Direction.BOTH if directions == DIRECTIONS else Direction.FORWARD


@dataclass(frozen=True)
class Site:
    """One weight matrix with the activation that feeds it."""

    name: str
    out_features: int
    """Rows of the matrix: elements of its result."""
    in_features: int
    """Columns of the matrix: elements of the activation."""
    role: Role = Role.FEEDFORWARD
    layer: int | None = None
    """Recurrent layer, counted from 0, that the matrix is a part of, or that a projection feeds."""
    direction: Direction | None = None
    """None where the matrix is not a recurrent layer's."""

    @property
    def weights(self) -> int:
        """Weights of the matrix: multiply-accumulates a frame."""
        return self.out_features * self.in_features
