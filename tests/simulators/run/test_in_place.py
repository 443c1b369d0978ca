"""A network takes those tilings of its products that serve it best."""

from itertools import product

import numpy as np
import pytest

from simulators import Matmul, Trace, load_arch, simulate, simulate_batch
from simulators.run.in_place import position, settled
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


def test_many_at_once_have_the_figures_of_each() -> None:
    arch, trace = load_arch("bitfusion", [*HARDWARE, "dram.bits_per_cycle=300"]), chain(4)
    bits = np.random.default_rng(2).choice([2, 4, 8], (12, 4, 2))
    batch = simulate_batch(trace, arch, bits)
    widths = trace.widths(bits)
    for row in range(len(bits)):
        layers = tuple(x.at_bits(*(int(of[row, i]) for of in widths)) for i, x in enumerate(trace.layers))
        report = simulate(Trace(name="one", steps=5, layers=layers), arch)
        assert (batch.cycles[row], batch.energy_uj[row]) == (report.cycles, report.energy_uj)
