"""Epiphany's mesh and cores against measured figures, and rules of the mesh that they do not show."""

from pathlib import Path
from typing import Any

import pytest
from paths import REFERENCE

from simulators import InputError, load_arch
from simulators.engine import fast, reference
from simulators.platforms.epiphany import validate
from simulators.platforms.epiphany.core import InnerLoop, kernel_cycles, product_cycles
from simulators.platforms.epiphany.machine import machine_of
from simulators.platforms.epiphany.measured_rows import FITTED, MeasuredRow, ends_of, modelled
from simulators.platforms.epiphany.mesh import MeshGrid
from simulators.platforms.epiphany.programs import Flow, copies, matrix_kernel, ping_pong
from simulators.platforms.epiphany.spec import exact

SPEC = load_arch("epiphany-e16").spec
ROWS = {row.id: row for row in [*validate.read_rows(REFERENCE / "epiphany_targets.csv"), validate.KERNEL]}
KNOWN = {name: found for name, row in ROWS.items() if (found := modelled(row, SPEC, ends_of("numba")))}


@pytest.mark.parametrize("name", KNOWN)
def test_rows_are_as_near_as_they_should_be(name: str) -> None:
    assert abs(KNOWN[name].difference) <= KNOWN[name].within


def test_what_validates_was_not_fitted() -> None:
    assert {name for name in KNOWN if name not in FITTED} == {"c1", "c3", "g1", "kernel"}
    assert ROWS.keys() - KNOWN.keys() == {"m1", "m2", "i1", "i2", "i3", "i4", "i5", "i6", "g3", "g4", "h1"}


@pytest.mark.parametrize("name", ["l7", "b6", "r1", "c3", "kernel"])
def test_the_reference_engine_has_the_same(name: str) -> None:
    row = ROWS[name]._replace(size="512 B") if name == "c3" else ROWS[name]
    assert modelled(row, SPEC, ends_of("simpy")) == modelled(row, SPEC, ends_of("numba"))


@pytest.mark.slow
def test_a_product_off_chip_waits_for_the_bridge_most_of_the_time() -> None:
    row = MeasuredRow("x", 600, "matrix product 64 cores off chip (512x512)", "", "8.3")
    found = modelled(row, SPEC, ends_of("numba"))
    assert found is not None
    assert found == modelled(row, SPEC, ends_of("simpy"))
    on_chip = 2 * 256**3 / KNOWN["g1"].modelled * 0.6
    moved = 8 * 2 * 256**2 * 4 * SPEC.dram.read_cycles_per_byte + 4 * 256**2 * 4 * SPEC.dram.write_cycles_per_byte
    assert found.modelled == pytest.approx(2 * 512**3 / (8 * on_chip + moved) * 0.6, rel=1e-4)
    assert moved / (8 * on_chip + moved) == pytest.approx(0.87, abs=0.005)  # published, as are 8.3 GFLOPS
    assert abs(found.difference) <= found.within


def test_a_remote_read_may_be_a_number_of_hops_away() -> None:
    for hops in range(1, 7):
        row = MeasuredRow("x", 600, f"remote read of one word, {hops} hops", "4 B", str(18 + 3 * hops))
        assert modelled(row, SPEC, ends_of("numba")) == (18 + 3 * hops, 18 + 3 * hops, 0.01)


def test_routes_go_along_the_row_first_and_hops_take_one_and_a_half_cycles() -> None:
    grid = MeshGrid(4, 4)
    assert grid.route(0, 15) == [(0, 1), (1, 2), (2, 3), (3, 7), (7, 11), (11, 15)]
    assert len(grid.links) == 48
    assert len(MeshGrid(8, 8).links) == 224
    for target in range(1, 16):
        tasks, ways = ping_pong(SPEC, 0, target)
        cycles = fast.run_tasks(machine_of(grid), tasks)[1].max()
        assert cycles / ways == SPEC.core.flag_cycles + 1.5 * grid.hops(0, target)


def cycles_of(*flows: Flow, spec: Any = SPEC) -> list[int]:
    tasks, ends = copies(spec, flows)
    machine = machine_of(spec.mesh.grid)
    end = fast.run_tasks(machine, tasks)[1]
    assert end.tolist() == reference.run_tasks(machine, tasks)[1].tolist()
    return [int(end[number]) for number in ends]


