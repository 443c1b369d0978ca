"""What a bit-serial array takes of an FPGA, and the most that it does: BISMO's published cost model.

    python -m simulators.platforms.bit_serial.cost_model [SPEC …]

LUTs and block RAMs are those of `estimateResources` in EECS-NTNU/bismo @b388d78 (April 2019), with block RAMs of 32
bits × 1,024; peak performance is that of Umuroglu et al. (FPL 2018; TRETS 2019): a multiplication and an addition of
bits are two binary operations.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import ceil

from simulators.platforms.bit_serial.published import PublishedArray

LUTS_PER_BIT, LUTS_PER_UNIT, LUTS_PER_ACCUMULATOR = 1.17, 44.1, 120.1
"""LUTs of a dot-product unit by bit of its word, of the unit besides, and of its accumulator."""
BLOCK_RAM_BITS, BLOCK_RAM_WORDS = 32, 1024


def array_luts(array: PublishedArray) -> float:
    """LUTs of all dot-product units."""
    of_unit = LUTS_PER_BIT * array.word_bits + LUTS_PER_UNIT + LUTS_PER_ACCUMULATOR
    return array.rows * array.columns * of_unit


def block_rams(array: PublishedArray) -> int:
    """Block RAMs of both operand buffers: a memory of its own for each row and each column."""
    deep = [
        memories * ceil(ceil(words / memories) / BLOCK_RAM_WORDS)
        for memories, words in ((array.rows, array.activation_words), (array.columns, array.weight_words))
    ]
    return ceil(array.word_bits / BLOCK_RAM_BITS) * sum(deep)


def binary_operations_per_cycle(array: PublishedArray) -> int:
    """Binary operations of all units in a cycle."""
    return 2 * array.rows * array.columns * array.word_bits


def peak_gops(array: PublishedArray, frequency_mhz: float) -> float:
    """10^9 binary operations a second, at most."""
    return binary_operations_per_cycle(array) * frequency_mhz / 1e3


def main(arguments: Sequence[str]) -> int:
    """Print the figures of some specs, by default of all that ship."""
    from simulators.hardware.arch import arch_names, load_arch
    from simulators.inputs.errors import InputError
    from simulators.inputs.terminal import Terminal
    from simulators.platforms.bit_serial.spec import BitSerialSpec

    out = Terminal()
    out.say(f"{'spec':28} {'array':>12} {'MHz':>5} {'binary GOPS':>12} {'LUT':>9} {'block RAM':>9}")
    for name in arguments or arch_names():
        try:
            spec = load_arch(name).spec
        except InputError as error:
            Terminal(stderr=True).say(str(error))
            return 2
        if not isinstance(spec, BitSerialSpec):
            if arguments:
                Terminal(stderr=True).say(f"{spec.name}: platform {spec.platform}: it is no bit-serial array")
                return 2
            continue
        array = spec.published_array
        shape = f"{array.rows}x{array.word_bits}x{array.columns}"
        gops = peak_gops(array, spec.frequency_mhz)
        out.say(
            f"{spec.name:28} {shape:>12} {spec.frequency_mhz:5g} {gops:12,.1f} {array_luts(array):9,.0f} "
            f"{block_rams(array):9,}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
