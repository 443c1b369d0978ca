"""Which product reads what each layer of a trace leaves: its activations say how wide that is."""

from collections.abc import Sequence

from simulators.workloads.layer import VECTOR_BITS, Layer
from simulators.workloads.vector_layers import Elementwise, Pool2d


def readers(layers: Sequence[Layer]) -> list[int | None]:
    """For each layer the position of the product that reads its results; None where an elementwise layer or nothing
    does, so that they have 16 bits. Results pass through pooling as they are.

    A trace does not say it, but its own widths do where they differ: results of another width than the product reads
    that follows by the order of layers have 16 bits for an elementwise layer further on, as behind a residual, or are
    read by the next product that reads at their width.
    """
    found = _by_order(layers)
    next_at: dict[int, int] = {}  # the next product that reads at a width
    for i in reversed(range(len(layers))):
        layer, reader = layers[i], found[i]
        width = layer.outputs_total().width_bits
        if width != (VECTOR_BITS if reader is None else layers[reader].operand_bits[1]):
            found[i] = None if width == VECTOR_BITS else next_at.get(width, reader)
        if layer.is_product:
            next_at[layer.operand_bits[1]] = i
    return found


def _by_order(layers: Sequence[Layer]) -> list[int | None]:
    """`readers` by the order of layers: one is read by the one behind it, but for a recurrent layer of two matrices.
    Gates that read more than the recurrent product leaves read the product of the inputs before it too, and what they
    leave goes to what is behind all directions, and, where there is nothing, back to the recurrent product alone.
    """
    found: list[int | None] = [None] * len(layers)
    behind: int | None = None
    is_last = True
    i = len(layers) - 1
    while i >= 0:
        if _are_gates(layers, i):
            found[i] = i - 1 if is_last else behind
            i -= 2
            if i >= 0 and layers[i].is_product:  # of the inputs, read by the gates
                behind, is_last = i, False
                i -= 1
            continue
        found[i] = behind
        if layers[i].is_product:
            behind = i
        elif not isinstance(layers[i], Pool2d):
            behind = None
        is_last = False
        i -= 1
    return found


def _are_gates(layers: Sequence[Layer], i: int) -> bool:
    """Whether a layer's elementwise work is behind a recurrent product and reads more than what that leaves."""
    gates, product = layers[i], layers[i - 1] if i else None
    if not (isinstance(gates, Elementwise) and gates.recurrent and product and product.is_product):
        return False
    left = product.outputs_total().elements // product.steps
    return product.waits_for_itself and gates.inputs > left