def test_flows_on_links_of_their_own_do_not_meet_and_four_on_one_share_it() -> None:
    (alone,) = cycles_of(Flow(0, 3, 256))
    assert cycles_of(Flow(0, 3, 256), Flow(4, 7, 256))[0] == alone
    assert cycles_of(Flow(0, 3, 256), Flow(3, 0, 256))[0] == alone  # a link for each direction
    four = cycles_of(*(Flow(source, 15, 256) for source in (0, 1, 2, 3)))
    beats, spread = 32, max(four) - min(four)
    assert max(four) >= SPEC.dma.setup_cycles + 4 * beats  # a beat a cycle passes the links below node 3
    assert spread <= 12, "oldest first: no flow is left behind"


@pytest.mark.parametrize("beats", [1, 2, 3, 7, 32])
def test_every_beat_of_a_flow_leaves_in_the_cycle_that_its_rate_says(beats: int) -> None:
    """To the node beside it, the link of which each beat takes for a cycle; the last bytes are a beat too."""
    leaves = [int(n * exact(SPEC.dma.write_cycles_per_byte) * 8) for n in (beats - 1, beats)]
    ends = [cycles_of(Flow(0, 1, 8 * n))[0] for n in (1, beats)]
    first = int(exact(SPEC.dma.write_cycles_per_byte) * 8)
    assert ends[1] - ends[0] == leaves[1] - first
    assert cycles_of(Flow(0, 1, 8 * beats - 7)) == cycles_of(Flow(0, 1, 8 * beats))
    quick = load_arch("epiphany-e16", ["dma.write_cycles_per_byte=0.05"]).spec  # a link takes a beat a cycle still
    ends = [cycles_of(Flow(0, 1, 8 * n), spec=quick)[0] for n in (1, beats)]
    assert ends[1] - ends[0] == beats - 1


@pytest.mark.parametrize("size", [8, 16, 20, 24, 32])
def test_the_kernel_in_a_formula_is_the_one_in_tasks(size: int) -> None:
    end = fast.run_tasks(machine_of(SPEC.mesh.grid), matrix_kernel(SPEC, size))[1].max()
    assert end == kernel_cycles(SPEC.core, size)


def test_a_layers_inner_loop_is_the_kernel_at_its_size() -> None:
    loop = InnerLoop(32, 32, 32, 32)
    assert product_cycles(SPEC.core, loop, 32) == kernel_cycles(SPEC.core, 32) == 34_045


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (MeasuredRow("x", 600, "ping-pong 9 hops", "4 B", "20"), "so many hops of the mesh"),
        (MeasuredRow("x", 600, "ping-pong 2 hops (coreZZ)", "4 B", "nan"), "expected a number"),
        (MeasuredRow("x", 600, "DMA write corner to corner", "many", "20"), "1 to 1048576 bytes"),
        (MeasuredRow("x", 600, "matrix product 15 cores on chip (60x60)", "", "20"), "square of cores"),
        (MeasuredRow("x", 600, "remote read of one word", "4 B", "20"), "so many hops of the mesh"),
        (MeasuredRow("x", 600, "remote read of one word", "4 B", "18 + hops"), "cycles * hops"),
        (MeasuredRow("x", 600, "matrix product off chip, 64 cores (500x500)", "", "8"), "blocks of 32 rows"),
    ],
)
def test_rows_that_say_nothing_are_refused(row: MeasuredRow, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("*", r"\*")):
        modelled(row, SPEC, ends_of("numba"))


def test_the_command_says_what_is_too_far(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("id,clock_mhz,what,size,value\nl1,600,ping-pong 1 hop,4 B,14.5\nq,600,something else,,1\n")
    assert validate.main([str(table)]) == 0
    assert "Of kinds that are not modelled: q" in capsys.readouterr().out
    table.write_text("id,clock_mhz,what,size,value\nl1,600,ping-pong 1 hop,4 B,15.5\n")
    assert validate.main([str(table)]) == 1
    assert "TOO FAR" in capsys.readouterr().out
    table.write_text("id,what\nl1,x\n")
    assert validate.main([str(table)]) == 2
    assert "no column clock_mhz" in capsys.readouterr().err
    assert validate.main([]) == 2
