"""A site: what gets a pair of bit-widths."""

from dataclasses import dataclass

DIRECTIONS = 2


@dataclass(frozen=True)
class Site:
    """One weight matrix with the activation that feeds it."""

    name: str
    out_features: int
    in_features: int

    @property
    def weights(self) -> int:
        return self.out_features * self.in_features
