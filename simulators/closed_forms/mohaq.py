"""The closed-form objectives of MOHAQ (Rezk et al., J. Systems Architecture 2022), so that its experiments can be
rerun.

They are not the simulators' truth: `speedup` is a MAC-weighted mean of per-layer speedups, not a ratio of times, and
ignores memory, elementwise work and arrays that a narrow layer cannot fill. A trace's figures are taken a frame
(`trace.steps`).
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import lcm

from simulators.inputs.errors import InputError
from simulators.workloads.trace import Trace

CLOSED_FORM_PLATFORMS = ("bitfusion", "silago")
"""Platforms that MOHAQ has a closed form of."""

SRAM_PJ_PER_BIT = 0.08
"""SiLago, from the code published with MOHAQ."""

MAC_PJ = {16: 1.666, 8: 1.084 / 2, 4: 0.613 / 4}
"""SiLago's energy of one multiply-accumulate by operand bits, from the code published with MOHAQ."""

BIT_FUSION_SPEEDUP_LIMIT = 64
"""MOHAQ's 16×16-bit reference over Bit Fusion's fastest pair, 2×2."""


def memory_mib(trace: Trace) -> float:
    """Weights at their bits and vector parameters at 16, in MiB."""
    return trace.weight_bits_total / 8 / 2**20


def compression(trace: Trace) -> float:
    """Memory of the same parameters at 32 bits over this memory."""
    words = sum(layer.parameters for layer in trace.layers)
    return words * 32 / trace.weight_bits_total


@cache
def layer_speedup(platform: str, weight_bits: int, activation_bits: int) -> Fraction:
    """Speedup of a multiply-accumulate over 16×16 bits: 16/bits on SiLago, 256/(weight·activation bits) on Bit
    Fusion.
    """
    if platform not in CLOSED_FORM_PLATFORMS:
        raise InputError(f"platform {platform}: MOHAQ's closed form is of {' and '.join(CLOSED_FORM_PLATFORMS)}")
    if platform == "silago":
        return Fraction(16, max(weight_bits, activation_bits))
    return min(Fraction(256, weight_bits * activation_bits), Fraction(BIT_FUSION_SPEEDUP_LIMIT))


def speedup(trace: Trace, platform: str) -> float:
    """Σ MACs · speedup, divided by MACs and elementwise operations (5,637,500 a frame on MOHAQ's SRU).

    The elementwise operations stand in the divisor only, as in the published code.
    """
    macs: dict[tuple[int, int], int] = {}
    for layer in trace.layers:
        if layer.is_product:
            macs[layer.operand_bits] = macs.get(layer.operand_bits, 0) + layer.macs
    speedups = [layer_speedup(platform, *pair) for pair in macs]
    common = lcm(*(of.denominator for of in speedups))
    total = sum(
        count * of.numerator * (common // of.denominator) for count, of in zip(macs.values(), speedups, strict=True)
    )
    return total / (common * (trace.macs + trace.ops))


def silago_sram_uj(trace: Trace) -> float:
    """Energy a frame of reading every parameter once from SRAM, in µJ."""
    return trace.weight_bits_total * SRAM_PJ_PER_BIT / 1e6


def silago_mac_uj(trace: Trace) -> float:
    """Energy a frame of the multiply-accumulates, in µJ. A pair of unlike bits costs what its wider operand does."""
    energy = 0.0
    for layer in trace.layers:
        if not layer.is_product:
            continue
        bits = max(layer.operand_bits)
        if bits not in MAC_PJ:
            raise ValueError(f"layer {layer.name}: {bits} bits: SiLago's published energies are for {sorted(MAC_PJ)}")
        energy += layer.macs * MAC_PJ[bits]
    return energy / trace.steps / 1e6


def silago_energy_uj(trace: Trace) -> float:
    """MOHAQ's energy objective on SiLago, in µJ a frame: memory in bits · 0.08 pJ + Σ MACs · e(bits)."""
    return silago_sram_uj(trace) + silago_mac_uj(trace)
