"""Standard streams as users have them: closed, full, gone, in ASCII, narrow."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

SIMULATE = "simulate lenet-5 --arch bitfusion"


def shell(command: str, redirection: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """What `mohaq COMMAND REDIRECTION` exits with and prints in a shell."""
    line = f"{shlex.quote(sys.executable)} -m mohaq {command} {redirection}"
    kept = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONUTF8", "PYTHONIOENCODING", "COLUMNS")
    }
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, encoding="utf-8", check=False, cwd=ROOT, env={**kept, **environment}
    )


@pytest.mark.slow
def test_a_closed_output_is_an_error() -> None:
    closed = shell("arch show bitfusion", ">&-")
    assert closed.returncode == 2
    assert closed.stderr == "mohaq: standard output is closed, and there the results go\n"


@pytest.mark.slow
def test_a_closed_error_stream_takes_no_file_s_number(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    assert shell(f"{SIMULATE} --json {report}", "2>&- <&-").returncode == 0
    assert report.read_text().startswith("{")


@pytest.mark.slow
def test_a_full_device_is_an_error() -> None:
    full = shell("arch show bitfusion", ">/dev/full")
    assert full.returncode == 2
    assert full.stderr.count("\n") == 1
    assert "No space left on device" in full.stderr


@pytest.mark.slow
def test_a_reader_that_goes_ends_the_command_without_a_word() -> None:
    process = subprocess.Popen([sys.executable, "-m", "mohaq", "arch", "show", "bitfusion"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait() == 1
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.slow
@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}])
def test_ascii_has_a_word_for_everything(environment: dict[str, str]) -> None:
    shown = shell(SIMULATE, **environment)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.isascii()
    assert "energy uJ" in shown.stdout
    refused = shell("simulate n\u00f6t --arch bitfusion", **environment)
    assert (refused.returncode, refused.stderr.isascii()) == (2, True)
    assert refused.stderr.startswith(r"mohaq: n\xf6t: no such trace")


def test_the_help_has_ascii_too() -> None:
    assert "L0=8x8,P1=4x8,~" in (shown := shell("trace --help", LC_ALL="C").stdout)
    assert shown.isascii()


@pytest.mark.slow
def test_data_that_ascii_has_not_are_refused(tmp_path: Path) -> None:
    layer = "op: matmul, out_features: 8, in_features: 8, weight_bits: 8, activation_bits: 8, output_bits: 16"
    trace = tmp_path / "t.yaml"
    trace.write_text(f"name: t\nsteps: 3\nlayers:\n- {{name: é, {layer}}}\n", encoding="utf-8")
    refused = shell(f"simulate {trace} --arch bitfusion --csv", PYTHONIOENCODING="ascii")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert r"ascii has no '\xe9': name a file" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (SIMULATE, ("conv1", "90.1 µJ")),
        ("arch list", ("silago", "2/4/8/16 x")),
        ("simulate --help", ("May", "trace's own")),
        ("compare lenet-5 --arch bitfusion --arch bitfusion-2mib", ("2.36", "1.000")),
    ],
)
def test_something_can_be_read_in_twenty_columns(command: str, words: tuple[str, ...]) -> None:
    shown = shell(command, COLUMNS="20").stdout
    assert "…" not in shown
    assert all(word in shown for word in words)
