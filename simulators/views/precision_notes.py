"""Precisions that an array can simulate and its spec does not list: what exploration may ask for, and a search may not.

Bit Fusion forms operands of 2, 4, 8 and 16 bits. Others lie in memory at their own width and are multiplied at the next
of those, so 3 bits save traffic and no cycles of the array. SiLago refuses what it does not list.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulators.hardware.arch import Arch
from simulators.hardware.spec import precisions_shown
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.platforms.bitfusion.tiling import operand_width
from simulators.workloads.trace import Elementwise, Trace


def unlisted_precisions(trace: Trace, archs: Sequence[Arch], published: bool = False) -> list[str]:
    """A line for each architecture with products at bits that it does not list; `published`: by the closed form, which
    does not round them."""
    pairs = {(x.weight_bits, x.activation_bits): None for x in trace.layers if not isinstance(x, Elementwise)}
    lines: dict[str, None] = {}
    for arch in archs:
        unlisted = [pair for pair in pairs if pair not in arch.precisions]
        if not unlisted:
            continue
        words = f"{_joined(unlisted)} bits (weights x activations)"
        rounded = [(operand_width(w), operand_width(a)) for w, a in unlisted]
        if isinstance(arch.spec, BitFusionSpec) and not published and rounded != unlisted:
            words += f": stored as they are, multiplied as {_joined(rounded)}"
        offered = precisions_shown(arch.precisions)
        lines[f"{arch.name}: {words}; not among the precisions that a search offers: {offered}"] = None
    return list(lines)


def _joined(pairs: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{w}x{a}" for w, a in pairs)
