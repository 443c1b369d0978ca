"""A recogniser whose weights are codes of codebooks: k-means, weights alone."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from quant.evaluation.recogniser import Recogniser
from quant.sites.candidate import FIXED_POINT_BITS, Bits
from quant.sites.codebook import (
    CODEBOOK_PAIRS,
    check_codebooks,
    looked_up,
    parse_codebooks,
    stored_in_codebooks,
)
from quant.training.loop import TrainingStep
from simulators import Trace
from simulators.inputs.errors import InputError


class CodebookRecogniser(Recogniser):
    """A recogniser of the scheme `kmeans`. Its candidates are those of `quant.sites.codebook`, whatever hardware
    offers; its errors are exact, of products of 16-bit centroids and 16-bit activations."""

    of_codebooks = True
    precisions = CODEBOOK_PAIRS
    """(Weight bits, activation bits) that a site may have."""

    @property
    def bit_widths(self) -> tuple[int, ...]:
        """Widths in bits of its products, which hardware must offer."""
        return (FIXED_POINT_BITS,)

    def check(self, bits: Bits) -> None:
        """Raise InputError for a candidate that it cannot have."""
        check_codebooks(bits, self.sites)

    def parse_bits(self, text: str) -> dict[str, tuple[int, int]]:
        """A candidate as a user writes it: `4x16` has codebooks of 16 centroids."""
        return parse_codebooks(text, self.sites)

    def stored_bits(self, bits: Bits) -> int:
        """Bits of the codes, of the codebooks, and of vectors at 16."""
        return stored_in_codebooks(bits, self.sites) + self._vector_bits

    def trace(self, bits: Bits, steps: int = 300) -> Trace:
        """What a candidate computes once its weights are looked up, before the utterance: products of 16 by 16 bits. No
        platform looks weights up on their way to its products."""
        self.check(bits)
        return super().trace(looked_up(bits), steps)

    def retrained(
        self,
        bits: Bits,
        folder: Path,
        *,
        epochs: int,
        learning_rate: float,
        on_step: Callable[[TrainingStep], None] | None = None,
    ) -> Recogniser:
        """Raises InputError: centroids are not trained."""
        raise InputError("retraining: codebooks are made of the weights that there are, centroids are not trained")

    @cached_property
    def _vector_bits(self) -> int:
        wide = dict.fromkeys((site.name for site in self.sites), CODEBOOK_PAIRS[-1])
        return super().trace(wide, 1).weight_bits_total - stored_in_codebooks(wide, self.sites)
