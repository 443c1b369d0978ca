"""Elementwise work by itself on Bit Fusion: the chunks that are taken are the best of those that fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import Elementwise, InputError, Report, Trace, load_arch, simulate
from simulators.platforms.bitfusion import chunks
from simulators.platforms.bitfusion.spec import BitFusionSpec

OWN_FIGURES = [
    "energy.sram_leakage_mw=1",
    *(f"energy.{name}_buffer_pj_per_bit={{read: 1, write: 1}}" for name in ("input", "weight", "output")),
]


def run(layer: Elementwise, *changes: str) -> Report:
    return simulate(Trace(name="one", steps=layer.steps, layers=(layer,)), load_arch("bitfusion", changes))


def test_a_larger_output_buffer_is_never_slower() -> None:
    layer = Elementwise(name="e", ops={"add": 1436}, inputs=500, outputs=300, steps=20)
    cycles = [run(layer, f"buffers.output_kib={kib}").cycles for kib in (1, 4, 8, 16, 32, 64, 256)]
    assert cycles == sorted(cycles, reverse=True)
    # 160,000 bits in, 96,000 out at 192 bits a cycle: 834 and 500; 28,720 operations on 32 lanes: 898 cycles.
    assert 834 + 500 <= cycles[0] <= 1386


@st.composite
def layers(draw: st.DrawFn) -> Elementwise:
    return Elementwise(
        name="e", ops={"add": draw(st.integers(1, 3000))}, inputs=draw(st.integers(0, 3000)),
        outputs=draw(st.integers(0, 3000)), steps=draw(st.integers(1, 40)),
        vector_parameters=draw(st.sampled_from([0, 100, 9000])), activation_bits=draw(st.sampled_from([3, 16])),
        output_bits=draw(st.sampled_from([5, 32])),
    )  # fmt: skip


@pytest.mark.slow
@settings(max_examples=40)
@given(
    layer=layers(), kib=st.floats(0.1, 40), factor=st.floats(1, 8), bandwidth=st.integers(4, 300),
    lanes=st.sampled_from([1, 8, 32]), double=st.booleans(),
)  # fmt: skip
def test_chunks_of_a_smaller_buffer_fit_a_larger_one(
    layer: Elementwise, kib: float, factor: float, bandwidth: int, lanes: int, double: bool
) -> None:
    changes = [
        *OWN_FIGURES, f"dram.bits_per_cycle={bandwidth}", f"post_processing.lanes={lanes}",
        f"buffers.double_buffered={'true' if double else 'false'}",
    ]  # fmt: skip
    small, large = (run(layer, *changes, f"buffers.output_kib={size}") for size in (kib, kib * factor))
    assert large.cycles <= small.cycles
    bits = small.layers[0].bits
    vectors = layer.vector_parameters * 16
    assert bits["dram_read"] == layer.inputs * layer.steps * layer.activation_bits + vectors
    assert bits.get("dram_write", 0) == layer.outputs * layer.steps * layer.output_bits
    # What the choice counts is what the engine says.
    spec = load_arch("bitfusion", [*changes, f"buffers.output_kib={kib}"]).spec
    assert isinstance(spec, BitFusionSpec)
    count = chunks.number_of_chunks(layer, spec)
    parts = chunks._chunks(layer, spec, count)
    assert sum(part.number for part in parts) == count
    assert max(max(part.read_bits, part.written_bits) for part in parts) <= kib * 8192 / (2 if double else 1)
    services = np.array([(part.number, *part[-3:]) for part in parts])
    assert chunks.chunk_cycles(services, 2 if double else 1, -(-vectors // bandwidth)) == small.cycles
    assert chunks._least_cycles(layer, spec, count) <= small.cycles


def test_a_buffer_without_room_for_an_element_is_named() -> None:
    layer = Elementwise(name="e", ops={"add": 1}, inputs=1, outputs=1, steps=1)
    with pytest.raises(
        InputError, match=r"buffers\.output_kib: 0\.001: an element of layer e has 16 bits: 12 too many"
    ):
        run(layer, *OWN_FIGURES, "buffers.output_kib=0.001")


def test_more_chunks_than_are_tried_end() -> None:
    layer = Elementwise(name="e", ops={"add": 1}, inputs=1 << 24, outputs=1, steps=1 << 10)
    assert run(layer, *OWN_FIGURES, "buffers.output_kib=0.1").cycles >= (1 << 24) * (1 << 10) * 16 // 192
