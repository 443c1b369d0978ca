"""A search whose platform, objective and method are files of one's own, through the command line."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from os import environ
from pathlib import Path

import pytest
import yaml
from paths import ROOT

from search.evaluation.ledger import Ledger

EXAMPLES = ROOT / "docs" / "examples"
FILES = ("output_stationary.py", "energy_delay.py", "coordinate_descent.py")
PLUGINS = [option for name in FILES for option in ("--plugin", name)]
SWEPT = {"objectives": ["error", "energy_delay"], "hardware": {"grid": {"rows": [16, 32]}}, "candidates": {"random": 5}}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mohaq", *arguments]


def mohaq(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with environment variables besides."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, cwd=folder, check=False, env={**environ, **variables}
    )


def searched(folder: Path, run: str, *options: str) -> Path:
    """The folder of a finished search."""
    done = mohaq(folder, "search", "own.yaml", "--out", run, *PLUGINS, *options)
    assert done.returncode == 0, done.stderr
    return folder / run


@pytest.fixture(scope="module")
def own(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the project with the documentation's examples, and a search in it, `runs/whole`."""
    folder = tmp_path_factory.mktemp("own")
    for name in FILES:
        shutil.copy(EXAMPLES / name, folder)
    spec = yaml.safe_load((EXAMPLES / "output_stationary.yaml").read_text())
    (folder / "wide.yaml").write_text(
        yaml.safe_dump({**spec, "name": "wide", "precisions": [[4, 4], [8, 8], [16, 16]]})
    )
    experiment = {
        "name": "own", "model": str(small_model), "arch": "wide.yaml", "steps": 20,
        "objectives": ["error", "energy_delay", "energy"], "method": "coordinate-descent",
        "constraints": {"error": 100.0}, "population": 4, "generations": 4,
    }  # fmt: skip
    (folder / "own.yaml").write_text(yaml.safe_dump(experiment))
    (folder / "swept.yaml").write_text(yaml.safe_dump({**experiment, **SWEPT, "method": "nsga2"}))
    searched(folder, "runs/whole")
    return folder


@pytest.mark.slow
def test_files_tables_and_pages_have_its_objective(own: Path) -> None:
    rows = list(csv.DictReader((own / "runs/whole/pareto.csv").open()))
    for row in rows:
        product = float(row["energy_uj"]) * float(row["latency_ms"])
        assert float(row["energy_delay_uj_ms"]) == pytest.approx(product, rel=1e-9)
    assert json.loads((own / "runs/whole/pareto.json").read_text())["candidates"] > 4
    done = mohaq(own, "show", "runs/whole", *PLUGINS)
    assert done.returncode == 0, done.stderr
    assert "µJ·ms" in done.stdout
    done = mohaq(own, "runs", "runs")
    assert done.returncode == 0, done.stderr
    assert "runs/whole" in done.stdout
    done = mohaq(own, "report", "runs/whole", "--out", "r.html", "--png", "r.png", "--csv", "r.csv", *PLUGINS)
    assert done.returncode == 0, done.stderr
    axis = json.dumps("energy-delay product of one utterance (µJ·ms)")
    assert f'"energy_delay_uj_ms":{axis}' in (own / "r.html").read_text()
    (first, *_) = csv.DictReader((own / "r.csv").open())
    assert float(first["energy_delay_uj_ms"]) > 0
    repeat = yaml.safe_load((own / "runs/whole/run.yaml").read_text())["repeat"]
    assert all(f"--plugin {own / name}" in repeat for name in FILES)


@pytest.mark.slow
def test_what_is_not_there_is_named_in_one_line(own: Path) -> None:
    done = mohaq(own, "search", "own.yaml", "--out", "none", *PLUGINS[:2])
    assert done.returncode == 2
    assert re.search(r"own.yaml:\d+:\d+: objectives\[1\]: 'energy_delay': did you mean energy\?\n", done.stderr)
    done = mohaq(own, "show", "runs/whole")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "energy_delay" in done.stderr


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_to_the_same_front(own: Path) -> None:
    folder = own / "runs/killed"
    process = subprocess.Popen(
        command("search", "own.yaml", "--out", "runs/killed", *PLUGINS), cwd=own, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    state = folder / "state.json"
    while process.poll() is None and not (state.is_file() and json.loads(state.read_text())["generations"]):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    evaluated = Ledger(folder / "ledger.sqlite").counts()["errors"]
    searched(own, "runs/killed", "--resume")
    assert 0 < evaluated < Ledger(folder / "ledger.sqlite").counts()["errors"]
    assert (folder / "pareto.json").read_bytes() == (own / "runs/whole/pareto.json").read_bytes()


@pytest.mark.slow
def test_another_version_of_a_plugin_is_refused_and_another_comment_is_not(own: Path) -> None:
    shutil.copytree(own / "runs/whole", own / "runs/edited")
    plugin = own / "coordinate_descent.py"
    text = plugin.read_text()
    try:
        plugin.write_text(text.replace("self._gene = -1", "self._gene = 0"))
        done = mohaq(own, "search", "own.yaml", "--out", "runs/edited", "--resume", *PLUGINS)
        assert done.returncode == 2
        assert "the run to resume differs in plugin coordinate_descent.py (digests)" in done.stderr
        assert done.stderr.count("\n") == 1
        plugin.write_text(f"{text}# as before\n")
        searched(own, "runs/edited", "--resume")
    finally:
        plugin.write_text(text)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [("--workers", "2"), ("--workers", "2", "--dask")])
def test_workers_know_the_plugins(own: Path, workers: tuple[str, ...]) -> None:
    found = searched(own, f"runs/{len(workers)}", *workers)
    assert (found / "pareto.csv").read_bytes() == (own / "runs/whole/pareto.csv").read_bytes()


@pytest.mark.slow
def test_a_sweep_in_processes(own: Path) -> None:
    for folder, *workers in (("runs/swept-1", "1"), ("runs/swept-2", "2"), ("runs/swept-3", "2", "--dask")):
        done = mohaq(own, "sweep", "swept.yaml", "--out", folder, "--workers", *workers,
                     MOHAQ_PLUGINS=":".join(FILES))  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "µJ·ms" in done.stdout
    one, two, cluster = ((own / f"runs/swept-{n}/sweep.csv").read_bytes() for n in "123")
    assert one == two == cluster
    assert b"energy_delay_uj_ms" in one.splitlines()[0]
    done = mohaq(own, "report", "runs/swept-1", "runs/whole", "--out", "both.html", "--csv", "both.csv", *PLUGINS)
    assert done.returncode == 0, done.stderr
    assert {row["energy_delay_uj_ms"] for row in csv.DictReader((own / "both.csv").open())}.isdisjoint({"", "nan"})
