"""The quantized weight matrices of a network."""

from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.arithmetic.kmeans import codebook_weights
from quant.arithmetic.products import Weights
from quant.sites.candidate import Bits
from simulators.inputs.errors import InputError

Arranged = TypeVar("Arranged")


class QuantizedWeights:
    """Codes of a network's weight matrices, each quantized once for a site and a width, and kept."""

    def __init__(
        self, network: nn.Module, scheme: Scheme | None = None, only: dict[tuple[str, int], Weights] | None = None
    ):
        """The parameters of `network` have their sites' names. `only`: codes that are there already, for the sites and
        bits that there are."""
        self._network = network
        self.scheme = scheme or Scheme()
        self._kept: dict[tuple[str, int], Weights] = only or {}
        self._closed = only is not None
        self._arranged: dict[tuple[str, int], Any] = {}

    def __call__(self, site: str, bits: int) -> Weights:
        """The codes of a site's matrix at a width. Raises InputError for what an exported model does not have."""
        key = (site, bits)
        if key not in self._kept:
            if self._closed:
                raise InputError(f"site {site}: {bits} bits: the exported model has other weights")
            weight = self._network.get_parameter(site).detach()
            held = self.scheme.has_codebooks
            self._kept[key] = codebook_weights(weight, bits) if held else quantize_weights(weight, bits, self.scheme)
        return self._kept[key]

    def prepare(self, bits: Bits) -> None:
        """Quantize what a candidate needs: once, before several threads ask for it. Raises InputError for what an
        exported model does not have."""
        for site, (weight_bits, _) in bits.items():
            self(site, weight_bits)

    def arranged(self, site: str, bits: int, arrange: Callable[[Weights], Arranged]) -> Arranged:
        """A site's matrix as its cell wants it: what `arrange` makes of it, which is the same at every call, kept."""
        key = (site, bits)
        if key not in self._arranged:
            self._arranged[key] = arrange(self(site, bits))
        return self._arranged[key]  # type: ignore[no-any-return]
