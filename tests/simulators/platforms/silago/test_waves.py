"""Products on SiLago: what moves is what outputs need; weights from DRAM come in pieces that more hardware never makes worse."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import Conv2d, InputError, LayerReport, Matmul, Trace, load_arch, simulate
from simulators.platforms.silago.input_reads import input_read_bits

EIGHT = {"weight_bits": 8, "activation_bits": 8}


def product(outputs: int, inputs: int, steps: int = 1, **values: object) -> Matmul:
    shape = {"out_features": outputs, "in_features": inputs, "steps": steps, "output_bits": 16, **EIGHT, **values}
    return Matmul(name="m", **shape)  # type: ignore[arg-type]


def convolution(**values: object) -> Conv2d:
    shape = {"in_channels": 8, "out_channels": 8, "kernel": (3, 3), "input_size": (10, 12), "steps": 1}
    return Conv2d(name="c", output_bits=16, **{**shape, **EIGHT, **values})  # type: ignore[arg-type]


def run(layer: Matmul | Conv2d, *changes: str, arch: str = "silago-64kib", is_long: bool = False) -> LayerReport:
    """What both engines say of a layer; of a long one, for which SimPy takes seconds, the fast one."""
    trace, spec = Trace(name="one", steps=layer.steps, layers=(layer,)), load_arch(arch, changes)
    report = simulate(trace, spec)
    assert is_long or report == simulate(trace, spec, engine="simpy")
    return report.layers[0]


@pytest.mark.parametrize("outputs", [1, 7, 8, 9, 16, 17, 40])
def test_results_are_those_that_exist(outputs: int) -> None:
    """Of 16 cells in 8 columns; a row of a dot product of 512 words is 32 rows of 16 words."""
    layer = run(product(outputs, 512, 6, weight_bits=16, activation_bits=16), arch="silago")
    assert layer.bits["sram_write"] == outputs * 6 * 16
    weights = outputs * 6 * 32 * 256
    inputs = [min(16, outputs - first) for first in range(0, outputs, 16)]
    multicast = sum(-(-min(8, used) // 5) for used in inputs) * 6 * 32 * 256
    assert layer.bits["sram_read"] == weights + multicast
    assert layer.bits["register_file_read"] == 2 * outputs * 6 * 512 * 16


def test_a_depthwise_convolution_moves_one_output_a_wave() -> None:
    depthwise = run(convolution(groups=8), arch="silago")
    assert depthwise.bits["sram_write"] == 8 * 8 * 10 * 16
    assert depthwise.bits["sram_read"] == 8 * 80 * 2 * 256  # 9 operands of 8 bits: a row of weights, one of inputs


def test_an_edge_wave_of_a_product_that_spills() -> None:
    layer = run(product(17, 1024, 4096), is_long=True)
    assert layer.bits["sram_write"] == layer.bits["dram_write"] == 4096 * 17 * 16
    assert layer.bits["dram_read"] == 4096 * 1024 * 8


@pytest.mark.slow
def test_streamed_weights_are_the_columns_that_are_needed() -> None:
    layer = product(512, 512, 20, recurrent=True, output_bits=8, active=0.25)
    assert run(layer, "skips_inactive_inputs=true").bits["dram_read"] == 20 * 512 * 8 + 20 * 512 * 128 * 8
    assert run(layer).bits["dram_read"] == 20 * 512 * 8 + 20 * 512 * 512 * 8


def test_a_map_that_does_not_fit_is_read_once() -> None:
    """Rows under the kernel fit four tiles of 32,768 bits: 3 x 112 x 32 x 8 = 86,016 bits."""
    spec = load_arch("silago-64kib").spec
    layer = convolution(in_channels=32, input_size=(112, 112), padding=(1, 1))
    whole = 112 * 112 * 32 * 8
    assert input_read_bits(layer, spec) == whole == run(layer, is_long=True).bits["dram_read"]
    one_tile = load_arch("silago-64kib", ["dimarch.activation_tiles=1"]).spec  # holds 3 x 3 of 32 channels
    assert input_read_bits(layer, one_tile) == 3 * whole - 2 * 112 * 32 * 8  # two rows of taps lie in the padding
    tiny = load_arch("silago-64kib", ["dimarch.activation_tiles=1", "dimarch.tile_rows=1"]).spec
    assert input_read_bits(layer, tiny) == (3 * 112 - 2) ** 2 * 32 * 8
    strided = convolution(in_channels=32, kernel=(1, 1), stride=(2, 2), input_size=(112, 112))
    assert input_read_bits(strided, spec) == 56 * 56 * 32 * 8


@pytest.mark.slow
@pytest.mark.parametrize("tiles", [[12, 48, 96, 136, 138], [1, 2, 3, 4, 5, 6, 7, 8, 9]])
def test_more_tiles_are_never_slower(tiles: list[int]) -> None:
    cycles = [run(product(550, 1024, 5), f"dimarch.weight_tiles={n}", is_long=n > 50).cycles for n in tiles]
    assert cycles == sorted(cycles, reverse=True)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    outputs=st.integers(1, 150), inputs=st.integers(1, 600), steps=st.integers(1, 6), tiles=st.integers(1, 24),
    columns=st.integers(1, 12), more=st.integers(1, 12),
)  # fmt: skip
def test_more_tiles_or_cells_are_never_slower(
    outputs: int, inputs: int, steps: int, tiles: int, columns: int, more: int
) -> None:
    layer = product(outputs, inputs, steps)

    def cycles(tiles: int, columns: int) -> int:
        changes = [f"dimarch.weight_tiles={tiles}", f"fabric.columns={columns}", "dimarch.tile_rows=16"]
        report = simulate(Trace(name="one", steps=steps, layers=(layer,)), load_arch("silago-64kib", changes))
        return report.cycles

    try:
        before = cycles(tiles, columns)
    except InputError as error:
        assert "too few" in str(error)
        return
    wave = -(-inputs * 8 // 256) * 20  # a task in flight is not preempted: at most a wave of it
    assert cycles(tiles + more, columns) <= before + wave
    assert cycles(tiles, columns + more) <= before + wave


def test_results_leave_while_rows_for_the_next_waves_are_ready() -> None:
    """Links and DRAM are busy about as long, each for itself: with cells that are faster than both they work side by
    side, not one after the other."""
    layer = product(24, 260, 27)
    fabric = ["fabric.rows=3", "fabric.columns=3", "fabric.window_columns=1", "dimarch.link_bits_per_cycle=10"]
    slow_dram = [
        "dimarch.weight_tiles=133",
        "dimarch.activation_tiles=2",
        "dram.gb_per_s=null",
        "dram.bits_per_cycle=1",
    ]
    link = (
        27 * 3 * 9 * (3 * 26 + 9)
    )  # three rows of cells take a row of weights each, three columns share one of inputs
    for ports in (1, 4):
        report = run(layer, *fabric, *slow_dram, f"cell.read_ports={ports}")
        moved = report.bits["dram_read"] + report.bits["dram_write"]
        assert moved == 27 * 24 * 16 + 27 * 260 * 8
        assert max(moved, link) < report.cycles < moved + 1_000


def test_a_link_that_is_the_slower_is_never_idle() -> None:
    """A row of weights takes 7 cycles of the link, one of inputs 4, and cells 6 or 11 to multiply it."""
    fabric = [
        "fabric.rows=1",
        "fabric.columns=2",
        "dimarch.link_bits_per_cycle=39",
        "dimarch.extra_hops=0",
        "cell.mac_lanes=3",
    ]
    layer = product(22, 704, 6)
    rows = 6 * 11 * 22
    for ports in (3, 6):
        report = run(layer, *fabric, "dimarch.weight_tiles=62", f"cell.read_ports={ports}")
        assert rows * 11 <= report.cycles <= rows * 11 + 6 * 11 * 4 + 100


@pytest.mark.parametrize("rows", [3, 4])
def test_a_register_file_of_one_row(rows: int) -> None:
    """5 outputs of a row each, of 6 vectors: waves of 3 and 2, though there are cells for 4 and 1."""
    fabric = [f"fabric.rows={rows}", "fabric.columns=1", "cell.register_file_words=46", "cell.read_ports=4"]
    report = run(product(5, 10, 6, output_bits=8), *fabric, "dimarch.link_bits_per_cycle=28", "dimarch.extra_hops=0")
    # A wave: a row of inputs, of weights for each row of cells (10 cycles each), 3 to multiply, results of 8 bits a row.
    waves = 10 + 3 * 10 + 3 + 1 + 10 + 2 * 10 + 3 + 1
    assert report.cycles == 32 + 6 + 6 * waves + 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("precisions=[[4, 4], [4, 8]]", r"\[4, 8\]: both operands of SiLago's MACs share the precision"),
        ("precisions=[[8, 4]]", r"\[8, 4\]: both operands of SiLago's MACs share the precision"),
        ("precisions=[[2, 2]]", r"\[2, 2\]: SiLago's MACs take operands of 4, 8, 16 bits"),
        ("dimarch.row_bits=8", r"^--set dimarch\.row_bits=8: 8: a row holds whole words of 16 bits"),
        ("dimarch.row_bits=40", r"row_bits=40: 40: a row holds whole words of 16 bits"),
    ],
)
def test_what_cells_cannot_do_is_refused(change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_arch("silago", [change])
