"""EdgeDRNN as a platform: whole traces against the RTL's cycles, its machine step by step, traffic, and refusals."""

from pathlib import Path

import numpy as np
import pytest
from paths import REFERENCE

from simulators import Elementwise, InputError, Matmul, Trace, load_arch, load_trace, simulate
from simulators.lowering.platform import platform_named
from simulators.platforms.edgedrnn import validate
from simulators.platforms.edgedrnn.cycle_law import DeltaMasks, sent_columns, step_cycles
from simulators.platforms.edgedrnn.network import DeltaTiming, LayerSize
from simulators.platforms.edgedrnn.validate import RtlRun, engine_cycles, read_runs
from simulators.testing import check_platform
from simulators.workloads.masks import masks_of

RUNS = read_runs(REFERENCE / "edgedrnn_cycles.csv")
SMALL = [run for run in RUNS if max(size.columns for size in run.sizes) < 120]


def products(number: int, steps: int, size: LayerSize, bits: int, **active: object) -> list[Matmul]:
    of = {"steps": steps, "weight_bits": bits, "activation_bits": 16, "output_bits": 16}
    rows = size.blocks * size.hidden
    return [
        Matmul(name=f"W{number}", out_features=rows, in_features=size.inputs, active=active.get("inputs", 1.0), **of),
        Matmul(name=f"U{number}", out_features=rows, in_features=size.hidden, recurrent=True,
               active=active.get("states", 1.0), **of),
    ]  # fmt: skip


def gates(name: str, steps: int, size: LayerSize) -> Elementwise:
    return Elementwise(name=name, ops={"sigmoid": 2 * size.hidden, "multiply": 3 * size.hidden}, steps=steps,
                       inputs=2 * size.blocks * size.hidden, outputs=size.hidden, recurrent=True)  # fmt: skip


def trace_of(run: RtlRun, bits: int = 8) -> Trace:
    steps, layers = len(run.cycles), []
    for number, (masks, size) in enumerate(zip(run.layers, run.sizes, strict=True)):
        sent = {"inputs": tuple(masks_of(masks.inputs)), "states": tuple(masks_of(masks.states))}
        layers += [*products(number, steps, size, bits, **sent), gates(f"E{number}", steps, size)]
    return Trace(name="delta", steps=steps, layers=tuple(layers))


def arch_of(run: RtlRun):
    return load_arch("edgedrnn", [f"lanes={run.timing.lanes}", f"memory.latency_cycles={run.timing.memory_latency}"])


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.place.rpartition(" ")[2])
def test_traces_of_the_rtls_masks_take_the_rtls_cycles(run: RtlRun, tmp_path: Path) -> None:
    trace_of(run).save(tmp_path / "trace.yaml")
    report = simulate(load_trace(tmp_path / "trace.yaml"), arch_of(run))
    assert report.cycles == sum(run.cycles)
    assert report == simulate(trace_of(run), arch_of(run), "simpy")
    columns = [
        int(sent_columns(masks).sum()) * 3 * size.hidden for masks, size in zip(run.layers, run.sizes, strict=True)
    ]
    assert sum(layer.bits.get("dram_read", 0) for layer in report.layers) == 8 * sum(columns)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.place.rpartition(" ")[2])
def test_slot_by_slot_on_the_machine_the_steps_take_the_rtls_cycles(run: RtlRun) -> None:
    assert engine_cycles(run, "numba") == list(run.cycles)


@pytest.mark.slow
@pytest.mark.parametrize("run", SMALL, ids=lambda run: run.place.rpartition(" ")[2])
def test_the_reference_engine_takes_them_too(run: RtlRun) -> None:
    assert engine_cycles(run, "simpy") == list(run.cycles)


@pytest.mark.parametrize("fifo_entries", [1, 2, 5, 32])
def test_any_fifo_on_the_machine_is_that_of_the_law(fifo_entries: int) -> None:
    chance = np.random.default_rng(fifo_entries)
    timing, size = DeltaTiming(8, 3, fifo_entries), LayerSize(64, 16)
    masks = DeltaMasks(
        np.array([1, 0, 0], np.uint8),
        (chance.random((3, 64)) < [[0.2], [0.5], [0.9]]).astype(np.uint8),
        (chance.random((3, 16)) < 0.4).astype(np.uint8),
    )
    cycles = step_cycles([masks], [size], timing).tolist()
    run = RtlRun("drawn", 0, (masks,), (size,), timing, tuple(cycles))
    assert engine_cycles(run, "numba") == list(run.cycles) == engine_cycles(run, "simpy")


def test_narrow_weights_save_traffic_and_no_cycles() -> None:
    wide, narrow = (simulate(trace_of(RUNS[2], bits), arch_of(RUNS[2])) for bits in (8, 2))
    assert wide.cycles == narrow.cycles
    assert sum(layer.bits["dram_read"] for layer in wide.layers[:2]) == 4 * sum(
        layer.bits["dram_read"] for layer in narrow.layers[:2]
    )
    assert narrow.energy_uj < wide.energy_uj


def test_conformance() -> None:
    check_platform(platform_named("edgedrnn"), load_arch("edgedrnn").spec)


