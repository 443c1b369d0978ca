"""The page of benchmarks is drawn from what they measured: none of its figures is written by hand."""

import json
from pathlib import Path
from runpy import run_path

ROOT = Path(__file__).parents[1]
RUN_ALL = run_path(str(ROOT / "benchmarks" / "run_all.py"))


def test_every_benchmark_is_a_program() -> None:
    for name in RUN_ALL["BENCHMARKS"]:
        assert (ROOT / RUN_ALL["program"](name)).is_file(), name


def test_the_page_shows_the_results() -> None:
    assert (ROOT / "docs" / "benchmarks.md").read_text() == RUN_ALL["page"]()


def test_every_result_is_of_a_benchmark() -> None:
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        name = path.stem
        program = RUN_ALL["program"](name)
        arguments = RUN_ALL["BENCHMARKS"][name]
        assert json.loads(path.read_text())["command"] == " ".join(["python", program, *arguments])
