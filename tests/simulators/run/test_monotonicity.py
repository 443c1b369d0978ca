"""More hardware is no slower, beyond what docs/machine-model.md names: with mappings as the simulator chooses them.
`benchmarks/monotonicity.py` tries thousands of points."""

import pytest
from rising_resources import rising_point

from simulators import Conv2d, Matmul, Trace, load_arch, load_trace, simulate
from simulators.workloads.operations import Layer

SMALL = [
    "array.rows=1", "array.columns=18", "dram.bits_per_cycle=29", "post_processing.lanes=1", "buffers.input_kib=1",
    "buffers.output_kib=1",
]  # fmt: skip

NARROW: dict[str, int] = {"weight_bits": 8, "activation_bits": 8, "output_bits": 8}
WIDE: dict[str, int] = {"weight_bits": 16, "activation_bits": 16, "output_bits": 16}
MIXED: dict[str, int] = {"weight_bits": 8, "activation_bits": 16, "output_bits": 16}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("platform", ["bitfusion", "silago"])
def test_more_of_a_resource(platform: str, part: int) -> None:
    for number in range(10 * part, 10 * part + 10):
        point, _ = rising_point(platform, 7, number)
        assert point.excess()["and_pipeline"] <= 0, f"{point}: {point.cycles} cycles"


@pytest.mark.parametrize("number", [997, 1081, 2040, 2471, 3256, 3822])
def test_what_was_slower_on_more(number: int) -> None:
    """Links that served weights first, and waves chosen without what the DRAM channel takes, made these up to 54 %
    slower: with more read ports, wider windows, more rows of cells."""
    point, _ = rising_point("silago", 0, number)
    assert point.excess()["and_pipeline"] <= 0, f"{point}: {point.cycles} cycles"


@pytest.mark.parametrize(
    ("arch", "change", "layers", "cycles"),
    [
        (
            "drra2", "fabric.register_file_words=128",
            [Conv2d(name="c", in_channels=8, out_channels=8, kernel=(1, 3), input_size=(1, 10), padding=(1, 1), steps=1, **WIDE)],
            [1603, 3704],
        ),
        (
            "bit-serial-edge", "array.word_bits=128",
            [Matmul(name="p", out_features=256, in_features=40, steps=1, **NARROW)],
            [2528, 4330],
        ),
        (
            "epiphany-e16", "dma.setup_cycles=152",
            [
                Conv2d(name="c", in_channels=3, out_channels=15, kernel=(3, 3), input_size=(14, 14), steps=39, **MIXED),
                Matmul(name="p", out_features=111, in_features=153, steps=39, **MIXED),
            ],
            [242_984, 253_144],
        ),
    ],
)  # fmt: skip
def test_what_is_slower_on_more_of_other_platforms(
    arch: str, change: str, layers: list[Layer], cycles: list[int]
) -> None:
    """As docs/machine-model.md says: what is found here is to be put right there."""
    trace = Trace(name="t", steps=layers[0].steps, layers=tuple(layers))
    assert [simulate(trace, load_arch(arch, changes)).cycles for changes in ([], [change])] == cycles


def test_the_least_energy_of_a_smaller_array_is_a_larger_ones_too() -> None:
    """Of tilings about as fast the one that a smaller array takes was not looked at on a larger one, which moved a third
    more from DRAM."""
    trace = load_trace("lstm-128-8bit")
    moved = []
    for columns in (2, 4, 8):
        report = simulate(trace, load_arch("bitfusion", ["array.rows=4", f"array.columns={columns}"]))
        moved.append(sum(uj for layer in report.layers for of, uj in layer.energy_uj.items() if of != "leakage"))
    assert moved == sorted(moved, reverse=True)


def test_what_brief_trials_take_for_slower_is_timed_exactly() -> None:
    """With a weight buffer from 6 KiB on, two tilings that looked better by 160 of their tiles were timed exactly, and
    the best one of a network's first product was not: it took 2 % longer and moved more than twice as much."""
    bits = {"weight_bits": 16, "activation_bits": 16, "output_bits": 16}
    products = (
        Matmul(name="a", out_features=886, in_features=18, steps=45, **bits),
        Matmul(name="b", out_features=10, in_features=180, steps=45, **bits),
    )
    trace = Trace(name="drawn", steps=45, layers=products)
    least, *larger = (
        simulate(trace, load_arch("bitfusion", [*SMALL, f"buffers.weight_kib={kib}"])) for kib in (4, 5, 6, 7)
    )
    for report in larger:
        assert report.cycles <= 1.01 * least.cycles
        assert report.dram_energy_uj <= 1.01 * least.dram_energy_uj
