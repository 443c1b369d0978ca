"""Precisions that a platform can simulate and a spec does not list: what exploration may ask for, and a search may not.

Bit Fusion forms operands of 2, 4, 8 and 16 bits. Others lie in memory at their own width and are multiplied at the next
of those, so 3 bits save traffic and no cycles of the array. Epiphany's activations lie there as half words or words
besides. Most platforms refuse what they do not list.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulators.hardware.arch import Arch
from simulators.hardware.spec import Pair, precisions_shown
from simulators.lowering.platform import RoundsWidths, platform_named
from simulators.workloads.trace import Trace


def unlisted_precisions(trace: Trace, archs: Sequence[Arch], published: bool = False) -> list[str]:
    """A line for the architectures with products at bits that they do not list, those of which the same is to be said
    together; `published`: by the closed form, which does not round them."""
    pairs = {layer.operand_bits: None for layer in trace.layers if layer.is_product}
    lines: dict[str, dict[str, None]] = {}
    for arch in archs:
        unlisted = [pair for pair in pairs if pair not in arch.precisions]
        if not unlisted:
            continue
        words = f"{_joined(unlisted)} bits (weights x activations)"
        platform = platform_named(arch.platform)
        if isinstance(platform, RoundsWidths) and not published:
            stored = [platform.stored_as(pair) for pair in unlisted]
            rounded = [platform.multiplied_as(pair) for pair in unlisted]
            if rounded != unlisted or stored != unlisted:
                lies = "they are" if stored == unlisted else _joined(stored)
                words += f": stored as {lies}, multiplied as {_joined(rounded)}"
        words += f"; not among the precisions that a search offers: {precisions_shown(arch.precisions)}"
        lines.setdefault(words, {})[arch.name] = None
    return [f"{', '.join(names)}: {words}" for words, names in lines.items()]


def _joined(pairs: Sequence[Pair]) -> str:
    """The pairs, or the one that all of them are."""
    return ", ".join(f"{w}x{a}" for w, a in (pairs[:1] if len({*pairs}) == 1 else pairs))
