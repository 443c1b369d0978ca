"""Sweeps of networks: the shipped one's trends, its files, and what is refused."""

import csv
import io
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from killed import Killed

from search.codesign.network_display import print_networks
from search.codesign.network_run import run_networks
from search.codesign.network_sweep import NetworkPoint, NetworkSweep, network_sweep_of
from search.codesign.stored_networks import find_network_runs, listed, load_network_run
from search.codesign.sweep_display import SweepDisplay
from search.runs.run_reader import load_run
from simulators import InputError, Trace, load_arch, load_trace, simulate
from simulators.inputs.terminal import Terminal

WITHIN = 0.995
"""Mappings are chosen by an estimate, which may take one that is a few tenths of a per cent slower."""


@pytest.fixture(scope="module")
def shipped() -> NetworkSweep:
    found = network_sweep_of("sweep-epiphany-cnn")
    assert found is not None
    return found


def test_fewer_bits_and_more_memory_are_never_slower_and_cores_are_the_ceiling(shipped: NetworkSweep) -> None:
    small = shipped.model_copy(
        update={
            "networks": ("alexnet-convolutions",),
            "weight_bits": (1, 8, 32),
            "variants": {name: shipped.variants[name] for name in ("16 cores", "64 cores")},
        }
    )
    points = {(p.variant, p.grid, p.weight_bits): p for p in small.points()}
    for variant, cores in (("16 cores", 16), ("64 cores", 64)):
        of_memory = []
        for kib in (32, 64):
            rates = [points[variant, f"memory.total_kib={kib}", bits].frames_per_s for bits in small.weight_bits]
            assert all(few >= WITHIN * more for few, more in pairwise(rates)), rates
            assert rates[0] > 1.01 * rates[-1], "32 bits do not fit where 1 does"
            of_memory.append(rates)
        assert all(more >= WITHIN * less for less, more in zip(*of_memory, strict=True))
        most = cores * load_arch("epiphany-e64").frequency_mhz * 1e6 / load_trace("alexnet-convolutions").macs
        assert of_memory[-1][0] < most
        assert points[variant, "memory.total_kib=64", 1].utilisation == pytest.approx(of_memory[-1][0] / most)
    binary = points["64 cores", "memory.total_kib=64", 1]
    assert binary.residence == "5 resident"
    assert "streamed" in points["16 cores", "memory.total_kib=32", 32].residence
    assert points["16 cores", "memory.total_kib=32", 32].dram_mib > binary.dram_mib


def test_figures_of_a_frame_are_shares_of_the_utterances() -> None:
    """An LSTM over 100 frames: those of the simulation, on Bit Fusion, which says nothing of where weights lie."""
    sweep = NetworkSweep(name="n", networks=("lstm-128-8bit",), arch="bitfusion", weight_bits=(4,), activation_bits=16)
    (point,) = sweep.points()
    trace = load_trace("lstm-128-8bit")
    report = simulate(trace.at_bits(4, 16), load_arch("bitfusion"))
    wide = Trace(name="t", steps=100, layers=tuple(
        layer.at_bits(4, 16, 16) if layer.is_product else layer.but(output_bits=16) for layer in trace.layers
    ))  # fmt: skip
    assert report.cycles == simulate(wide, load_arch("bitfusion")).cycles  # what a gate leaves, a product reads
    moved = sum(layer.bits.get(way, 0) for layer in report.layers for way in ("dram_read", "dram_write"))
    assert point.cycles == report.cycles
    assert point.dram_mib == pytest.approx(moved / 100 / 8 / 2**20)
    assert point.energy_mj == pytest.approx(report.energy_uj / 100 / 1e3)
    assert point.frames_per_s == pytest.approx(100 / (report.latency_ms / 1e3))
    assert point.residence == ""


