"""Products on the three stages: computed by hand, against plain loops, and against the published closed form."""

import random
from math import ceil

import numpy as np
import pytest
from written_stages import Side, cycles

from simulators import (
    Arch,
    Conv2d,
    InputError,
    LayerReport,
    Matmul,
    Trace,
    load_arch,
    load_trace,
    simulate,
    simulate_batch,
)
from simulators.platforms.bit_serial import lowering
from simulators.platforms.bit_serial.mapping import SerialMapping, best_order
from simulators.platforms.bit_serial.products import serial_product
from simulators.platforms.bit_serial.published import ORDERS
from simulators.platforms.bit_serial.spec import BitSerialSpec, Departures
from simulators.run.published import published_report
from simulators.run.simulation import Simulator
from simulators.workloads.operations import ActivationMatmul, Elementwise, Layer

SWITCHES = tuple(Departures.model_fields)
SMALL = ("array.rows=4", "array.columns=4", "array.word_bits=64", "array.pipeline_cycles=5",
         "dram.read_bits_per_cycle=64", "dram.write_bits_per_cycle=64")  # fmt: skip


def matmul(outputs: int, inputs: int, steps: int, w: int, a: int, **values: object) -> Matmul:
    shape = {"out_features": outputs, "in_features": inputs, "steps": steps, "output_bits": 16, **values}
    return Matmul(name="m", weight_bits=w, activation_bits=a, **shape)  # type: ignore[arg-type]


def run(layer: Layer, arch: Arch, both: bool = True) -> LayerReport:
    trace = Trace(name="one", steps=layer.steps, layers=(layer,))  # type: ignore[arg-type]
    report = simulate(trace, arch)
    if both:
        assert report == simulate(trace, arch, engine="simpy")
    return report.layers[0]


def published(layer: Layer, arch: Arch) -> int:
    trace = Trace(name="one", steps=layer.steps, layers=(layer,))  # type: ignore[arg-type]
    return published_report(trace, arch).report.cycles


def as_published(*changes: str) -> Arch:
    return load_arch("bit-serial-cloud-published", changes)


def test_two_blocks_by_hand() -> None:
    """Five vectors of 100 inputs at 3 bits, four outputs at 2 bits, on 4 x 64 x 4.

    A row is two words. A block of activations has 4 · 3 · 2 = 24 words of 64 bits, 24 cycles on the channel; the block
    of weights 16. The second block of activations is padded and comes right behind: it is there in cycle 64. Its passes
    take 2 · 3 · 2 = 12 cycles, the pipeline 5, the results 4 · 4 · 32 bits 8.
    """
    layer = run(matmul(4, 100, 5, 2, 3), load_arch("bit-serial-cloud", SMALL))
    assert layer.cycles == 24 + 16 + 24 + 12 + 5 + 8
    # Of the first block's passes and pipeline nothing is waited for: they run while the second block comes.
    assert layer.busy_cycles == 2 * 12
    assert layer.bits == {"dram_read": (24 + 16 + 24) * 64, "dram_write": 2 * 16 * 32}
    assert layer.compute_cycles + sum(layer.stall_cycles.values()) == layer.cycles
    assert layer.energy_uj["array"] == pytest.approx(24 * 2 * 4 * 4 * 64 * 8 / 15.36e12 * 1e6)


def test_the_published_machine_by_hand() -> None:
    """Two vectors and three outputs of one word at 1 bit, all switched off: words come one a cycle, both at once. The
    third row of weights is there in cycle 3, and there is one step."""
    arch = as_published(*SMALL)
    assert run(matmul(3, 64, 2, 1, 1), arch).cycles == 3
    # Two planes of activations: the second's last row is there in cycle 4.
    assert run(matmul(3, 64, 2, 1, 2), arch).cycles == 4
    # Two blocks of weights of one row more: the fifth row is there in cycle 5, its step is the last.
    assert run(matmul(5, 64, 2, 1, 1), arch).cycles == 5


