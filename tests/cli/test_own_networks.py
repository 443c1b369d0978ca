"""Networks of one's own on the command line: `--model FILE.onnx` or `module:factory`, with `--data FOLDER`."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import mohaq

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

from onnx_graphs import saved
from paths import ROOT
from small_network import FRAMES, small_network

from simulators import load_trace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with `model.onnx` and `data/`."""
    saved(small_network(), tmp_path)
    (tmp_path / "data").mkdir()
    for number in range(3):
        np.savez(tmp_path / "data" / f"{number}.npz", x=FRAMES * (number + 1))
    return tmp_path


@pytest.mark.slow
def test_a_network_is_evaluated_traced_and_simulated(folder: Path) -> None:
    named = "--model", "model.onnx", "--data", "data"
    told = mohaq("evaluate", *named, "--bits", "8,out=4", cwd=folder)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("model: difference from the float network ")
    found = json.loads(mohaq("evaluate", *named, "--bits", "float", "--json", cwd=folder).stdout)
    assert found == {"error_max": 0.0, "error": 0.0, "of": "difference from the float network"}
    assert "7 layers" in mohaq("trace", *named, "--bits", "8", "--out", "trace.yaml", cwd=folder).stdout
    assert mohaq("simulate", "trace.yaml", "--arch", "bitfusion", cwd=folder).returncode == 0
    for other in (1, 2):
        (folder / "data" / f"{other}.npz").unlink()
    assert mohaq("evaluate", *named, "--bits", "8", cwd=folder).stdout.endswith(" % over 1 file\n")


@pytest.mark.slow
def test_a_module_of_python_is_imported_where_it_is_named(folder: Path) -> None:
    text = (ROOT / "tests" / "helpers" / "toy_modules.py").read_text()
    (folder / "own_toys.py").write_text(text)
    told = mohaq("evaluate", "--model", "own_toys:made", "--data", "data", "--bits", "8", cwd=folder)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("everything: difference from the float network ")
    for factory, rule in (
        ("broken", "own_toys:broken: ValueError: no weights at all"),
        ("number", "own_toys:number: what it makes is of type int: expected a module of torch"),
        ("absent", "own_toys:absent: AttributeError"),
    ):
        told = mohaq("evaluate", "--model", f"own_toys:{factory}", "--data", "data", "--bits", "8", cwd=folder)
        assert (told.returncode, told.stderr.count("\n")) == (2, 1)
        assert rule in told.stderr


def test_a_network_is_exported_and_evaluated_as_it_was(folder: Path) -> None:
    named = "--model", "model.onnx", "--data", "data", "--bits", "4x8"
    assert mohaq("export", *named, "--out", "x", cwd=folder).stdout == "x: model.safetensors and model.json\n"
    before = json.loads(mohaq("evaluate", *named, "--json", cwd=folder).stdout)
    assert json.loads(mohaq("evaluate", "--model", "x", "--data", "data", "--json", cwd=folder).stdout) == before
    told = mohaq("evaluate", "--model", "x", cwd=folder)
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert "--model x: --data is missing" in told.stderr


@pytest.mark.slow
def test_a_network_is_retrained_and_evaluated_with_its_integers(folder: Path) -> None:
    named = "--model", "model.onnx", "--data", "data", "--bits", "4x8"
    told = mohaq("retrain", *named, "--out", "r", "--epochs", "30", "--learning-rate", "1e-2", cwd=folder)
    assert told.returncode == 0, told.stderr
    words = told.stdout.split()
    before, after = float(words[words.index("before,") - 2]), float(words[words.index("after,") - 2])
    assert after < 0.8 * before
    found = json.loads(mohaq("evaluate", "--model", "r/exported", "--data", "data", "--json", cwd=folder).stdout)
    assert f"{found['error']:.2f}" == f"{after:.2f}"
    with_weights = (*named, "--weights", "r/retrained.safetensors")
    again = mohaq("retrain", *with_weights, "--out", "again", "--learning-rate", "0.5", cwd=folder)
    lines = again.stdout.splitlines()
    assert f"{after:.2f} % before, {after:.2f} % after" in lines[0]
    assert lines[1:] == [
        "retraining did not help: the one epoch errs more than the network that it began with, which is kept"
    ]
    assert json.loads(mohaq("evaluate", *with_weights, "--json", cwd=folder).stdout) == found
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    exported = mohaq("export", *with_weights, "--format", "qdq", "--out", "w.onnx", cwd=folder)
    assert "in ONNX Runtime" in exported.stdout, exported.stderr
    of_integers = "--model", "r/exported", "--data", "data"
    assert mohaq("export", *of_integers, "--format", "qdq", "--out", "e.onnx", cwd=folder).returncode == 0
    assert _computed(folder, "e.onnx") == _computed(folder, "w.onnx") != _computed(folder, "model.onnx")
    assert mohaq("trace", *of_integers, cwd=folder).stdout == mohaq("trace", *named, cwd=folder).stdout


