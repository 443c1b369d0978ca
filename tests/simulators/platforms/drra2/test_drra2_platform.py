"""DRRA-2's columns: lengths of programs against a table and an independent count, shares, traffic, what is refused."""

from collections.abc import Callable
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import Conv2d, Elementwise, InputError, Matmul, Pool2d, Trace, load_arch, load_trace, simulate
from simulators.hardware.area import area_mm2
from simulators.platforms.drra2 import validate
from simulators.platforms.drra2.column_shares import ColumnShare, column_shares
from simulators.platforms.drra2.platform import PLATFORM
from simulators.platforms.drra2.schedules import earliest, elementwise_events, matrix_events, vector_load
from simulators.platforms.drra2.spec import Drra2Spec
from simulators.platforms.drra2.target_rows import TargetRow, convolution, found, pooling, product
from simulators.run.simulation import simulator
from simulators.testing import check_platform
from simulators.workloads.operations import ElementwiseOp, Layer

TABLE = Path(__file__).parents[3] / "reference" / "drra2_targets.csv"
HALT = 1


@pytest.mark.parametrize(("name", "columns"), [("drra2", 1), ("drra2", 4), ("drra2-large", 8)])
def test_drra2_conforms(name: str, columns: int) -> None:
    check_platform(PLATFORM, load_arch(name, [f"fabric.columns={columns}"]).spec)


def alone(layer: Layer) -> Trace:
    return Trace(name="t", steps=layer.steps, layers=(layer,))  # type: ignore[arg-type]


def cycles(layer: Layer, columns: int, *changes: str) -> int:
    return simulate(alone(layer), load_arch("drra2", [f"fabric.columns={columns}", *changes])).cycles


def elements(op: ElementwiseOp, count: int, steps: int = 1, recurrent: bool = False) -> Elementwise:
    return Elementwise(name="E", ops={op: count}, inputs=count, outputs=count, steps=steps, recurrent=recurrent)


@pytest.mark.parametrize("row", validate.read_rows(TABLE), ids=lambda row: row.id)
def test_rows_of_the_table_are_near_enough_on_both_engines(row: TargetRow) -> None:
    for engine in ("numba", "simpy"):
        has = found(row, engine)
        assert has is not None
        assert abs(has.cycles - row.cycles) <= has.within * row.cycles
        assert (has.within == 0) == (has.by != "columns")