@pytest.mark.parametrize("seed", range(4))
def test_all_switched_off_is_the_closed_form(seed: int) -> None:
    """To the cycle, of whatever product: a block pair ends when it would if each word were a task."""
    draw = random.Random(seed)
    for _ in range(10):
        w, a = draw.randint(1, 8), draw.randint(1, 8)
        words = draw.randint(1, 4)
        rows, columns = draw.randint(1, 5), draw.randint(1, 5)
        arch = as_published(
            f"array.rows={rows}", f"array.columns={columns}", "array.word_bits=64",
            f"buffers.activation_words={rows * a * words + draw.randint(0, 300)}",
            f"buffers.weight_words={columns * w * words + draw.randint(0, 300)}",
        )  # fmt: skip
        values = {"recurrent": draw.random() < 0.3}
        layer = matmul(draw.randint(1, 30), 64 * words - draw.randint(0, 63), draw.randint(1, 30), w, a, **values)
        assert run(layer, arch).cycles == published(layer, arch), (layer, arch.spec)


def test_convolutions_switched_off_are_the_closed_form() -> None:
    """All layers of MobileNet-V2 at mixed widths, in HAQ's array."""
    arch, trace = as_published(), load_trace("mobilenet-v2-haq").at_steps(2)
    simulated, closed = simulate(trace, arch), published_report(trace, arch).report
    assert [layer.cycles for layer in simulated.layers] == [layer.cycles for layer in closed.layers]
    assert [layer.busy_cycles for layer in simulated.layers] == [layer.busy_cycles for layer in closed.layers]
    for one, other in zip(simulated.layers, closed.layers, strict=True):
        assert one.bits["dram_read"] == other.bits["dram_read"]


@pytest.mark.parametrize("seed", range(6))
def test_stages_are_those_of_plain_loops(seed: int) -> None:
    """Whichever switches are on, as long as blocks are used as a whole and buffers are."""
    draw = random.Random(seed)
    for _ in range(12):
        w, a, words = draw.randint(1, 4), draw.randint(1, 4), draw.randint(1, 3)
        rows, columns = draw.randint(1, 4), draw.randint(1, 4)
        switches = [f"corrections.{name}={draw.choice(['true', 'false'])}" for name in SWITCHES[3:]]
        arch = load_arch("bit-serial-cloud", [
            f"array.rows={rows}", f"array.columns={columns}", "array.word_bits=64", *switches,
            f"corrections.shared_channel={draw.choice(['true', 'false'])}",
            f"array.pipeline_cycles={draw.randint(1, 9)}", f"array.result_blocks={draw.randint(1, 3)}",
            f"dram.read_bits_per_cycle={draw.choice([24, 64, 100, 256])}",
            f"dram.write_bits_per_cycle={draw.choice([24, 64, 100, 256])}",
            f"buffers.activation_words={rows * a * words * draw.randint(1, 5)}",
            f"buffers.weight_words={columns * w * words * draw.randint(1, 5)}",
        ])  # fmt: skip
        recurrent = draw.random() < 0.3
        layer = matmul(draw.randint(1, 25), 64 * words, draw.randint(1, 25), w, a, recurrent=recurrent)
        assert isinstance(arch.spec, BitSerialSpec)
        both = {
            "activations": Side(layer.steps, a, 1 if recurrent else rows, arch.spec.buffers.activation_words),
            "weights": Side(layer.out_features, w, columns, arch.spec.buffers.weight_words),
        }
        outer = best_order(serial_product(layer, arch.spec), arch.spec)
        (inner,) = set(both) - {outer}
        written = cycles(arch.spec, both[outer], both[inner], words, dependent=recurrent)
        assert run(layer, arch).cycles == written, (layer, arch.spec)


@pytest.mark.parametrize("arch", ["bit-serial-cloud", "bit-serial-pynq-z1", "bit-serial-edge"])
def test_no_stage_is_faster_than_its_work(arch: str) -> None:
    """BISMO's ideal cycles of each stage, with everything padded to whole blocks."""
    spec = load_arch(arch).spec
    assert isinstance(spec, BitSerialSpec)
    draw = random.Random(1)
    for _ in range(15):
        w, a = draw.randint(1, 8), draw.randint(1, 8)
        layer = matmul(draw.randint(1, 300), draw.randint(1, 900), draw.randint(1, 300), w, a)
        m, n = ceil(layer.steps / spec.array.rows), ceil(layer.out_features / spec.array.columns)
        words = ceil(layer.in_features / spec.array.word_bits)
        execute = m * n * w * a * words
        fetch = spec.array.word_bits * words * (m * spec.array.rows * a + n * spec.array.columns * w)
        results = m * n * spec.array.rows * spec.array.columns * 32
        found = run(layer, load_arch(arch), both=False)
        assert found.busy_cycles == execute
        assert found.bits["dram_read"] >= fetch
        assert found.bits["dram_write"] == results
        least = max(execute, fetch / spec.dram.read_bits_per_cycle, results / spec.dram.write_bits_per_cycle)
        assert least < found.cycles <= 4 * least + 2000