def _computed(folder: Path, name: str) -> bytes:
    """What ONNX Runtime makes of the first file of data with a model."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"x": FRAMES})
    return made.tobytes()


def test_a_network_is_swept_as_a_delta_network_and_its_trace_simulated(folder: Path) -> None:
    named = "--model", "model.onnx", "--data", "data", "--bits", "8"
    told = mohaq("delta", *named, "--thresholds", "0,40", "--csv", "-", "--trace", "t.yaml", cwd=folder)
    assert told.returncode == 0, told.stderr
    lines = [line.split(",") for line in told.stdout.splitlines()]
    assert lines[0][3:] == ["error", "error_max", "eliminated", "active_gru.W", "active_gru.U", "active_out"]
    first, last = (dict(zip(lines[0], map(float, line), strict=True)) for line in (lines[1], lines[-1]))
    before = json.loads(mohaq("evaluate", *named, "--json", cwd=folder).stdout)
    assert first["error"] == pytest.approx(before["error"], rel=1e-3)
    assert last["eliminated"] > 2 * first["eliminated"]
    assert last["error"] > first["error"]
    assert mohaq("simulate", "t.yaml", "--arch", "bitfusion", cwd=folder).returncode == 0


@pytest.mark.slow
def test_a_network_is_searched_from_the_command_line(folder: Path) -> None:
    (folder / "search.yaml").write_text(
        "{name: own, population: 2, offspring: 2, generations: 15, steps: 12, constraints: {},"
        " objectives: [error, latency]}\n"
    )  # by the default method, beyond the candidates that it draws before it predicts any
    told = mohaq("search", "search.yaml", "--model", "model.onnx", "--data", "data", "--out", "run", cwd=folder)
    assert told.returncode == 0, told.stderr
    assert mohaq("show", "run", cwd=folder).returncode == 0


@pytest.mark.slow
def test_a_retrained_network_is_searched_with_its_weights(folder: Path) -> None:
    named = "--model", "model.onnx", "--data", "data"
    told = mohaq("retrain", *named, "--bits", "4", "--epochs", "3", "--learning-rate", "0.01", "--out", "r", cwd=folder)
    assert told.returncode == 0, told.stderr
    weighted = *named, "--weights", "r/retrained.safetensors"
    settings = "name: own, population: 2, offspring: 2, generations: 0, steps: 12, constraints: {}, method: nsga2"
    (folder / "search.yaml").write_text(f"{{{settings}}}\n")
    told = mohaq("search", "search.yaml", *weighted, "--out", "run", cwd=folder)
    assert told.returncode == 0, told.stderr
    baselines = json.loads((folder / "run" / "pareto.json").read_text())["baselines"]
    (four,) = [row for row in baselines if {part.split("=")[1] for part in row["bits"].split(",")} == {"4x4"}]
    errors = [
        json.loads(mohaq("evaluate", *which, "--bits", "4", "--json", cwd=folder).stdout)["error_max"]
        for which in (weighted, named)
    ]
    assert four["error"] == pytest.approx(errors[0], abs=5e-5)
    assert errors[0] != pytest.approx(errors[1], abs=1e-3)
    assert mohaq("report", "run", "--out", "page.html", cwd=folder).returncode == 0
    assert "--data data --weights r/retrained.safetensors" in (folder / "page.html").read_text()
    (folder / "wrong.yaml").write_text("{name: own, weights: r/retrained.safetensors}\n")
    told = mohaq("search", "wrong.yaml", "--out", "other", cwd=folder)
    assert told.returncode == 2
    assert "wrong.yaml:1:22: weights: 'r/retrained.safetensors': they are those of a network with data" in told.stderr


@pytest.mark.slow
def test_thresholds_of_a_network_are_searched_evaluated_traced_and_reported(folder: Path) -> None:
    named = "--model", "model.onnx", "--data", "data"
    (folder / "search.yaml").write_text(
        "{name: own, population: 6, offspring: 4, generations: 1, steps: 12, constraints: {}, method: random,"
        " set: [skips_inactive_inputs=true], thresholds: {'gru.*': [8, 64, 256]}}\n"
    )
    told = mohaq("search", "search.yaml", *named, "--out", "run", cwd=folder)
    assert told.returncode == 0, told.stderr
    best = json.loads((folder / "run" / "pareto.json").read_text())["front"][0]
    assert "@" in best["bits"]
    told = mohaq("evaluate", *named, "--bits", best["bits"], "--json", cwd=folder)
    assert json.loads(told.stdout)["error_max"] == pytest.approx(best["error"], abs=5e-5)
    told = mohaq("trace", *named, "--bits", best["bits"], "--utterance", "0", "--out", "again.yaml", cwd=folder)
    assert told.returncode == 0, told.stderr
    again, solution = (load_trace(folder / name) for name in ("again.yaml", "run/solutions/000.yaml"))
    assert again.digest == solution.digest
    assert mohaq("report", "run", "--out", "page.html", cwd=folder).returncode == 0
    assert "--utterance 0" in (folder / "page.html").read_text()


@pytest.mark.slow
def test_a_module_is_searched_where_the_option_names_it_and_never_where_a_file_does(folder: Path) -> None:
    (folder / "own_searched.py").write_text((ROOT / "tests" / "helpers" / "toy_modules.py").read_text())
    settings = "name: own, population: 2, offspring: 2, generations: 0, steps: 12, constraints: {}, method: nsga2"
    (folder / "plain.yaml").write_text(f"{{{settings}}}\n")
    named = "--model", "own_searched:made", "--data", "data"
    assert mohaq("search", "plain.yaml", *named, "--out", "run", cwd=folder).returncode == 0
    (folder / "evil.yaml").write_text(f"{{{settings}, model: 'own_searched:broken', data: data}}\n")
    told = mohaq("search", "evil.yaml", "--out", "other", cwd=folder)
    assert told.returncode == 2
    assert "a module of Python only --model names" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("evaluate", "--model", "model.onnx", "--bits", "8"), "--data is missing"),
        (("evaluate", "--model", "absent.onnx", "--data", "data", "--bits", "8"), "absent.onnx: no such file"),
        (("evaluate", "--model", "sru", "--data", "data", "--bits", "8"), "sru has a corpus"),
        (("evaluate", "--model", "model.onnx", "--data", "absent", "--bits", "8"), "absent: no such folder"),
        (
            ("evaluate", "--model", "model.onnx", "--data", "data", "--bits", "8", "--split", "test"),
            "--split test: it is for",
        ),
        (("trace", "--model", "model.onnx", "--data", "data", "--bits", "9"), "9 bits"),
        (
            ("delta", "--model", "model.onnx", "--data", "data", "--bits", "8", "--split", "test"),
            "--split test: it is for recognisers",
        ),
        (
            (
                "retrain",
                "--model",
                "model.onnx",
                "--data",
                "data",
                "--bits",
                "8",
                "--out",
                "x",
                "--products",
                "float32",
            ),
            "--products float32: a network from a file is trained in float32",
        ),
        (("evaluate", "--model", "sru", "--weights", "w", "--bits", "8"), "--weights w: it is for an ONNX file"),
        (
            ("evaluate", "--model", "model.onnx", "--data", "data", "--weights", "absent", "--bits", "8"),
            "absent: cannot be read: No such file",
        ),
        (("delta", "--model", "gru", "--data", "data", "--bits", "8"), "--data data: it is for an ONNX file or"),
        (("delta", "--model", "model.onnx", "--bits", "8"), "--data is missing"),
        (("export", "--model", "model.onnx", "--bits", "8", "--out", "x"), "--data is missing"),
        (
            ("trace", "--model", "model.onnx", "--data", "data", "--bits", "8", "--utterance", "1"),
            "--utterance 1: it says whose masks of sent elements a trace has",
        ),
        (
            ("trace", "--model", "model.onnx", "--data", "data", "--bits", "8,out=8@4", "--utterance", "3"),
            "utterance 3: there are 3, counted from 0",
        ),
        (
            ("trace", "--model", "model.onnx", "--data", "data", "--bits", "8,out=8@4", "--steps", "3"),
            "--steps 3: a trace with thresholds is of an utterance",
        ),
        (("evaluate", "--model", "model.onnx", "--data", "data", "--bits", "8@4"), "bits of conv: 8x8@4: no threshold"),
        (
            ("retrain", "--model", "model.onnx", "--data", "data", "--bits", "8,out=8@4", "--out", "x"),
            "bits of out: @4: a retraining is of what sends everything",
        ),
        (("retrain", "--model", "model.onnx", "--bits", "8", "--out", "x"), "--data is missing"),
        (("search", "demo", "--model", "model.onnx", "--out", "x"), "data is missing"),
    ],
)
def test_what_a_network_cannot_get_one_line(arguments: tuple[str, ...], rule: str, folder: Path) -> None:
    told = mohaq(*arguments, cwd=folder)
    assert told.returncode == 2
    assert rule in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_truncated_file_gets_one_line(folder: Path) -> None:
    whole = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(whole[: len(whole) // 2])
    told = mohaq("evaluate", "--model", "model.onnx", "--data", "data", "--bits", "8", cwd=folder)
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert "not an ONNX file, or not a whole one" in told.stderr
