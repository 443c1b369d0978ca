"""What travels: a wheel installed elsewhere finds specs, traces, experiments and the checkpoint from any folder. And the README's code."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, as pip lays it out."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_brings_its_data(installed: Path, tmp_path: Path) -> None:
    program = """
import simulators, mohaq
from simulators import load_arch, load_trace, simulate
from search import Experiment
from quant import load_model
print(simulators.__file__)
print(simulate(load_trace("mohaq-sru-4bit"), load_arch("bitfusion")).cycles, Experiment.load("demo").name, load_model("sru").digest)
"""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(installed))
    assert " demo " in result.stdout


def test_a_read_only_installation_without_a_home_still_simulates(installed: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("")  # a path under a file cannot be created, not even by root
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(nowhere / "home"), "NUMBA_CACHE_DIR": str(nowhere / "cache"),
    }  # fmt: skip
    program = "from simulators import *; print(simulate(load_trace('lstm-128-8bit'), load_arch('bitfusion')).cycles)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 0


def test_the_readme_library_example_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        result = subprocess.run(
            [sys.executable, "-c", block], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert result.returncode == 0, result.stderr
