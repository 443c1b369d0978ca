"""The report of sweeps, alone and beside searches: points, fronts and variants, commands that reproduce, and a click."""

import csv
import io
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import browser, clicked, data_of, with_points
from stand_in import StandInModel

from search import Experiment, run
from search.codesign.hardware_search import search_hardware
from search.codesign.sweep import sweep
from search.report import analysis, data
from search.report.page import make_report, write_report
from simulators.inputs.errors import InputError

GRID = {"array.rows": [4, 8], "buffers.weight_kib": [32, 64], "dram.bits_per_cycle": [24, 192]}


def experiment(**changes: Any) -> Experiment:
    base = {
        "name": "t", "model": "none", "steps": 5, "objectives": ["error", "latency", "energy", "area"],
        "hardware": {"archs": ["bitfusion"], "grid": GRID}, "candidates": {"random": 30}, "method": "nsga2",
        "population": 10, "offspring": 5, "generations": 4,
    }  # fmt: skip
    return Experiment.model_validate({**base, **changes})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of a sweep, a search with hardware as genes, and a search."""
    base = tmp_path_factory.mktemp("runs")
    sweep(experiment(), base / "sweep", model=StandInModel(), workers=1)
    search_hardware(experiment(candidates=None), base / "genes", model=StandInModel())
    alone = experiment(hardware=[], candidates=None, objectives=["error", "latency", "energy"])
    run(alone, base / "search", model=StandInModel())
    return {name: base / name for name in ("sweep", "genes", "search")}


def models(*folders: Path) -> dict[Path, StandInModel]:
    return {folder: StandInModel() for folder in folders}


@pytest.mark.slow
def test_page_picture_and_table_tell_of_every_point(folders: dict[str, Path], tmp_path: Path) -> None:
    page, png, table = tmp_path / "r.html", tmp_path / "r.png", tmp_path / "r.csv"
    write_report(list(folders.values()), page, png, table, models(*folders.values()))
    told = {of["label"]: of for of in data_of(page.read_text())["runs"]}
    assert not data_of(page.read_text())["technologies"]
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert png.read_bytes().startswith(b"\x89PNG")
    for name in ("sweep", "genes"):
        found = json.loads((folders[name] / "sweep.json").read_text())
        of = told[name]
        own = list(csv.DictReader((folders[name] / "fronts.csv").open()))
        assert len(of["points"]["variant"]) == sum(row["run"] == name for row in rows) == found["points"]
        assert sum(of["points"]["onAFront"]) == len(own)  # what is on the joint front is on its variant's
        assert [(d["variant"], d["bits"]) for d in of["front"]] == [(d["variant"], d["bits"]) for d in found["front"]]
        for d in of["front"]:
            assert of["points"]["variant"][d["at"]] == d["variant"]
            assert of["candidates"]["bits"][of["points"]["candidate"][d["at"]]] == d["bits"]
            assert sum(layer["cycles"] for layer in d["layers"]) == d["cycles"]
        assert [v["joint"] for v in of["variants"]] == [v["joint_front"] for v in found["hardware"]]
        assert [v["own"] for v in of["variants"]] == [v["front"] for v in found["hardware"]]
        assert [v["settings"] for v in of["variants"]] == [v["changes"] for v in found["hardware"]]
        assert {row["front"] for row in rows if row["run"] == name} == {"", *(d["solution"] for d in found["front"])}
        assert all(0 < v["hypervolume"] <= of["growth"]["shares"][0] for v in of["variants"] if v["own"])
    assert told["search"]["variants"][0]["settings"]["array.rows"] == 16  # of the spec, though it changes nothing
    assert told["search"]["variants"][0]["area_mm2"] > 0


def test_the_hypervolume_of_a_variant_is_that_of_its_own_points(folders: dict[str, Path]) -> None:
    report = make_report([folders["sweep"]], models(folders["sweep"]))
    points = report.runs[0].points
    scaled = report.bounds.normalised(points.minimised(report.objectives)) if report.bounds else np.empty((0, 4))
    draws = np.random.default_rng(1).random((20_000, 4)) * 1.1
    for compared in (report.variants[0][0], report.variants[0][-1]):
        mine = scaled[points.variant == compared.variant.number]
        inside = sum(
            (mine[:, None, :] <= draws[None, i : i + 1000]).all(axis=2).any(axis=0).sum()
            for i in range(0, 20_000, 1000)
        )
        assert compared.hypervolume == pytest.approx(inside / 20_000, abs=0.015)


def test_of_a_large_sweep_all_fronts_and_a_sample_are_shown(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders["sweep"]
    monkeypatch.setattr(analysis, "MOST_OTHERS", 40)
    monkeypatch.setattr(data, "MOST_DETAILS", 10)
    write_report([folder], tmp_path / "r.html", table=tmp_path / "r.csv", models=models(folder))
    (of,) = data_of((tmp_path / "r.html").read_text())["runs"]
    on_fronts = len(list(csv.DictReader((folder / "fronts.csv").open())))
    assert of["others"] == {"shown": 40, "total": of["total"] - on_fronts}
    assert len(of["points"]["variant"]) == 40 + on_fronts
    assert {*of["points"]["variant"]} == {*range(8)}
    assert sum("layers" in entry for entry in of["front"]) == 10
    assert len(list(csv.DictReader((tmp_path / "r.csv").open()))) == of["total"]
    if browser():
        seen = clicked((tmp_path / "r.html").read_text(), tmp_path)
        assert seen["faults"] == []
        assert f"40 of the {of['total'] - on_fronts} others" in seen["sample"]


def test_a_sweep_that_is_not_what_it_was_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy"

    def refused(message: str) -> None:
        with pytest.raises(InputError, match=message):
            make_report([copy], models(copy))

    shutil.copytree(folders["sweep"], copy)
    (copy / "points.npz").write_bytes((folders["genes"] / "points.npz").read_bytes())
    refused("points.npz: not the points that .*sweep.json tells of")
    (copy / "points.npz").write_bytes(b"spoilt")
    refused("points.npz: it does not hold the sweep's points")
    record = (copy / "run.yaml").read_text()
    (copy / "run.yaml").write_text(record.replace("array.rows: [4, 8]", "array.rows: [4, 16]"))
    refused(r"run.yaml: digests.hardware: 8 variants is not what was searched")
    (copy / "sweep.json").unlink()
    refused("the run is not finished: its command with .* continues it")
    with pytest.raises(InputError, match="the run's own file"):
        write_report([copy], copy / "variants.csv", models=models(copy))


@pytest.mark.slow
def test_the_commands_of_a_solution_reproduce_it(small_model: Path, tmp_path: Path) -> None:
    settings = experiment(model=str(small_model), candidates=["8", "4", "4x8"], constraints={}, set=["frequency_mhz=400"],
                          hardware={"grid": {"array.rows": [4, 8]}})  # fmt: skip
    sweep(settings, tmp_path / "run", workers=1)
    report = make_report([tmp_path / "run"])
    detail = report.runs[0].details[0]
    errors, trace, cost = (shlex.split(command)[1:] for command in detail.commands)

    def mohaq(*words: str) -> str:
        command = [sys.executable, "-m", "mohaq", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout

    assert round(json.loads(mohaq(*errors, "--json"))["error_max"], 4) == detail.row["error"]
    mohaq(*trace)
    found = json.loads(mohaq(*cost, "--json"))
    assert (found["cycles"], found["latency_ms"]) == (detail.row["cycles"], detail.row["latency_ms"])
    assert {
        "frequency_mhz=400",
        f"array.rows={report.runs[0].hardware.variants[detail.row['variant']].changes['array.rows']}",
    } <= {*cost}


@pytest.mark.skipif(browser() is None, reason="no Chromium here (MOHAQ_CHROMIUM may name one)")
@pytest.mark.parametrize(
    ("names", "count"), [(["sweep"], None), (["sweep"], 10_000), (["genes", "search", "sweep"], None)]
)
def test_a_click_selects_a_solution_of_a_sweep(
    folders: dict[str, Path], tmp_path: Path, names: list[str], count: int | None
) -> None:
    chosen = [folders[name] for name in names]
    write_report(chosen, tmp_path / "r.html", models=models(*chosen))
    text = (tmp_path / "r.html").read_text()
    seen = clicked(with_points(text, count) if count else text, tmp_path)
    assert seen["faults"] == []
    assert seen["after"] == seen["wanted"] != seen["before"]
    assert (seen["heat"], seen["layers"]) == (1, 4)
    variant = seen["after"].split()[0]
    assert seen["hardware"].startswith(f"{variant} hardware variant: bitfusion with")
    assert all(key in seen["hardware"] for key in GRID)
    assert len(seen["variants"]) == sum({"sweep": 8, "genes": 8, "search": 1}[name] for name in names)
    if count:
        assert seen["shown"] == "10,000 of 10,000 points shown"
    if names == ["sweep"] and not count:  # the row that was clicked last leaves one variant's points
        run_number, number, shown = seen["only"]
        of = data_of(text)["runs"][run_number]
        assert shown.startswith(f"{of['points']['variant'].count(number)} of ")
