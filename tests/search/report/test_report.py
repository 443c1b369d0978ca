"""The report: its figures worked out by hand, its refusals, and the page in a headless browser where there is one."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from browser import browser, clicked, data_of, on_a_telephone, with_points
from stand_in import StandInModel

from search import Experiment, run
from search.report.closed_form import disagreement
from search.report.hypervolume import Bounds, growth
from search.report.page import make_report, write_report
from simulators.inputs.errors import InputError
from simulators.views.stall_colours import stall_colour


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    base = tmp_path_factory.mktemp("runs")
    settings = {"population": 10, "offspring": 5, "generations": 4, "steps": 5, "method": "nsga2"}
    for name, arch in (("fusion", "bitfusion"), ("silago", "silago")):
        run(Experiment(name=name, arch=arch, **settings), base / name, model=StandInModel())
    return [base / "fusion", base / "silago"]


def models(folders: list[Path]) -> dict[Path, StandInModel]:
    return {folder: StandInModel() for folder in folders}


@pytest.mark.slow
def test_the_page_the_picture_and_the_table_tell_of_every_candidate(folders: list[Path], tmp_path: Path) -> None:
    page, png, table = tmp_path / "r.html", tmp_path / "r.png", tmp_path / "r.csv"
    report = write_report(folders, page, png, table, models(folders))
    text = page.read_text()
    assert "http-equiv" in text
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=\"http", text)
    data = data_of(text)
    assert data["technologies"] == ("Energy and area are of different technologies: 45 nm (bitfusion); 28 nm (silago)")
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    for folder, of_page, of_report in zip(folders, data["runs"], report.runs, strict=True):
        found = json.loads((folder / "pareto.json").read_text())
        assert of_page["candidates"]["bits"] == [row["bits"] for row in found["visited"]]
        assert [d["bits"] for d in of_page["front"]] == [row["bits"] for row in found["front"]]
        assert sum(row["run"] == of_report.label for row in rows) == found["candidates"]
        for detail in of_page["front"]:
            assert sum(layer["cycles"] for layer in detail["layers"]) == detail["cycles"]
            causes = {cause for layer in detail["layers"] for cause in layer["stalls"]}
            assert causes
            assert {cause: stall_colour(cause) for cause in causes}.items() <= data["stallColours"].items()
    assert png.read_bytes().startswith(b"\x89PNG")


def test_hypervolume_grows_from_nothing_to_what_the_front_holds() -> None:
    points = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.9, 0.9]])
    evaluations, shares = growth(points, [True] * 4, Bounds.around(points))
    # To (1.1, 1.1): 0.1 x 1.1, then the other corner less the overlap, then the middle's 0.6 x 0.6 less both strips.
    assert evaluations == [0, 1, 2, 3, 4]
    assert shares == pytest.approx([0.0, 0.11 / 1.21, 0.21 / 1.21, 0.46 / 1.21, 0.46 / 1.21])
    _, without = growth(points, [True, True, False, True], Bounds.around(points))
    assert without[-1] == pytest.approx(0.22 / 1.21)  # both corners, and what (0.9, 0.9) adds to them


def test_a_candidate_that_only_the_closed_form_likes_is_named_with_its_excess() -> None:
    error = np.array([20.0, 21.0, 22.0])
    found = disagreement(error, speedup=np.array([1.0, 4.0, 8.0]), latency_ms=np.array([10.0, 5.0, 6.0]))
    assert (found.closed_form_front, found.simulated_front) == ((0, 1, 2), (0, 1))
    (miss,) = found.misses
    assert (miss.position, miss.better, miss.excess_ms, miss.excess_percent) == (2, 1, 1.0, pytest.approx(20.0))


def test_a_run_that_is_not_what_it_was_is_refused(folders: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run of a search"):
        make_report([tmp_path])
    with pytest.raises(InputError, match="the same run twice"):
        make_report([folders[0], folders[0]], models(folders))
    other = StandInModel(digest="another")
    with pytest.raises(InputError, match=r"run.yaml: digests.model: sru is not what was searched"):
        make_report([folders[0]], {folders[0]: other})
    copy = tmp_path / "copy"
    shutil.copytree(folders[0], copy)
    trace = sorted((copy / "solutions").iterdir())[0]
    trace.write_text(trace.read_text().replace("steps: 5", "steps: 6"))
    with pytest.raises(InputError, match="not the trace that sru has at these bits"):
        make_report([copy], {copy: StandInModel()})
    with pytest.raises(InputError):
        write_report([folders[0]], folders[0] / "pareto.json", models=models(folders))
    assert json.loads((folders[0] / "pareto.json").read_text())


@pytest.mark.skipif(browser() is None, reason="no Chromium here (MOHAQ_CHROMIUM may name one)")
@pytest.mark.parametrize("count", [None, 10_000])
def test_a_click_selects_a_solution_in_a_browser(folders: list[Path], tmp_path: Path, count: int | None) -> None:
    page = tmp_path / "r.html"
    write_report(folders, page, models=models(folders))
    text = page.read_text()
    seen = clicked(with_points(text, count) if count else text, tmp_path)
    assert seen["faults"] == []
    assert seen["after"] == seen["wanted"] != seen["before"]
    assert (seen["heat"], seen["layers"]) == (1, 4)
    assert any(command.startswith("mohaq simulate") for command in seen["commands"])
    assert (seen["hardware"], seen["variants"]) == ("", [])
    if count:
        assert "10,0" in seen["shown"]


@pytest.mark.skipif(browser() is None, reason="no Chromium here (MOHAQ_CHROMIUM may name one)")
def test_the_front_is_ordered_and_asked_on_a_telephone(folders: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    write_report(folders[:1], page, models=models(folders))
    (run_data,) = data_of(page.read_text())["runs"]
    front = run_data["front"]
    limit = sorted(row["latency_ms"] for row in front)[len(front) // 2]
    seen = on_a_telephone(page.read_text(), tmp_path, limit)
    assert (seen["width"], seen["needed"] <= 390) == (390, True)
    assert 0 <= seen["plot"][0] < seen["plot"][1] <= 844  # nothing has to be scrolled for it
    assert seen["ordered"] == [row["solution"] for row in sorted(front, key=lambda row: row["latency_ms"])]
    assert seen["before"] == [row["solution"] for row in sorted(front, key=lambda row: row["error"])]
    best = min((row for row in front if row["latency_ms"] <= limit), key=lambda row: row["error"])
    assert seen["words"][0].startswith(f"Least error within: {run_data['label']}, solution {best['solution']}:")
    assert seen["words"][1].startswith("No solution of the front is within.")
    assert seen["bits"] == best["bits"]  # what was found stays shown
    ends = [10**end if seen["isLog"] else end for end in seen["range"]]
    within = [
        x for x, keeps in zip(run_data["points"]["latency_ms"], run_data["points"]["feasible"], strict=True) if keeps
    ]
    assert ends[0] < min(within) <= max(within) < ends[1]
    assert ends[1] < 1.3 * max(within)
    energies = [row["energy_uj"] for row in front]
    assert seen["colours"] == pytest.approx([min(energies), max(energies)])
    assert not any(tick == "2" for tick in seen["ticks"] if ends[0] > 2)


@pytest.mark.slow
@pytest.mark.parametrize("at", ["16-bit", "2-bit"])
def test_a_baseline_over_a_limit_is_told_so(tmp_path: Path, at: str) -> None:
    limits = {"error_increase": 2.0, "memory_mib": 0.004}
    settings = {"population": 6, "offspring": 3, "generations": 1, "steps": 5, "method": "nsga2"}
    run(Experiment(name="e", constraints=limits, **settings), tmp_path / "e", model=StandInModel())
    write_report([tmp_path / "e"], tmp_path / "r.html", models={tmp_path / "e": StandInModel()})
    (run_data,) = data_of((tmp_path / "r.html").read_text())["runs"]
    told = {row["solution"]: row["feasible"] for row in run_data["baselines"]}
    assert told[at] is False
    assert told["8-bit"] is True
