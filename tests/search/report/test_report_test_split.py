"""What a report tells of a front on test."""

import csv
import io
from pathlib import Path

import pytest
from split_stand_in import SplitModel, experiment, results_in

from search import run
from search.report.page import make_report, page_of
from search.report.page_data import page_data
from search.report.table import csv_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tested"
    run(experiment(generations=1), folder, model=SplitModel(every=3))
    return folder


def test_test_errors_are_figures_of_the_front(folder: Path) -> None:
    report = make_report([folder], {folder: SplitModel(every=3)})
    content, data = results_in(folder), page_data(report)
    (of_run,) = data["runs"]
    assert data["metrics"]["error_test"] == "error rate on test, worst of 4 subsets (%)"
    by_bits = dict(zip(of_run["candidates"]["bits"], of_run["candidates"]["error_test"], strict=True))
    tested = {row["bits"]: row["error_test"] for row in content["front"]}
    assert {bits: error for bits, error in by_bits.items() if error is not None} == pytest.approx(tested)
    for row, solution in zip(content["front"], of_run["front"], strict=True):
        for name in ("test_change", "test_change_low", "dominated_on_test_by", "lost_on_test"):
            assert solution[name] == row[name]
    assert [b["error_test"] for b in of_run["baselines"]] == [b["error_test"] for b in content["baselines"]]
    luck = content["held_out"]["luck"]
    assert f"the lowest of {luck['candidates']} errors, {luck['lowest']:.2f} %" in of_run["luck"]
    assert "dominated_on_test_by" in page_of(report)
    rows = {row["bits"]: row for row in csv.DictReader(io.StringIO(csv_of(report)))}
    for row in content["front"]:
        assert float(rows[row["bits"]]["error_test"]) == row["error_test"]
        assert float(rows[row["bits"]]["test_change_plain_high"]) == row["test_change_plain_high"]
