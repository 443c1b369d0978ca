"""The closed form behind HAQ's latency table: every entry, sums that were worked out from it, and a machine that is
written out word by word."""

import csv
import random
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from written_words import product_cycles

from simulators import InputError, load_arch, load_trace
from simulators.platforms.bit_serial.published import (
    PublishedArray,
    PublishedProduct,
    convolution,
    depthwise,
    evaluate,
    fully_connected,
)
from simulators.platforms.bit_serial.validate import compare_table, main, shipped_table
from simulators.run.published import published_report
from simulators.workloads.operations import ActivationMatmul, Conv2d, Elementwise, Layer, Matmul
from simulators.workloads.trace import Trace

HAQ = PublishedArray()
SUMS = {
    "mobilenet-v1": [2674608, 5556321, 8780306, 12318147, 16531080, 21204554, 26312012, 31869918],
    "mobilenet-v2": [3433704, 7063425, 11103578, 15716150, 20916896, 26653434, 32886714, 39624933],
}
"""Cycles of a network for 16 images at 1 to 8 bits of both operands."""


def published_cycles(name: str, bits: int | None = None) -> int:
    trace = load_trace(name).at_steps(16)
    trace = trace if bits is None else trace.at_bits(bits, bits)
    return published_report(trace, load_arch("bit-serial-cloud")).report.cycles


def test_every_entry_of_the_published_table_agrees() -> None:
    comparisons = compare_table(shipped_table())
    assert len(comparisons) == 53 * 8 * 8 == 3392
    assert [row for row in comparisons if row.found != row.expected] == []


@pytest.mark.parametrize("name", SUMS)
def test_networks_at_equal_bits(name: str) -> None:
    assert [published_cycles(name, bits) for bits in range(1, 9)] == SUMS[name]


@pytest.mark.slow
def test_the_published_policy_just_meets_its_budget() -> None:
    """HAQ's README: 0.6 of the latency at 8 bits, with the image at 7 bits, as its table is read."""
    eight, policy = published_cycles("mobilenet-v2", 8), published_cycles("mobilenet-v2-haq")
    assert policy == 23_433_397
    assert f"{policy / eight:.4f}" == "0.5914"
    layers = load_trace("mobilenet-v2-haq").at_steps(16).layers
    bits = [layer.operand_bits for layer in layers]

    def with_pair(at: int, pair: tuple[int, int]) -> int:
        changed = [layer.at_bits(*(pair if i == at else bits[i]), 16) for i, layer in enumerate(layers)]
        return published_report(
            Trace(name="x", steps=16, layers=tuple(changed)), load_arch("bit-serial-cloud")
        ).report.cycles

    assert with_pair(0, (8, 8)) / eight == pytest.approx(0.5964, abs=1e-4)
    # The sweep takes bit after bit and stops within the budget: with one of them back it is beyond.
    more = [
        with_pair(i, pair)
        for i, (w, a) in enumerate(bits[1:-1], 1)
        for pair in ((w + 1, a), (w, a + 1))
        if max(pair) <= 8
    ]
    assert policy <= 0.6 * eight < max(more)


def test_its_energy_is_that_of_the_operations_of_a_busy_array() -> None:
    """In every cycle in which it is busy, a product and a sum for each bit of each unit's words."""
    arch = load_arch("bit-serial-cloud", ["energy.pj_per_binary_operation=0.5"])
    report = published_report(load_trace("mobilenet-v1").at_steps(16).at_bits(4, 4), arch).report
    array: PublishedArray = arch.spec.published_array  # type: ignore[attr-defined]
    each = 2 * array.rows * array.columns * array.word_bits * 0.5 * 1e-6
    for layer in report.layers:
        assert layer.energy_uj == {"array": pytest.approx(layer.compute_cycles * each)}
    assert report.energy_uj == pytest.approx(each * sum(layer.compute_cycles for layer in report.layers))


