"""A network for pictures whose weights are codes of codebooks: k-means, weights alone."""

from pathlib import Path

import torch

from quant.arithmetic.clipping import KMEANS, Scheme
from quant.arithmetic.kmeans import clustered
from quant.evaluation.code import IMAGE_CODEBOOKS
from quant.images.image_model import ImageModel
from quant.images.integer_network import IntegerNetwork, codes_of, least_error
from quant.sites.candidate import FIXED_POINT_BITS, Bits
from quant.sites.codebook import (
    CODEBOOK_PAIRS,
    check_codebooks,
    looked_up,
    parse_codebooks,
    stored_in_codebooks,
)
from simulators import Trace
from simulators.inputs.code_digest import Code


class CodebookNetwork(IntegerNetwork):
    """A network in whole numbers whose weights are centroids, at one power of two a layer."""

    def _quantized(self, site: str, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
        weight = self.parameters.weights[site]
        if bits == FIXED_POINT_BITS:
            return super()._quantized(site, bits)
        centroids = torch.from_numpy(clustered(weight, bits))
        fraction = least_error(centroids.flatten()[None], FIXED_POINT_BITS, unsigned=False)
        return codes_of(centroids, int(fraction), FIXED_POINT_BITS).float(), fraction.expand(len(weight))


class CodebookImages(ImageModel):
    """A network for pictures of the scheme `kmeans`. Its candidates are those of `quant.sites.codebook`, whatever
    hardware offers; its errors are exact, of products of 16-bit centroids and 16-bit activations."""

    computed_by = CodebookNetwork
    scheme_name = Scheme(KMEANS).name
    bit_widths = (FIXED_POINT_BITS,)
    """Widths in bits of its products, which hardware must offer."""
    precisions = CODEBOOK_PAIRS
    """(Weight bits, activation bits) that a site may have."""

    @property
    def code(self) -> Code:
        """What decides its errors."""
        return IMAGE_CODEBOOKS

    def check(self, bits: Bits) -> None:
        """Raise InputError for a candidate that it cannot have."""
        check_codebooks(bits, self.sites)

    def parse_bits(self, text: str) -> dict[str, tuple[int, int]]:
        """A candidate as a user writes it: `4x16` has codebooks of 16 centroids."""
        return parse_codebooks(text, self.sites)

    def stored_bits(self, bits: Bits) -> int:
        """Bits of the codes and the codebooks, without biases."""
        return stored_in_codebooks(bits, self.sites)

    def trace(self, bits: Bits, steps: int | None = None) -> Trace:
        """What a candidate computes once its weights are looked up, before the pictures: products of 16 by 16 bits. No
        platform looks weights up on their way to its products."""
        self.check(bits)
        return super().trace(looked_up(bits), steps)


def load_images(path: Path, root: Path | None, codebooks: bool) -> ImageModel:
    """The network of a file, with or without codebooks. Raises InputError: see `ImageModel.load`."""
    return (CodebookImages if codebooks else ImageModel).load(path, root)