@pytest.mark.parametrize("switch", ["whole_blocks", "write_results", "pipeline_latency", "pad_rows"])
def test_what_a_switch_adds_is_not_negative(switch: str) -> None:
    on, off = (load_arch("bit-serial-cloud", [*SMALL, f"corrections.{switch}={value}"]) for value in ("true", "false"))
    for outputs, steps in ((4, 6), (9, 30), (40, 5)):
        layer = matmul(outputs, 300, steps, 3, 5)
        assert run(layer, off).cycles <= run(layer, on).cycles
    assert run(matmul(9, 300, 30, 3, 5), off).cycles < run(matmul(9, 300, 30, 3, 5), on).cycles


def test_the_order_is_nearly_the_better_one() -> None:
    """The estimate that chooses the outer operand, against both orders run."""
    from simulators.engine.fast import PrefetchState, run_segment
    from simulators.platforms.bit_serial.lowering import tasks
    from simulators.platforms.bit_serial.machine import MACHINE

    for name in ("bit-serial-cloud", "bit-serial-ultra96", "bit-serial-edge"):
        spec, draw = load_arch(name).spec, random.Random(7)
        assert isinstance(spec, BitSerialSpec)
        for _ in range(12):
            layer = matmul(
                draw.randint(1, 600), draw.randint(1, 900), draw.randint(1, 900), draw.randint(1, 8), draw.randint(1, 8)
            )
            found = {}
            for outer in ORDERS:
                program = tasks(layer, SerialMapping(serial_product(layer, spec), outer), spec).program
                found[outer] = run_segment(MACHINE, program, len(program.repeat), PrefetchState()).cycles
            assert found[best_order(serial_product(layer, spec), spec)] <= 1.05 * min(found.values()), (layer, found)


def conv(**values: object) -> Conv2d:
    shape = {"in_channels": 8, "out_channels": 8, "kernel": (3, 3), "input_size": (6, 6), "padding": (1, 1), "steps": 3}
    return Conv2d(name="c", weight_bits=3, activation_bits=4, output_bits=8, **{**shape, **values})  # type: ignore[arg-type]


def test_convolutions_as_products() -> None:
    spec = load_arch("bit-serial-cloud").spec
    assert isinstance(spec, BitSerialSpec)
    assert serial_product(conv(), spec)[:4] == (108, 8, 1, 1)
    # Depthwise: 16 channels at a time, or as many as there are; a last group of more is counted as full.
    assert serial_product(conv(groups=8), spec)[:4] == (108, 8, 1, 1)
    assert serial_product(conv(in_channels=40, out_channels=40, groups=40), spec)[:4] == (108, 16, 1, 3)
    # Two groups of 6 outputs share the columns, and their 2 · 36 inputs a word.
    assert serial_product(conv(in_channels=16, out_channels=24, groups=4), spec)[:4] == (108, 12, 1, 2)
    apart = load_arch("bit-serial-cloud", ["corrections.join_images=false"]).spec
    assert isinstance(apart, BitSerialSpec)
    assert serial_product(conv(in_channels=40, out_channels=40, groups=40), apart)[:4] == (36, 16, 1, 9)
    scores = ActivationMatmul(name="s", out_features=9, in_features=300, vectors=7, heads=2, steps=3, second_bits=5,
                              activation_bits=6, output_bits=16)  # fmt: skip
    assert serial_product(scores, spec) == (7, 9, 2, 6, 5, 6, False)


def test_images_that_are_joined_load_weights_once() -> None:
    joined, apart = (load_arch("bit-serial-cloud", [f"corrections.join_images={on}"]) for on in ("true", "false"))
    one, other = run(conv(), joined), run(conv(), apart)
    assert one.bits["dram_read"] < other.bits["dram_read"]
    assert one.cycles <= other.cycles


