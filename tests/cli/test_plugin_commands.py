"""What people write in folders of their own, through the command line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "output_stationary.py"


def mohaq(folder: Path, *arguments: str, plugins: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with `MOHAQ_PLUGINS` set."""
    from os import environ

    return subprocess.run(
        [sys.executable, "-m", "mohaq", *arguments], capture_output=True, text=True, cwd=folder, check=False,
        env={**environ, "MOHAQ_PLUGINS": plugins},
    )  # fmt: skip


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder outside the project with the documentation's platform in it."""
    for path in (EXAMPLE, EXAMPLE.with_suffix(".yaml")):
        shutil.copy(path, tmp_path)
    return tmp_path


PLATFORM = ("--plugin", "output_stationary.py")


@pytest.mark.slow
def test_a_platform_simulates_and_compares(own: Path) -> None:
    arch = ("--arch", "output_stationary.yaml")
    done = mohaq(own, "simulate", "mohaq-sru-8bit", *arch, *PLATFORM, "--json", "r.json", "--timeline", "t.json",
                 "--plot", "p.svg")  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((own / "r.json").read_text())
    assert report["cycles"] == 5_906_589
    done = mohaq(own, "compare", "mohaq-sru-8bit", *arch, "--arch", "bitfusion", "--csv", "c.csv",
                 plugins="output_stationary.py")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "11.813" in done.stdout  # ms: 5,906,589 cycles at 500 MHz
    assert mohaq(own, "arch", "show", "output_stationary.yaml", *PLATFORM).returncode == 0


def test_a_line_number_is_no_picture(own: Path) -> None:
    """`:100:` is an emoji to the library that prints."""
    (own / "long.yaml").write_text("#\n" * 99 + "nonsense: 1\n")
    done = mohaq(own, "arch", "show", "long.yaml")
    assert done.returncode == 2
    assert "long.yaml:100:1: " in done.stderr


def test_without_the_plugin_the_platform_is_unknown(own: Path) -> None:
    done = mohaq(own, "simulate", "mohaq-sru-8bit", "--arch", "output_stationary.yaml")
    assert done.returncode == 2
    assert "output_stationary.yaml:" in done.stderr
    assert "output-stationary" in done.stderr
    assert "it must be one of bit_serial, bitfusion, drra2, edgedrnn, epiphany, silago" in done.stderr


@pytest.mark.slow
def test_operations_and_products_that_wait_are_refused(own: Path) -> None:
    done = mohaq(own, "simulate", "lstm-128-8bit", "--arch", "output_stationary.yaml", *PLATFORM)
    assert done.returncode == 2
    assert "layer U: output-stationary runs no products that wait for their own results" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('("loaded", 1),)', '("loadd", 1),)', "it waits for 'loadd', which no step is; did you mean 'loaded'?"),
        (
            '(("loaded", 1),), works_on=0)',
            '(("stored", 0),), works_on=0)',
            "it waits for ('stored', 0): the last before it is 1",
        ),
        (
            'Step(("stored",), STORE, store,',
            'Step(("stored",), STORE, 0,',
            "step ('stored',): 0 cycles: a task takes at least one",
        ),
    ],
)
def test_a_lowering_that_is_wrong_is_not_the_users_mistake(own: Path, old: str, new: str, message: str) -> None:
    text = (own / "output_stationary.py").read_text()
    assert old in text
    (own / "output_stationary.py").write_text(text.replace(old, new))
    done = mohaq(own, "simulate", "mohaq-sru-8bit", "--arch", "output_stationary.yaml", *PLATFORM)
    assert done.returncode == 70
    assert done.stderr.startswith(
        "mohaq: a defect of the platform, not of what you gave it: platform output-stationary: L0"
    )
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