@pytest.mark.parametrize(
    ("outputs", "inputs", "configured"),
    [  # by hand: 6, and dsu, rep and repx of file 1's rows and words, file 2's rows and words, file 3's words
        (16, 32, 6 + 2 + 3 + 3 + 3 + 2),
        (32, 32, 6 + 2 + 3 + 3 + 3 + 2),
        (64, 64, 6 + 2 + 3 + 3 + 3 + 2),
        (8, 16, 6 + 2 + 3 + 3 + 3 + 2),
    ],
)
def test_a_small_product_takes_its_configurations_and_its_earliest_schedule(
    outputs: int, inputs: int, configured: int
) -> None:
    schedule = vector_load(inputs // 16) + earliest(matrix_events(outputs, inputs)).latency
    assert cycles(product(outputs, inputs), 1) == configured + schedule + HALT


@pytest.mark.parametrize(
    ("op", "operands", "count", "configured"),
    [("relu", 1, 32, 10), ("relu", 1, 256, 13), ("add", 2, 32, 16), ("multiply", 2, 64, 16), ("multiply", 2, 512, 21)],
)
def test_elementwise_work_takes_its_configurations_and_its_earliest_schedule(
    op: ElementwiseOp, operands: int, count: int, configured: int
) -> None:
    schedule = earliest(elementwise_events(count, operands, transfer=0)).latency
    assert cycles(elements(op, count), 1) == configured + schedule + HALT


@pytest.mark.parametrize(
    ("outputs", "columns", "rows", "rest"), [(1408, 1, 88, 0), (345, 1, 20, 25), (345, 4, 5, 25), (48, 1, 0, 48)]
)
def test_a_convolutions_windows_are_those_of_loops_that_count(outputs: int, columns: int, rows: int, rest: int) -> None:
    """Word reads one by one: 15 an output, 1 idle behind it; in a pass of whole rows 3 more behind 16 outputs, and, if
    they are whole register files, 2 more behind 64. Behind the last of a pass none."""
    idle = [1 + 3 * (n % 16 == 0) + 2 * (n % 64 == 0 and rows % 4 == 0) for n in range(1, 16 * rows)]
    read = 15 * (16 * rows + rest) + sum(idle) + max(rest - 1, 0)
    passes = int(rows > 0) + int(rest > 0)
    ends = (
        passes * (3 + 3 + 5) + HALT + (12 if columns == 4 else 0)
    )  # kernel of a row, first word; behind the last word
    issued = cycles(convolution(outputs, 15), columns) - read - ends
    assert issued % passes == 0
    assert 18 <= issued / passes <= 28, "configurations of five ports, and six"


@pytest.mark.parametrize(
    ("layer", "columns", "expected"),
    [  # by hand: configurations, load, words, waits for register files, drain and HALT, several columns
        (product(64, 344), 1, 41 + (22 + 2 + 3) + 64 * (344 + 4 + 8 + 1) + (5 + 1)),
        (product(64, 344), 4, 41 + (22 + 2 + 3) + 16 * (344 + 4 + 8 + 1) + (5 + 1) + 12),
        (product(64, 4, 4), 1, 23 + (1 + 2 + 3) + 4 * 64 * 4 + (5 + 1)),
        (product(64, 40, 3), 1, (6 + 4 + 4 + 4 + 4 + 3) + 3 * (3 + 2 + 3) + 3 * 64 * 40 + (5 + 1)),
        (convolution(345, 15), 1, 2 * (6 + 4 + 4 + 2 + 4 + 4) + 2 * (3 + 3) + 5184 + 399 + (5 + 5 + 1)),
        (convolution(1408, 17), 4, 25 + (4 + 3) + 6 * 1166 - 6 + (5 + 1) + 12),
        (pooling(1408, 704), 1, 13 + 2 + 22 * (64 + 4) + (3 + 1)),
        (pooling(1408, 704), 8, 13 + 2 + 3 * (64 + 4) + (3 + 1) + 14),
        (elements("multiply_add", 1408), 4, 21 + 3 + 6 * (64 + 8) + (3 + 1) + 12),
        (elements("relu", 1024), 1, 13 + 2 + 1024 + (3 + 1)),  # 64 rows fit the SRAM
        (elements("relu", 1040), 1, 2 * (13 + 2 + 3) + 16 * (64 + 4) + 16 + 4 + 1),  # 65 do not; a pass of 16
    ],
)
def test_programs_are_as_long_as_by_hand(layer: Layer, columns: int, expected: int) -> None:
    assert cycles(layer, columns) == expected


def shares_one_by_one(results: int, columns: int) -> list[tuple[int, int]]:
    """(rows, rest) of every column that has any: register files or rows are dealt out one by one."""
    files, rest = results // 64, results % 64
    if not files:
        rows = ceil(rest / 16)
        each = ceil(rows / columns) * 16
        return [(0, min(each, rest - first)) for first in range(0, rest, each)]
    dealt = [0] * columns
    unit = 4 if files // columns >= 2 or files % columns == 0 else 1
    for turn in range(files * 4 // unit):
        dealt[turn % columns] += unit
    shares = [(rows, 0) for rows in dealt]
    shares[-1] = (dealt[-1], rest)
    return [share for share in shares if any(share)]


@given(st.integers(1, 3000), st.sampled_from([1, 2, 3, 4, 8, 64]))
def test_columns_share_all_results_and_the_busiest_counts(results: int, columns: int) -> None:
    dealt = shares_one_by_one(results, columns)
    assert sum(16 * rows + rest for rows, rest in dealt) == results
    shares, used = column_shares(results, columns, 16, 4)
    assert used == len(dealt)
    assert set(shares) <= {ColumnShare(*share) for share in dealt}
    assert max(share.rows for share in shares) == max(rows for rows, _ in dealt)
    assert max(16 * share.rows + share.rest for share in shares) == max(16 * rows + rest for rows, rest in dealt)


@pytest.mark.parametrize("layer", [product(1, 1), product(1, 300), elements("relu", 1), convolution(1, 1)])
def test_tiny_layers_take_one_column_and_as_long_on_eight(layer: Layer) -> None:
    assert cycles(layer, 1) == cycles(layer, 8) > layer.macs + layer.elementwise_operations


@given(st.integers(1, 200), st.integers(1, 300), st.integers(1, 9), st.sampled_from([1, 3, 4, 8]))
def test_no_product_is_faster_than_its_busiest_column(outputs: int, inputs: int, vectors: int, columns: int) -> None:
    macs = ceil(outputs / columns) * inputs * vectors
    took = cycles(product(outputs, inputs, vectors), columns)
    assert macs < took
    gap = 0 if inputs <= 64 or inputs % 64 == 0 else 2 * ceil(inputs % 64 / 16) + 2 * 4 + 1
    loads = ceil(vectors / max(1, 64 // inputs))
    idle = ceil(outputs / columns) * vectors * gap + loads * (ceil(64 / 16) + ceil(inputs / 16) + 5)
    assert took <= macs + idle + 80, "configurations, drain, and what columns take more"


def test_the_longest_product_is_the_one_whose_results_a_delay_keeps_apart() -> None:
    assert cycles(product(4, 4096), 4) > 4096


def test_outputs_that_do_not_divide_take_as_long_as_more_that_do() -> None:
    assert cycles(product(61, 64), 4) == cycles(product(64, 64), 4)
    assert cycles(product(65, 64), 4) > cycles(product(64, 64), 4)


def test_a_recurrent_product_runs_its_program_at_every_step() -> None:
    one = Matmul(name="R", out_features=96, in_features=32, steps=1, recurrent=True, weight_bits=16,
                 activation_bits=16, output_bits=16)  # fmt: skip
    assert cycles(one.but(steps=7), 4) == 7 * cycles(one, 4)
    step = elements("sigmoid", 40, recurrent=True)
    assert cycles(step.but(steps=5), 2) == 5 * cycles(step, 2)
    assert cycles(elements("sigmoid", 40, steps=5), 2) == cycles(elements("sigmoid", 200), 2), "steps are independent"


def test_a_wide_convolution_streams_and_a_narrow_one_slides() -> None:
    def convolution2d(channels: int, kernel: tuple[int, int], size: tuple[int, int]) -> Conv2d:
        return Conv2d(name="C", in_channels=channels, out_channels=4, kernel=kernel, input_size=size, steps=1,
                      weight_bits=16, activation_bits=16, output_bits=16)  # fmt: skip

    apart = convolution2d(1, (1, 5), (1, 99))
    made: list[tuple[Conv2d, str]] = [
        (convolution2d(1, (1, 17), (1, 40)), "slides"),
        (convolution2d(1, (17, 1), (40, 1)), "slides"),
        (convolution2d(1, (3, 3), (20, 20)), "slides"),  # 3 rows of 18 words
        (convolution2d(1, (5, 5), (20, 20)), "streams"),  # 5 of 20: more than 64
        (apart.but(stride=(1, 3)), "slides"),  # 15 x 3 + 5 words
        (apart.but(stride=(1, 4)), "streams"),  # 65
        (convolution2d(8, (3, 3), (9, 9)), "streams"),
    ]
    for layer, program in made:
        ((_, row),) = simulator(load_arch("drra2")).mappings((layer,))
        assert row["program"] == program
    across, down = (cycles(layer, 1) for layer, _ in made[:2])
    assert across == down
    streamed = made[-1][0]
    gemm = streamed.as_gemm()
    assert cycles(streamed, 1) == cycles(product(gemm.m, gemm.k, gemm.n), 1), "as vectors of its windows"


def test_grouped_convolutions_share_groups_where_outputs_are_few() -> None:
    layer = Conv2d(name="C", in_channels=16, out_channels=16, groups=16, kernel=(9, 9), input_size=(12, 12), steps=1,
                   weight_bits=16, activation_bits=16, output_bits=16)  # fmt: skip
    assert cycles(layer, 4) < cycles(layer, 1) / 3.5


@pytest.mark.parametrize(
    ("layer", "read", "written"),
    [  # rows of 256 bits at the buffers, by hand
        (product(64, 64), 4 * 4 + 256, 4),  # four columns read the vector, all weights once
        (product(64, 64, 3), 3 * (4 * 4 + 256), 12),  # 64 rows a column and the vector exceed the SRAM
        (product(16, 64, 3), 3 * 4 * 4 + 64, 3),  # 16 rows a column stay
        (elements("add", 40), 3, 3),
    ],
)
def test_rows_at_the_buffers_are_counted(layer: Layer, read: int, written: int) -> None:
    bits = simulate(alone(layer), load_arch("drra2")).layers[0].bits
    slack = layer.steps * 4 if layer.is_product else 0  # a load of vectors begins with a row of its own
    assert read <= bits["dram_read"] / 256 <= read + slack
    assert bits["dram_write"] == written * 256


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 8]), st.booleans())
def test_no_memory_moves_more_than_its_ways_can(kernel: int, stride: int, channels: int, pooled: bool) -> None:
    sizes = {"kernel": (kernel, kernel), "stride": (stride, stride), "input_size": (24, 17), "steps": 2}
    bits = {"activation_bits": 16, "output_bits": 16}
    layer: Layer = Pool2d.model_validate({"name": "P", "kind": "max", "channels": channels, **sizes, **bits})
    if not pooled:
        channels_of = {"in_channels": channels, "out_channels": 24, "weight_bits": 16}
        layer = Conv2d.model_validate({"name": "C", **channels_of, **sizes, **bits})
    report = simulate(alone(layer), load_arch("drra2"))
    for way, bandwidth in report.bits_per_cycle.items():
        assert report.layers[0].bits[way] <= bandwidth * report.cycles


def test_energy_is_of_what_is_moved_and_area_is_refused() -> None:
    arch = load_arch("drra2")
    assert isinstance(arch.spec, Drra2Spec)
    report = simulate(Trace(name="t", steps=1, layers=(product(64, 64),)), arch)
    layer, energy = report.layers[0], arch.spec.energy
    assert layer.energy_uj["mac"] == pytest.approx(64 * 64 * energy.mac_pj / 1e6)
    buffers = (layer.bits["dram_read"] + layer.bits["dram_write"]) * energy.dram_pj_per_bit
    assert layer.energy_uj["dram"] == pytest.approx(buffers / 1e6)
    with pytest.raises(InputError, match="the spec gives no figures"):
        area_mm2(arch)


def pool(size: int) -> Pool2d:
    return pooling(2 * size, size)


@pytest.mark.parametrize(
    ("layer", "changes", "message"),
    [
        (product(4, 4608), (), r"layer layer: drra2: 4608 inputs of an output: results come every 4608 cycles"),
        (product(4, 8).but(output_bits=32), (), r"layer layer: output_bits: 32: drra2's words have 16"),
        (product(4, 8).but(weight_bits=8), (), r"layer layer: 8x16 bits: drra2 multiplies 16x16"),
        (elements("tanh", 4), ("cycles_per_op={add: 1}",), r"layer E: ops\.tanh: drra2: cycles_per_op has no figure"),
        (product(300, 344), ("fabric.instruction_memory=40",),
         r"layer layer: drra2: fabric\.instruction_memory: 40: its program has \d+ instructions"),
    ],
)  # fmt: skip
def test_what_the_columns_cannot_run_is_named(layer: Layer, changes: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cycles(layer, 4, *changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("precisions=[[8,8]]", r"precisions=.*: \[8, 8\]: all operands of DRRA-2 have 16 bits"),
        ("fabric.row_bits=100", r"row_bits=100: 100: a row holds whole words of 16 bits"),
        ("fabric.row_bits=16", r"row_bits=16: 16: a row of each of two operands takes longer than its words"),
        ("fabric.register_file_words=40", r"register_file_words=40: 40: whole rows of 16 words"),
        ("fabric.columns=0", r"fabric\.columns"),
    ],
)
def test_specs_that_cannot_be_are_refused_in_one_line(change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_arch("drra2", [change])


@pytest.mark.parametrize("name", ["mohaq-sru-16bit", "lstm-128-16bit", "googlenet-convolutions"])
def test_shipped_networks_of_16_bits_run(name: str) -> None:
    report = simulate(load_trace(name), load_arch("drra2"))
    assert 0.9 < report.utilisation < 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,program\nx,y\n", r"2: no column operation"),
        ("id,program,operation,columns,cycles,kind\n", r"no row"),
        (
            "id,program,operation,columns,cycles,kind\nx,p,o,1,many,program\n",
            r"2: cycles: many: expected a whole number",
        ),
    ],
)
def test_tables_that_cannot_be_read_are_named(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "rows.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=message):
        validate.read_rows(table)
    assert validate.main([str(table)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_command_says_what_is_near_and_what_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate.main([str(TABLE)]) == 0
    assert "28 of 28 rows are near enough" in capsys.readouterr().out
    table = tmp_path / "rows.csv"
    head = "id,program,operation,columns,cycles,kind\n"
    table.write_text(head + "x,transformer/ReLU,ReLU 256 elements,1,300,program\ny,p,unheard of,1,5,program\n")
    assert validate.main([str(table)]) == 1
    said = capsys.readouterr().out
    assert "TOO FAR" in said
    assert "Of operations that are not modelled: y" in said
    assert validate.main([]) == 2


Made = Callable[[int], Layer]


@pytest.mark.parametrize("made", [lambda n: elements("relu", n), pool, lambda n: convolution(n, 15)])
def test_more_of_the_same_is_never_faster_on_one_column_and_columns_never_slower(made: Made) -> None:
    sizes = (1, 15, 16, 17, 63, 64, 65, 130, 255, 256, 345, 1000)
    one = [cycles(made(size), 1) for size in sizes]
    assert one == sorted(one)
    for columns in (2, 4, 8):
        extra = 16
        assert all(cycles(made(size), columns) <= one[i] + extra for i, size in enumerate(sizes))
