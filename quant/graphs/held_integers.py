"""What an exported network is evaluated with, in the place of weights and calibration."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from quant.arithmetic.products import Weights
from quant.own.formats import Formats
from quant.own.roundings import Exactly
from quant.sites.candidate import Bits, name_of
from simulators.inputs.errors import InputError


@dataclass(frozen=True)
class HeldIntegers:
    """The integers and formats of one candidate, and what the float network made of the data that it was exported
    with."""

    bits: Bits
    weights: Mapping[str, Weights]
    formats: Formats
    references: Mapping[str, torch.Tensor]
    """Judged outputs of the float network, by the digests of utterances."""
    digest: str
    """Tells the network, its integers and its formats apart."""

    def check(self, bits: Bits | None) -> None:
        """Raise InputError for another candidate than its own, or for the float network."""
        if bits is None:
            raise InputError("an exported model has no float weights: it is evaluated at its own bits")
        if dict(bits) != dict(self.bits):
            raise InputError(f"bits: an exported model has its own alone: {name_of(self.bits)}")

    def reference(self, utterance: str, digest: str) -> torch.Tensor:
        """What the float network made of an utterance. Raises InputError for one that it was not exported with."""
        if digest not in self.references:
            rule = "it was exported with other data, and its error is a difference from the float network"
            raise InputError(f"{utterance}: the exported model does not know the float network's output for it: {rule}")
        return self.references[digest]


class HeldValues(Exactly):
    """Values pass as they are, by weights that are held as integers."""

    def __init__(self, held: HeldIntegers):
        self._weights = held.weights

    def weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        """The value of the site's integers, in the sizes of its matrix."""
        if site not in self._weights:
            raise InputError(f"site {site}: the exported model has no integers of it")
        held = self._weights[site]
        if held.codes.shape != weight.shape:
            raise InputError(f"site {site}: integers of sizes {list(held.codes.shape)}: expected {list(weight.shape)}")
        return held.codes * held.steps[:, None]
