"""A loop nest with costs put in is what the same tiles are when they are written with those costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.engine.machine import COMPUTE
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import LayerWork, Segment
from simulators.platforms.bitfusion import tiles as tiles_module
from simulators.platforms.bitfusion.machine import MACHINE, PROCESSING
from simulators.platforms.bitfusion.tiles import Loops, Style, TaskCost, Tiles

STYLES = st.builds(Style, st.sampled_from([1, 2]), *[st.booleans()] * 5)
COUNTS = st.integers(1, 40)
LOOPS = st.builds(
    Loops, STYLES, st.sampled_from(["outputs", "vectors"]), COUNTS, st.integers(1, 8), COUNTS, st.booleans(),
    st.integers(1, 3),
)  # fmt: skip


def cost(what: str, m: int, k: int, n: int) -> TaskCost:
    """Another one for each mark."""
    cycles = 1 + sum(map(ord, what)) % 97 + 100 * m + 1000 * k + 10_000 * n
    return TaskCost(cycles, ((0, "dram_read", cycles), (1, what, 3 * cycles)), m)


def works() -> tuple[LayerWork, LayerWork]:
    return LayerWork(0, 1.0, COMPUTE), LayerWork(0, 1.0, PROCESSING)


def content(segment: Segment) -> list[object]:
    arrays = [value.tolist() for value in segment.program]
    template = segment.template
    ahead = [segment.prefetchable, template.prefetch_waits, template.all_prefetchable]
    return [*arrays, *ahead, template.last_steps, segment.works]


@pytest.mark.slow
@given(LOOPS)
def test_costs_may_be_put_in_afterwards(loops: Loops) -> None:
    written = SegmentBuilder(MACHINE, works())
    tiles_module.write(written, Tiles(loops.style, cost), loops)
    nest = tiles_module.loop_nest(loops)
    made = nest.segment([cost(*mark) for mark in nest.marks], works())
    assert content(made) == content(written.segment())


@given(LOOPS)
def test_every_product_is_multiplied_once(loops: Loops) -> None:
    nest = tiles_module.loop_nest(loops)
    ones = [TaskCost(1, ((0, mark.what, 1),)) for mark in nest.marks]
    made = nest.segment(ones, works())
    bits = made.works[0].bits
    assert bits["multiply"] == loops.m * loops.n * loops.groups
    assert bits.get("accumulate", 0) == loops.m * (loops.k - 1) * loops.n * loops.groups
    assert bits["store"] == bits["drain"] == bits["multiply"]
    assert bits.get("process", 0) == bits["multiply"] * loops.style.fused
    assert np.all(made.program.service == 1)
