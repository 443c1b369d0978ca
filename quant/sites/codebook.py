"""Candidates of weights in codebooks: weights alone are narrowed, to codes that each name one of a matrix's 16-bit
centroids. Activations stay at 16 bits: what is saved is memory, and the product that a weight is looked up for is as
wide as ever."""

from collections.abc import Sequence

from quant.sites.candidate import FIXED_POINT_BITS, Bits, check_candidate, parse_bits
from quant.sites.site import Site
from simulators.inputs.errors import InputError

CODE_BITS = (1, 2, 3, 4, 5, 6, 7, 8)
"""Widths of codes."""
CENTROID_BITS = FIXED_POINT_BITS
"""Width of a centroid."""
CODEBOOK_PAIRS = (*((bits, FIXED_POINT_BITS) for bits in CODE_BITS), (FIXED_POINT_BITS, FIXED_POINT_BITS))
"""(Weight bits, activation bits) of a site; weights of 16 bits are held as they are, without a codebook."""
_WIDTHS = (*CODE_BITS, FIXED_POINT_BITS)


def check_codebooks(bits: Bits, sites: Sequence[Site]) -> None:
    """Raise InputError unless every site, and no other, has a pair of `CODEBOOK_PAIRS`."""
    check_candidate(bits, sites, _WIDTHS)
    for site, (_, activation_bits) in bits.items():
        if activation_bits != FIXED_POINT_BITS:
            rule = f"k-means is of weights alone, activations have {FIXED_POINT_BITS}: as in 4x{FIXED_POINT_BITS}"
            raise InputError(f"activations of {site}: {activation_bits} bits: {rule}")


def parse_codebooks(text: str, sites: Sequence[Site]) -> dict[str, tuple[int, int]]:
    """A candidate as a user writes it: see `quant.sites.candidate.parse_bits`."""
    bits = parse_bits(text, sites, "a network of codebooks sends everything", _WIDTHS)
    check_codebooks(bits, sites)
    return bits


def codebook_bits(weights: int, code_bits: int) -> int:
    """Bits that so many weights take: their codes, and a codebook of 2^code_bits centroids, or of as many as there are
    weights. At 16 bits there is none."""
    if code_bits == FIXED_POINT_BITS:
        return weights * FIXED_POINT_BITS
    return weights * code_bits + min(1 << code_bits, weights) * CENTROID_BITS


def stored_in_codebooks(bits: Bits, sites: Sequence[Site]) -> int:
    """Bits that a candidate's weight matrices take, with their codebooks."""
    return sum(codebook_bits(site.weights, bits[site.name][0]) for site in sites)


def looked_up(bits: Bits) -> dict[str, tuple[int, int]]:
    """The widths that products have once weights are looked up."""
    return dict.fromkeys(bits, (CENTROID_BITS, FIXED_POINT_BITS))