def test_a_sweep_leaves_a_table_and_a_figure(tmp_path: Path, shipped: NetworkSweep) -> None:
    small = shipped.model_copy(
        update={"networks": ("alexnet-convolutions",), "weight_bits": (4, 16), "grid": {}, "variants": {"it": ()}}
    )
    points = run_networks(small, tmp_path / "sweep")
    assert points == small.points()
    with (tmp_path / "sweep" / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["cycles"]) for row in rows] == [point.cycles for point in points]
    assert (tmp_path / "sweep" / "points.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="not empty: --resume continues the run in it"):
        run_networks(small, tmp_path / "sweep")
    ((stored,), complaints) = find_network_runs(tmp_path)
    assert (stored, complaints) == (load_network_run(tmp_path / "sweep"), [])
    assert stored.points == points
    assert listed(stored)[1:] == (small.name, "alexnet-convolutions", "epiphany-e64", "", "2 points", "")
    with pytest.raises(InputError, match=r"a sweep of networks, which has no front: its table is points\.csv"):
        load_run(tmp_path / "sweep")


def point(network: str = "n", variant: str = "it", grid: str = "", residence: str = "", bits: int = 8) -> NetworkPoint:
    return NetworkPoint(network, variant, grid, bits, 1, 1234.5678, 1234.5678, 0.98765, 12.345, 123.456, residence)


def printed(points: list[NetworkPoint], width: int) -> list[str]:
    out = Terminal(io.StringIO(), width=width)
    out._force_terminal = True  # of one it is the width, and not of a file
    print_networks(points, out)
    return [line.rstrip() for line in re.sub(r"\x1b\[\d+m", "", out.file.getvalue()).splitlines()]


def test_the_table_fits_a_terminal_and_ends_lines_between_words() -> None:
    """The shipped sweep's variants."""
    points = [
        point(network, f"{cores} cores", f"memory.total_kib={kib}", residence, 32)
        for network in ("alexnet-convolutions", "googlenet-convolutions")
        for cores in (16, 256)
        for kib, residence in ((32, "52 resident 5 streamed"), (64, "57 resident"))
    ]
    lines = printed(points, 80)
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if "convolutions" in line] == ["alexnet-convolutions", "googlenet-convolutions"]
    assert [line.split() for line in lines[5:7]] == [
        ["16", "cores", "32", "1235", "1235", "98.8%", "12.35", "123.5", "52", "resident"],
        ["total_kib=32", "5", "streamed"],
    ]
    assert len(lines) == 2 * (1 + 4 + 4 * 2 + 1)
    wide = printed(points, 120)
    assert "16 cores total_kib=32     32 " in wide[5]
    assert wide[5].endswith("52 resident 5 streamed")


def test_a_sweep_of_several_technologies_says_so(shipped: NetworkSweep) -> None:
    assert not shipped.technologies()
    variants = {"first": ("technology_nm=65",), "second": ()}
    grown = shipped.model_copy(update={"variants": variants, "grid": {"memory.total_kib": (32,)}})
    said = grown.technologies()
    assert said == (
        "Energy and area are of different technologies: 65 nm (first memory.total_kib=32); "
        "28 nm (second memory.total_kib=32)"
    )
    out = Terminal(io.StringIO())
    print_networks([point()], out, said)
    assert out.file.getvalue().endswith(f"\n{said}\n")


def test_what_all_points_of_a_network_have_in_common_is_said_once() -> None:
    lines = printed([point(grid="a.x=1 b.x=2", bits=bits) for bits in (4, 8)], 80)
    assert lines[0] == "n, it a.x=1 b.x=2"  # x is not clear
    assert lines[5].split() == ["4", "1235", "1235", "98.8%", "12.35", "123.5"]


def test_a_long_name_ends_lines_behind_what_parts_its_words() -> None:
    grids = [f"memory.local_scratchpad_kib={kib}" for kib in (8, 16)]
    lines = printed([point(variant="a-variant-of-several", grid=grid, residence="5 streamed") for grid in grids], 80)
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[5:10]] == ["a-variant-", "of-several", "local_", "scratchpad_", "kib=8"]


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (lambda text: text.replace(",16,", ",many,", 1), "2: weight_bits: 'many': Input should be a valid integer"),
        (lambda text: text.replace("network,", "net,", 1), "1: expected the columns network, variant"),
        (lambda text: "", "1: it is empty"),
        (lambda text: text.replace(",16,", ",16,1,", 1), "2: 12 cells: expected 11"),
        (lambda text: text.replace(",16,", ",-16,", 1), "2: expected figures of at least 0 that are finite"),
        (lambda text: text.splitlines()[0] + "\n", " 0 points: the sweep has 1"),
        (lambda text: text + text.splitlines()[1] + "\n", " 2 points: the sweep has 1"),
    ],
)
def test_a_damaged_table_gets_one_line(
    damage: Callable[[str], str], rule: str, tmp_path: Path, shipped: NetworkSweep
) -> None:
    small = shipped.model_copy(
        update={"networks": ("alexnet-convolutions",), "weight_bits": (16,), "grid": {}, "variants": {"it": ()}}
    )
    run_networks(small, tmp_path / "sweep")
    table = tmp_path / "sweep" / "points.csv"
    table.write_text(damage(table.read_text()))
    with pytest.raises(InputError) as raised:
        load_network_run(tmp_path / "sweep")
    assert str(raised.value).startswith(f"{table}:{rule}")
    ((), (complaint,)) = find_network_runs(tmp_path)
    assert complaint == str(raised.value)