@pytest.mark.parametrize("blocks", [2, 3, 4])
@pytest.mark.parametrize("directions", [1, 2])
def test_both_engines_run_other_cells_and_a_second_direction(blocks: int, directions: int) -> None:
    """The second direction scans the same inputs in a layer of its own: it takes as long as the first."""
    size, steps = LayerSize(24, 16, blocks), 5
    first, *_ = products(0, steps, size, 8)
    layers: list[Matmul | Elementwise] = [first.but(out_features=directions * first.out_features)]
    for direction in range(directions):
        recurrent = products(direction, steps, size, 8)[1]
        layers += [recurrent, gates(f"E{direction}", steps, size)]
    trace, arch = (
        Trace(name="gru", steps=steps, layers=tuple(layers)),
        load_arch("edgedrnn", ["memory.latency_cycles=0"]),
    )
    report = simulate(trace, arch)
    assert report == simulate(trace, arch, "simpy")
    dense = blocks * 16 * (24 + 16) // 8 + 15 + 5 * 16 // 8  # the closed form of everything sent
    bias = blocks * 16 // 8 - 1  # its burst; it is scanned a cycle before the first input
    assert report.cycles == 1 + directions * (steps * dense + bias)


def test_a_product_without_recurrence() -> None:
    """13 outputs take two beats; bias and 16 inputs are sent in the first step, of which all follow at once; a null
    entry behind the two empty slots closes the list."""
    bits = {"weight_bits": 8, "activation_bits": 16, "output_bits": 16}
    trace = Trace(name="x", steps=1, layers=(Matmul(name="FC", out_features=13, in_features=16, steps=1, **bits),))
    (layer,) = simulate(trace, load_arch("edgedrnn", ["memory.latency_cycles=0"])).layers
    assert layer.cycles == 1 + (1 + 17 * 2 + 1) + 13 + 2
    assert (layer.work, layer.bits["dram_read"]) == (17 * 13, 17 * 16 * 8)


def test_a_step_that_sends_nothing() -> None:
    size = LayerSize(8, 8)
    nothing = products(0, 2, size, 8, inputs=("0", "0"), states=("0", "0"))
    trace = Trace(name="still", steps=2, layers=(*nothing, gates("E0", 2, size)))
    report = simulate(trace, load_arch("edgedrnn", ["encoder.input_threshold=300"]))
    assert report.cycles == 1 + 2 * (8 + 8 + 16 + 5)
    assert report == simulate(trace, load_arch("edgedrnn", ["encoder.input_threshold=300"]), "simpy")
    assert sum(layer.bits.get("dram_read", 0) for layer in report.layers) == 0


def delta_layer(inputs: int = 8, hidden: int = 8, **active: object) -> tuple[Matmul | Elementwise, ...]:
    size = LayerSize(inputs, hidden)
    return *products(0, 2, size, 8, **active), gates("E0", 2, size)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (delta_layer(hidden=12), "layer U0: 12 neurons: expected a multiple of lanes: 8"),
        (delta_layer(inputs=1032), "layer W0: inputs: 1032: expected a whole number from 1 to 1024"),
        (delta_layer(inputs=8, active=0.5, states=0.5), "layer U0: active: a share"),
        (delta_layer()[:2], "layer U0: recurrent"),
        (delta_layer()[2:], "layer E0: elementwise"),
        ((*delta_layer()[:2], delta_layer()[2].but(outputs=9)), "layer E0: outputs: 9: expected one for each of 8 neurons"),
        ([layer.but(name=f"{layer.name}-{n}") for n in range(5) for layer in delta_layer()], "layer W0-4: recurrent layer 5"),
    ],
)  # fmt: skip
def test_refused_by_name(layers, message: str) -> None:
    with pytest.raises(InputError) as error:
        simulate(Trace(name="x", steps=2, layers=tuple(layers)), load_arch("edgedrnn"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("encoder.input_threshold=512", "encoder.input_threshold"),
        ("encoder.state_threshold=-1", "encoder.state_threshold"),
        ("precisions=[[8,8]]", "weights have 2, 4 or 8 bits, activations 16"),
        ("lanes=0", "lanes"),
    ],
)
def test_specs_that_are_refused(change: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        load_arch("edgedrnn", [change])
    assert message in str(error.value)


def test_validation_says_which_step_disagrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (REFERENCE / "edgedrnn_cycles.csv").read_text().splitlines()[:4]
    table = tmp_path / "table.csv"
    table.write_text("\n".join([*lines[:3], lines[3].rpartition(",")[0] + ",1"]))
    assert validate.main([str(table)]) == 1
    told = capsys.readouterr().out
    assert "step 2: law: 54 cycles instead of 1" in told
    assert "law: 2 of 3 steps agree" in told
    table.write_text("\n".join(lines).replace(",8,0,8,8,", ",8,0,10,8,"))
    assert validate.main([str(table)]) == 2
    assert "inputs: 10: expected a multiple of half of the 8 lanes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",0,1,ab,0,39", ",0,300,ab,0,39", "OverflowError"),
        (",ab,0,39", ",ab;ff,0,39", "x_masks 'ab;ff' of step 0: expected 1 masks"),
        ("d01,8,0,8,8,0,0,uniform 0.5,1,", "d01,16,0,8,8,0,0,uniform 0.5,1,", "num_pe: expected the same"),
        ("d01,8,0,8,8,0,0,uniform 0.5,1,", "d01,8,0,8,8,9,0,uniform 0.5,1,", "thx: expected the same"),
        ("num_pe", "lanes", "no column 'num_pe'"),
    ],
)
def test_a_damaged_table_is_one_line(
    old: str, new: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "\n".join((REFERENCE / "edgedrnn_cycles.csv").read_text().splitlines()[:4])
    assert text.count(old) == 1
    table = tmp_path / "table.csv"
    table.write_text(text.replace(old, new))
    assert validate.main([str(table)]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    table.write_text("")
    assert validate.main([str(table)]) == 2
