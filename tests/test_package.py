"""What travels: a wheel installed elsewhere finds specs, traces, experiments and the checkpoint from any folder. And the README's code."""

import os
import re
import shlex
import shutil
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


@pytest.mark.slow
def test_the_wheel_brings_its_data(installed: Path, tmp_path: Path) -> None:
    program = """
import simulators, mohaq
from simulators import load_arch, load_trace, simulate
from search import Experiment
from quant import load_model
print(simulators.__file__)
print(simulate(load_trace("mohaq-sru-4bit"), load_arch("silago")).cycles, Experiment.load("demo").name, load_model("sru").digest)
"""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(installed))
    assert " demo " in result.stdout


@pytest.mark.slow
def test_the_wheel_says_that_it_is_typed(installed: Path) -> None:
    """PEP 561: without the marker a user's type checker ignores every annotation."""
    for package in ("simulators", "quant", "search"):
        assert (installed / package / "py.typed").is_file()


PROGRAM = """
import sys
import mohaq
from quant.arithmetic import kernels
from quant.speech import scoring
from search.objectives.dominance import non_dominated
from simulators import load_arch, load_trace, simulate
print(simulate(load_trace("lstm-128-8bit"), load_arch("silago")).cycles)
for trace, arch, *options in (["lstm-128-8bit", "silago"], ["lenet-5", "bitfusion", "--model", "published"]):
    sys.argv[1:] = ["simulate", trace, "--arch", arch, *options]
    try:
        mohaq.main()
    except SystemExit as end:
        assert not end.code
print("done")
"""
"""Uses kernels of every kind, which want a place for what is compiled."""


@pytest.mark.slow
def test_an_installation_with_nowhere_to_write_still_works(installed: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("")  # a path under a file cannot be created, not even by root
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=tmp_path,
        env=without_a_home(installed, nowhere / "home") | {"NUMBA_CACHE_DIR": str(nowhere / "cache")}, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("done\n")


@pytest.mark.slow
def test_a_read_only_mount_without_a_home_still_works(installed: Path, tmp_path: Path) -> None:
    """All that this process and its like may write to is a file system that cannot be written."""
    (tmp_path / "home").mkdir()
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(PROGRAM)}"
    script = "set -e; " + "; ".join(
        f"mount --bind {path} {path}; mount -o remount,bind,ro {path}"
        for path in (shlex.quote(str(installed)), shlex.quote(str(tmp_path / "home")))
    )
    in_namespace = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*in_namespace, script], capture_output=True).returncode:
        pytest.skip("this user may not mount")
    refused = f"! touch {shlex.quote(str(installed / 'written'))} 2>/dev/null"
    result = subprocess.run(
        [*in_namespace, f"{script}; {refused}; exec {command}"], capture_output=True, text=True, cwd=tmp_path,
        env=without_a_home(installed, tmp_path / "home"), check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("done\n")


def without_a_home(installed: Path, home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
    }  # fmt: skip


@pytest.mark.slow
def test_the_readme_library_example_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        result = subprocess.run(
            [sys.executable, "-c", block], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert result.returncode == 0, result.stderr
