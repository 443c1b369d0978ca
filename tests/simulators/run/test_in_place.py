"""A network takes those tilings of its products that serve it best."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from simulators import Elementwise, Matmul, Pool2d, Trace, load_arch, simulate, simulate_batch
from simulators.inputs.errors import LoweringError
from simulators.lowering.platform import INNER, Choices
from simulators.run.in_place import position, settled
from simulators.run.lookahead import lookahead
from simulators.run.segment_cache import SegmentCache
from simulators.run.simulation import Simulator

HARDWARE = ["array.rows=8", "array.columns=8", "buffers.input_kib=16", "buffers.weight_kib=1024"]


def chain(count: int) -> Trace:
    bits = {"weight_bits": 4, "activation_bits": 8, "output_bits": 8}
    layers = tuple(Matmul(name=f"m{i}", out_features=256, in_features=256, steps=5, **bits) for i in range(count))
    return Trace(name="chain", steps=5, layers=layers)


@pytest.mark.parametrize("bandwidth", [256, 320, 409, 1024])
def test_weights_of_the_next_product_do_not_hold_up_results(bandwidth: int) -> None:
    """A product computes for 5 x 8 x 64 = 2,560 cycles in one tile; undisturbed it takes a per cent more."""
    report = simulate(chain(5), load_arch("bitfusion", [*HARDWARE, f"dram.bits_per_cycle={bandwidth}"]))
    assert 5 * 2560 <= report.cycles <= 1.02 * 5 * 2560


def test_dynamic_programming_finds_the_best_of_all_combinations() -> None:
    for bandwidth in (128, 256, 400):
        simulator = Simulator(load_arch("bitfusion", [*HARDWARE, f"dram.bits_per_cycle={bandwidth}"]))
        layers = chain(3).layers
        start = [simulator.segment([layer], 0, position(i, 3)) for i, layer in enumerate(layers)]

        def cycles(numbers: tuple[int, ...], simulator: Simulator = simulator) -> int:
            return sum(timing.cycles for timing in simulator.cache.run(numbers))

        fewest = min(map(cycles, product(*map(simulator.others, start))))
        assert cycles(settled(simulator, start)) <= 1.01 * fewest
        assert cycles(settled(simulator, start)) <= cycles(tuple(start))


@pytest.mark.parametrize("fixed", ["m1", "m2"])
def test_a_mapping_that_is_fixed_for_one_of_equal_products_stays(fixed: str) -> None:
    """Fixed as it would be chosen undisturbed, which the others, of its shape and bits, leave in place."""
    changes, layers = [*HARDWARE, "dram.bits_per_cycle=256"], chain(5).layers
    free = Simulator(load_arch("bitfusion", changes), alone=True)
    undisturbed = free.chosen.made[free.segment(layers[2:3], 0, INNER)].choice[0]
    assert dict(free.mappings(layers))[fixed]["out_tile"] != undisturbed.m
    tiling = f"outer: {undisturbed.outer}, out_tile: {undisturbed.m}, in_tile: {undisturbed.k}"
    mapping = f"mapping=[{{layers: {fixed}, {tiling}, vector_tile: {undisturbed.n}}}]"
    found = dict(Simulator(load_arch("bitfusion", [*changes, mapping]), alone=True).mappings(layers))
    assert found[fixed]["out_tile"] == undisturbed.m
    assert found["m3"]["out_tile"] != undisturbed.m


def test_many_at_once_have_the_figures_of_each() -> None:
    arch, trace = load_arch("bitfusion", [*HARDWARE, "dram.bits_per_cycle=300"]), chain(4)
    bits = np.random.default_rng(2).choice([2, 4, 8], (12, 4, 2))
    batch = simulate_batch(trace, arch, bits)
    widths = trace.widths(bits)
    for row in range(len(bits)):
        layers = tuple(x.at_bits(*(int(of[row, i]) for of in widths)) for i, x in enumerate(trace.layers))
        report = simulate(Trace(name="one", steps=5, layers=layers), arch)
        assert (batch.cycles[row], batch.energy_uj[row]) == (report.cycles, report.energy_uj)


def test_no_segment_begins_with_more_loaded_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a product of few weights all may be loaded ahead, and then those of the product behind it, if these are what
    was chosen."""
    timing, begun = SegmentCache.timing, 0

    def checked(self: SegmentCache, number: int, ahead: int, state: int) -> Any:
        nonlocal begun
        assert self._states[state].started <= len(lookahead(self.segment(number), self._lookaheads[ahead]))
        begun += 1
        return timing(self, number, ahead, state)

    monkeypatch.setattr(SegmentCache, "timing", checked)
    elementwise = Elementwise(
        name="l0", ops={"multiply": 226, "sigmoid": 290}, inputs=2, outputs=299, recurrent=True, steps=2,
        activation_bits=8, output_bits=5,
    )  # fmt: skip
    pool = Pool2d(
        name="l1", input_size=(4, 6), kernel=(3, 1), stride=(1, 2), padding=(0, 1), dilation=(1, 2), kind="average",
        channels=8, steps=2, activation_bits=4, output_bits=4,
    )  # fmt: skip
    few = Matmul(name="l2", out_features=4, in_features=16, steps=2, weight_bits=1, activation_bits=11, output_bits=8)
    recurrent = Matmul(
        name="l3", out_features=66, in_features=3, steps=2, recurrent=True, weight_bits=11, activation_bits=8,
        output_bits=1,
    )  # fmt: skip
    changes = ["array.rows=2", "array.columns=1", "buffers.input_kib=26", "buffers.weight_kib=1",
               "buffers.output_kib=0.5", "buffers.partial_sum_bits=16", "dram.bits_per_cycle=147",
               "post_processing.lanes=2", "energy.input_buffer_pj_per_bit={read: 0.06, write: 0.1}",
               "energy.weight_buffer_pj_per_bit={read: 0.02, write: 0.03}",
               "energy.output_buffer_pj_per_bit={read: 0.03, write: 0.07}", "energy.sram_leakage_mw=10"]  # fmt: skip
    Simulator(load_arch("bitfusion", changes), alone=True).segments([elementwise, pool, few, recurrent])
    assert begun


@pytest.mark.parametrize(
    ("count", "best", "cycles"),
    [(0, (0, 0, 0, 0), None), (2, (0, 1, 2, 0), None), (2, (0, 1), None), (2, (0, 0, 0, 1), 1)],
)
def test_choices_that_are_not_there_are_a_defect(count: int, best: Any, cycles: int | None) -> None:
    with pytest.raises(LoweringError, match="choices: "):
        Choices((0,) * count, best, None if cycles is None else ((1.0,) * 4,) * cycles)  # type: ignore[arg-type]