def test_what_the_array_cannot_do_is_refused_by_name() -> None:
    arch = load_arch("bit-serial-edge")
    with pytest.raises(
        InputError, match=r"layer m: bit-serial-edge: buffers\.weight_words: 8192: a block of 8 rows, 8 bit"
    ):
        run(matmul(16, 64 * 200, 2, 8, 2), arch)
    with pytest.raises(InputError, match=r"layer m: bit-serial-edge: buffers\.activation_words"):
        run(matmul(16, 64 * 200, 2, 2, 8), arch)
    with pytest.raises(InputError, match="layer m: 9x8 bits"):
        run(matmul(16, 64, 2, 9, 8), arch)
    with pytest.raises(InputError, match="layer m: weight_sparsity"):
        run(matmul(16, 64, 2, 8, 8, weight_sparsity=(2, 4)), arch)
    with pytest.raises(InputError, match=r"layer e: ops\.tanh: the architecture's elementwise\.cycles_per_op"):
        run(
            Elementwise(name="e", ops={"tanh": 4}, inputs=4, outputs=4, steps=2),
            load_arch("bit-serial-edge", ["elementwise.cycles_per_op={add: 1}"]),
        )
    with pytest.raises(InputError, match="operands have at most 8 bit planes"):
        load_arch("bit-serial-edge", ["precisions=[[9, 8]]"])


def test_a_recurrent_step_waits_for_the_one_before() -> None:
    """Weights that stay come once; each step has its vector fetched, multiplied, drained and written. Of 4 x 64 x 4: one
    row of 2 words at 3 bits is 6 cycles, passes 12, pipeline 5; results 8, of a block of one row 1 · 4 · 32 bits 2."""
    layer = run(matmul(4, 100, 5, 2, 3, recurrent=True), load_arch("bit-serial-cloud", SMALL))
    step = 6 + 12 + 5 + 2
    assert layer.cycles == 16 + 5 * step
    assert layer.bits["dram_read"] == (16 + 5 * 6) * 64


def test_an_elementwise_layer_by_hand() -> None:
    """Three steps of 8 elements: 8 · 16 bits in and out, 2 cycles each on 64 bits; 24 cycles of operations on 16 lanes 2;
    three constants 1. Steps overlap: the second's inputs come while the first is worked on."""
    layer = Elementwise(name="e", ops={"add": 16, "multiply": 8}, inputs=8, outputs=8, steps=3, vector_parameters=3)
    found = run(layer, load_arch("bit-serial-cloud", SMALL))
    assert found.cycles == 1 + 2 + 3 * 2 + 2
    assert found.bits == {"dram_read": 48 + 3 * 128, "dram_write": 3 * 128}
    assert found.energy_uj["elementwise"] == pytest.approx(3 * (16 * 32 + 8 * 512) * 8 / 15.36 * 1e-6)


def test_products_that_come_again_are_written_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one long period, or run by run: the tasks are the same."""
    scores = ActivationMatmul(name="s", out_features=30, in_features=70, vectors=25, heads=2, steps=3, second_bits=2,
                              activation_bits=3, output_bits=16)  # fmt: skip
    one_period = run(scores, load_arch("bit-serial-cloud", SMALL))
    monkeypatch.setattr(lowering, "LONGEST_PERIOD", 0)
    again = Simulator(load_arch("bit-serial-cloud", SMALL), alone=True)
    trace = Trace(name="one", steps=3, layers=(scores,))
    assert again.report(trace).layers[0] == one_period
    assert one_period.bits["dram_write"] == 6 * 7 * 8 * 16 * 32
    rows, columns = ceil(25 / 4), ceil(30 / 4)
    assert one_period.busy_cycles == 6 * rows * columns * 2 * 3 * 2


def test_a_batch_is_its_candidates_one_by_one() -> None:
    """Products whose results differ in width share segments; what reads them does not."""
    arch = load_arch("bit-serial-cloud", SMALL)
    relu = Elementwise(name="relu", ops={"relu": 9}, inputs=9, outputs=9, steps=4)
    trace = Trace(name="x", steps=4, layers=(matmul(9, 70, 4, 8, 8), relu, matmul(5, 9, 4, 8, 8).but(name="n")))
    bits = np.random.default_rng(2).integers(1, 9, (20, 2, 2))
    batch = simulate_batch(trace, arch, bits)
    for row, cycles_of_row in enumerate(batch.cycles.tolist()):
        widths = zip(*(of[row].tolist() for of in trace.widths(bits)), strict=True)
        layers = tuple(layer.at_bits(*of) for layer, of in zip(trace.layers, widths, strict=True))
        assert Simulator(arch, alone=True).report(Trace(name="x", steps=4, layers=layers)).cycles == cycles_of_row
