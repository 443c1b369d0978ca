"""A small Bit Fusion, with figures to compute by hand from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hand_computed import Figures, simulated

from simulators import Matmul
from simulators.workloads.operations import AnyLayer

FIGURES = [
    "frequency_mhz=500",
    "array.rows=4", "array.columns=8", "array.unit_operand_bits=8",  # 32 units; fill and drain take 4 + 8 - 2 cycles
    "buffers.input_kib=0.25", "buffers.weight_kib=0.125", "buffers.output_kib=0.25",  # halves of 1024, 512, 1024 bits
    "buffers.partial_sum_bits=32",
    "dram.bits_per_cycle=64", "dram.pj_per_bit=15",
    "post_processing.lanes=4", "post_processing.cycles_per_op={add: 1, sigmoid: 1, exp: 3}",
    "post_processing.pj_per_op={add: 0.333, sigmoid: 3.332, exp: 5}",
    "energy.unit_pj_per_cycle=0.5",
    "energy.input_buffer_pj_per_bit={read: 0.06, write: 0.11}",
    "energy.weight_buffer_pj_per_bit={read: 0.02, write: 0.03}",
    "energy.output_buffer_pj_per_bit={read: 0.035, write: 0.075}",
    "energy.sram_leakage_mw=100", "energy.unit_leakage_mw=0.5",
]  # fmt: skip
ARRAY = 0.5 * 32
"""pJ of a cycle of the array."""
LEAKAGE = (100 + 0.5 * 32) * 1e-3 / 500e6 * 1e12
"""pJ of a cycle, from mW and MHz: 0.232."""
DRAIN = 4 + 8 - 2


def memory(bits: dict[str, int]) -> dict[str, float]:
    """pJ of DRAM and buffers; what does not move costs nothing."""
    of = Counter(bits)
    return {
        "dram": 15 * (of["dram_read"] + of["dram_write"]),
        "input_buffer": 0.06 * of["input_buffer_read"] + 0.11 * of["input_buffer_write"],
        "weight_buffer": 0.02 * of["weight_buffer_read"] + 0.03 * of["weight_buffer_write"],
        "output_buffer": 0.035 * of["output_buffer_read"] + 0.075 * of["output_buffer_write"],
    }  # fmt: skip


def product(cycles: int, busy: int, **bits: int) -> Figures:
    """A product whose array is busy so many cycles."""
    return Figures(cycles, busy, bits, {"array": ARRAY * busy, **memory(bits), "leakage": LEAKAGE * cycles})


def elementwise(cycles: int, busy: int, pj: float, **bits: int) -> Figures:
    """Elementwise work whose operations take so many pJ."""
    return Figures(cycles, busy, bits, {"post_processing": pj, **memory(bits), "leakage": LEAKAGE * cycles})


def run(layers: AnyLayer | Sequence[AnyLayer], tiles: str, *changes: str) -> list[Figures]:
    """What layers cost, with a mapping for all products and more changes of the spec."""
    layers = layers if isinstance(layers, Sequence) else (layers,)
    return simulated(layers, "bitfusion", [*FIGURES, f"mapping={{{tiles}}}", *changes])


def exactly(*expected: Figures) -> list[Figures]:
    """What layers should cost, equal to what is the same but for the rounding of energies."""
    return [replace(one, pj=pytest.approx(one.pj, rel=1e-12, abs=0)) for one in expected]


def matmul(outputs: int, inputs: int, steps: int, **values: Any) -> Matmul:
    """A product, of 8 by 8 bits unless said, with results of 16."""
    bits = {"weight_bits": 8, "activation_bits": 8, "output_bits": 16}
    return Matmul(name="P", out_features=outputs, in_features=inputs, steps=steps, **{**bits, **values})


ONE_TILE = "outer: outputs, out_tile: 8, in_tile: 8, vector_tile: 8"