def test_fewer_processes_than_one_are_refused_before_the_folder_is_made(tmp_path: Path, shipped: NetworkSweep) -> None:
    with pytest.raises(InputError, match="--workers 0: it must be at least 1"):
        run_networks(shipped, tmp_path / "sweep", workers=0)
    assert not (tmp_path / "sweep").exists()


def test_a_sweep_has_a_variant() -> None:
    with pytest.raises(ValueError, match="variants"):
        NetworkSweep.model_validate(
            {"name": "n", "networks": ["lenet-5"], "arch": "bitfusion", "weight_bits": [8], "variants": {}}
        )


class Progress(SweepDisplay):
    """Notes how far a sweep came, and kills it after so many pairs."""

    def __init__(self, most: int = 1 << 20):
        super().__init__()
        self.seen: list[tuple[int, int, int]] = []
        self._most = most

    def simulating(self, done: int, variants: int, candidates: int) -> None:
        self.seen.append((done, variants, candidates))
        if done >= self._most:
            raise Killed


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on_with_what_is_missing(tmp_path: Path, shipped: NetworkSweep) -> None:
    small = shipped.model_copy(
        update={"networks": ("alexnet-convolutions",), "weight_bits": (1, 16), "variants": {"it": (), "the same": ()}}
    )
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    run_networks(small, whole, workers=2)
    with pytest.raises(Killed):
        run_networks(small, folder, progress=Progress(most=3), workers=1)
    assert not (folder / "points.csv").exists()
    parts = sorted((folder / "parts").iterdir())
    assert [part.name for part in parts] == ["00000.json", "00001.json", "00002.json"]
    parts[0].write_text(parts[0].read_text()[:-9])  # a crash of the machine spoilt it
    parts[1].write_bytes(parts[2].read_bytes())  # another variant's
    on = Progress()
    with pytest.raises(InputError, match="to resume differs in weight_bits"):
        run_networks(small.model_copy(update={"weight_bits": (2, 16)}), folder, resume=True)
    run_networks(small, folder, resume=True, progress=on, workers=1)
    assert on.seen == [(1, 4, 2), (2, 4, 2), (3, 4, 2), (4, 4, 2)]
    for name in ("points.csv", "points.png"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    assert not (folder / "parts").exists()


@pytest.mark.slow
def test_processes_leave_what_one_leaves(tmp_path: Path, shipped: NetworkSweep) -> None:
    small = shipped.model_copy(update={"weight_bits": (1, 16)})
    points = [run_networks(small, tmp_path / str(workers), workers=workers) for workers in (1, 2)]
    assert points[0] == points[1] == small.points()
    tables = [(tmp_path / workers / "points.csv").read_bytes() for workers in "12"]
    assert tables[0] == tables[1]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_sweep_that_cannot_be_leaves_its_folder_to_another(
    workers: int, tmp_path: Path, shipped: NetworkSweep
) -> None:
    small = shipped.model_copy(update={"networks": ("alexnet-convolutions",), "weight_bits": (8,), "grid": {}})
    with pytest.raises(InputError, match=r"without, 8 bits: layer conv3: dram\.mib: 0"):
        run_networks(
            small.model_copy(update={"variants": {"it": (), "without": ("dram.mib=0",)}}), tmp_path, workers=workers
        )
    assert len(run_networks(small.model_copy(update={"variants": {"it": ()}}), tmp_path)) == 1


def test_what_cannot_be_swept_is_named(tmp_path: Path) -> None:
    def sweep(**keys: object) -> NetworkSweep:
        given = {
            "name": "x",
            "networks": ("alexnet-convolutions",),
            "arch": "epiphany-e16",
            "weight_bits": (8,),
            **keys,
        }
        return NetworkSweep.model_validate(given)

    with pytest.raises(InputError, match=r"as it is mesh\.rows=1|mesh\.rows"):
        sweep(grid={"mesh.rows": (1,)}).points()
    with pytest.raises(InputError, match=r"as it is, 8 bits: layer conv3: dram\.mib: 0"):
        sweep(variants={"as it is": ("dram.mib=0",)}).points()
    with pytest.raises(InputError, match="at most 20000"):
        sweep(grid={"frequency_mhz": tuple(range(1, 201)), "energy.mac_pj": tuple(range(1, 201))}).points()
    with pytest.raises(InputError, match="weights of at most 16 bits"):
        sweep(arch="bitfusion", weight_bits=(32,)).points()
    file = tmp_path / "x.yaml"
    file.write_text("name: x\nnetworks: [alexnet-convolutions]\narch: bitfusion\nweight_bit: [8]\n")
    with pytest.raises(InputError, match=r"x\.yaml:4:13: weight_bit: unknown key; did you mean weight_bits"):
        network_sweep_of(str(file))
    assert network_sweep_of("sweep-bitfusion") is None