def test_the_least_ratio_that_a_policy_can_have() -> None:
    """2 bits at least, first and last layer at 8."""
    layers = load_trace("mobilenet-v2").at_steps(16).layers
    bits = [8, *[2] * 51, 8]
    least = Trace(name="x", steps=16, layers=tuple(of.at_bits(b, b, 16) for of, b in zip(layers, bits, strict=True)))
    cycles = published_report(least, load_arch("bit-serial-cloud")).report.cycles
    assert f"{cycles / SUMS['mobilenet-v2'][-1]:.3f}" == "0.210"


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_machine_written_out(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(25):
        array = PublishedArray(draw.randint(1, 6), draw.randint(1, 6), 64, draw.randint(1, 200), draw.randint(1, 200))
        m, n, k_words, times = draw.randint(1, 30), draw.randint(1, 30), draw.randint(1, 4), draw.randint(1, 3)
        w, a = draw.randint(1, 8), draw.randint(1, 8)
        result = evaluate(PublishedProduct(m, n, k_words, times), w, a, array)
        written = product_cycles(m, n, k_words, (w, a), array)
        assert result.order_cycles == tuple(times * cycles for cycles in written.values()), (array, m, n, k_words, w, a)
        assert result.cycles == times * min(written.values())
        assert written[result.outer] == min(written.values())


def test_what_is_bound_by_the_array_takes_its_steps() -> None:
    """All in one tile: every plane of every word of every block pair, and the wait for the first planes. The eighth
    plane of the first word of activations is there in cycle 32, and wanted after seven steps."""
    result = evaluate(PublishedProduct(64, 64, 4), 8, 8, PublishedArray(4, 4))
    assert result.steps == 16 * 16 * 4 * 64
    assert result.cycles == result.steps - 1 + (8 * 4 - 7)


def test_what_is_bound_by_its_weights_takes_their_words() -> None:
    """One vector of a fully connected layer: its last plane's words, and the passes behind it."""
    product = fully_connected(HAQ, 256, 160)
    assert evaluate(product, 8, 1, HAQ).cycles == 160 * 8


def test_layers_as_products() -> None:
    assert convolution(HAQ, 3, 32, 9, 112 * 112, 16) == (12544, 32, 1, 16)
    assert depthwise(HAQ, 24, 9, 49, 2) == (49, 16, 1, 2 * 2)  # the second group is counted as full
    assert depthwise(HAQ, 16, 25, 49) == (49, 16, 2, 1)
    assert fully_connected(HAQ, 1280, 1000, 16) == (16, 1000, 5, 1)


def test_words_that_are_loaded() -> None:
    """Four tiles of activations, each with all weights, and two of weights, each with all activations."""
    array = PublishedArray(4, 4, 64, 64, 64)
    assert evaluate(PublishedProduct(50, 20, 2, 3), 2, 2, array).loaded_words == 3 * 2 * 2 * (50 * 2 + 20 * 4)


def of_trace(*layers: Layer) -> Trace:
    return Trace(name="x", steps=2, layers=layers)  # type: ignore[arg-type]


def report(*layers: Layer) -> object:
    return published_report(of_trace(*layers), load_arch("bit-serial-cloud"))


BITS = {"weight_bits": 8, "activation_bits": 8, "output_bits": 16}


def test_what_it_has_no_answer_for() -> None:
    grouped = Conv2d(
        name="g", in_channels=8, out_channels=8, groups=2, kernel=(3, 3), input_size=(8, 8), steps=2, **BITS
    )
    with pytest.raises(InputError, match="layer g: 2 groups of 8 to 8 channels"):
        report(grouped)
    with pytest.raises(InputError, match="layer d: 4 groups of 4 to 8 channels"):
        report(grouped.but(name="d", in_channels=4, groups=4))
    with pytest.raises(InputError, match="layer w: 9x8 bits"):
        report(
            Matmul(name="w", out_features=4, in_features=4, steps=2, weight_bits=9, activation_bits=8, output_bits=16)
        )
    with pytest.raises(InputError, match="layer s: weight_sparsity"):
        report(Matmul(name="s", out_features=4, in_features=4, steps=2, weight_sparsity=(2, 4), **BITS))
    with pytest.raises(InputError, match="layer q: activation_matmul"):
        report(ActivationMatmul(name="q", out_features=4, in_features=4, vectors=4, steps=2, second_bits=8,
                                activation_bits=8, output_bits=16))  # fmt: skip
    with pytest.raises(InputError, match="there is none"):
        report(Elementwise(name="e", ops={"add": 4}, inputs=4, outputs=4, steps=2))
    with pytest.raises(InputError, match=r"no published model; there is one of bit_serial, bitfusion"):
        published_report(load_trace("mohaq-sru-8bit"), load_arch("silago"))


def test_a_report_of_it() -> None:
    one = Matmul(name="m", out_features=40, in_features=300, steps=6, **BITS)
    step_by_step = one.but(name="r", recurrent=True)
    relu = Elementwise(name="relu", ops={"relu": 40}, inputs=40, outputs=40, steps=6)
    partial = published_report(of_trace(one, relu, step_by_step), load_arch("bit-serial-cloud"))
    assert partial.left_out == ("relu",)
    together, apart = partial.report.layers
    assert together.cycles == evaluate(PublishedProduct(6, 40, 2), 8, 8, HAQ).cycles
    assert apart.cycles == 6 * evaluate(PublishedProduct(1, 40, 2), 8, 8, HAQ).cycles
    for layer in partial.report.layers:
        assert layer.compute_cycles + sum(layer.stall_cycles.values()) == layer.cycles
        assert 0 < layer.utilisation <= 1
    assert together.bits == {"dram_read": 256 * 2 * 8 * 46}


def test_cycles_do_not_fall_with_bits() -> None:
    draw = np.random.default_rng(3)
    for _ in range(50):
        m, n, k_words = draw.integers(1, (400, 400, 9)).tolist()
        cycles = [evaluate(PublishedProduct(m, n, k_words), w, 5, HAQ).cycles for w in range(1, 9)]
        assert cycles == sorted(cycles)
        blocks = ceil(m / 16) * ceil(n / 16)
        assert all(found >= blocks * k_words * w * 5 for w, found in enumerate(cycles, 1))


def test_the_command_counts_rows_and_tells_disagreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "3,392 of 3,392 rows agree" in capsys.readouterr().out
    table = tmp_path / "rows.csv"
    header = ["kind", "in_channels", "out_channels", "kernel", "out_size", "stride", "batch", "Dm", "Dn", "Dk", "buf",
              "w_bits", "a_bits", "cycles"]  # fmt: skip

    def write(*rows: list[object]) -> None:
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])

    array = PublishedArray(8, 4, 64, 512, 512)
    conv = evaluate(convolution(array, 24, 20, 9, 49, 2), 3, 5, array).cycles
    deep = evaluate(depthwise(array, 24, 9, 49, 2), 3, 5, array).cycles
    full = evaluate(fully_connected(array, 24, 20, 2), 3, 5, array).cycles
    shape = [7, 1, 2, 8, 4, 64, 512, 3, 5]
    write(["conv", 24, 20, 3, *shape, conv], ["dw", 24, 24, 3, *shape, deep], ["fc", 24, 20, 1, *shape, full])
    assert main([str(table)]) == 0
    assert "3 of 3 rows agree" in capsys.readouterr().out
    text = table.read_text()
    table.write_text(text.replace("kind", "layer").replace("conv,", "pointwise,"))  # other names of the same
    assert main([str(table)]) == 0
    assert "3 of 3 rows agree" in capsys.readouterr().out
    write(["conv", 24, 20, 3, *shape, conv + 1])
    assert main([str(table)]) == 1
    assert f"rows.csv:2: {conv} cycles instead of {conv + 1}" in capsys.readouterr().out
    for row in (["pool", 24, 20, 3, *shape, conv], ["conv", 24, -1, 3, *shape, conv], ["conv", "", 20, 3, *shape, 1]):
        write(row)
        assert main([str(table)]) == 2
        assert "rows.csv:2: " in capsys.readouterr().err
    assert main([str(tmp_path / "nothing.csv")]) == 2
    write()
    assert main([str(table)]) == 2


@pytest.mark.parametrize(
    "row", [" " * 20 + "5,1,1,5", "0" * 20 + "99,1,1,5", "1" * 200_000 + ",1,1,5", "0,1\r,1,5"],
    ids=["blanks", "zeros", "long", "return"],
)  # fmt: skip
def test_a_damaged_row_is_one_line(row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "rows.csv"
    table.write_text(f"layer,w_bits,a_bits,cycles\n{row}\n", newline="")
    expected = 1 if row.startswith(" ") else 2  # a number is one behind any blanks
    assert main([str(table)]) == expected
    assert capsys.readouterr().err.count("\n") == expected - 1
