"""The survey's objectives in a report: figures of the solutions that they are said to be of."""

from pathlib import Path

import pytest
from stand_in import StandInModel

from search import Experiment, run
from search.report.page import make_report
from search.report.survey import surveyed


@pytest.mark.slow
def test_lowest_error_and_fastest_of_each_run_by_their_own_figures(tmp_path: Path) -> None:
    settings = {"population": 10, "offspring": 5, "generations": 2, "steps": 5, "method": "nsga2"}
    folders = [tmp_path / arch for arch in ("bitfusion", "silago")]
    for folder in folders:
        run(Experiment(name=folder.name, arch=folder.name, **settings), folder, model=StandInModel())
    report = make_report(folders, {folder: StandInModel() for folder in folders})
    solutions = surveyed(report.runs)
    assert [solution.run for solution in solutions] == [0, 0, 1, 1]
    for number, reported in enumerate(report.runs):
        rows = [detail.row for detail in reported.details.values()]
        best, fastest = (solution for solution in solutions if solution.run == number)
        assert float(best.figures["error %"]) == pytest.approx(min(row["error"] for row in rows), abs=0.005)
        assert float(fastest.figures["latency ms"]) == pytest.approx(min(row["latency_ms"] for row in rows), rel=1e-3)
        assert best.title.endswith("lowest error")
        assert fastest.title.endswith("fastest")
        assert best.figures["architecture"] == reported.experiment.arch
        for solution in (best, fastest):  # two operations a multiply-accumulate
            (row,) = (row for row in rows if row["solution"] in solution.title.split()[1])
            detail = reported.details[int(row["solution"])]
            gops = 2 * detail.trace.macs / row["latency_ms"] / 1e6
            assert float(solution.figures["GOP/s, effective"].replace(",", "")) == pytest.approx(gops, rel=1e-3)
