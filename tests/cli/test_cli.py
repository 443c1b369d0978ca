"""The commands as a user types them: what they print, what they write, and one line with exit code 2 for bad input."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import mohaq

from quant.speech.embedded import embedded_corpus


@pytest.mark.slow
def test_a_process_prints_a_table_from_any_folder_and_one_line_of_bad_input(tmp_path: Path) -> None:
    simulate = [sys.executable, "-m", "mohaq", "simulate", "mohaq-sru-4bit", "--arch"]
    result = subprocess.run([*simulate, "bitfusion"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stderr
    assert "P3" in result.stdout
    assert "real-time factor" in result.stdout
    result = subprocess.run([*simulate, "bitfusio"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("--json",), ("--json", "-")])
def test_json_adds_up(arguments: tuple[str, ...]) -> None:
    result = mohaq("simulate", "lstm-128-8bit", "--arch", "silago", *arguments)
    report = json.loads(result.stdout)
    assert {"arch", "trace", "cycles", "latency_ms", "energy_uj", "layers"} <= set(report)
    assert sum(layer["cycles"] for layer in report["layers"]) == report["cycles"]
    for layer in report["layers"]:
        assert {"name", "cycles", "compute_cycles", "stall_cycles", "utilisation", "energy_uj", "bits"} <= set(layer)
        assert layer["compute_cycles"] + sum(layer["stall_cycles"].values()) == layer["cycles"]
    assert sum(sum(layer["energy_uj"].values()) for layer in report["layers"]) == pytest.approx(report["energy_uj"])


@pytest.mark.slow
def test_reports_are_written_to_files(tmp_path: Path) -> None:
    result = mohaq(
        "simulate", "lstm-128-8bit", "--arch", "bitfusion", "--json", "r.json", "--csv", "r.csv", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader((tmp_path / "r.csv").open()))
    assert sum(int(row["cycles"]) for row in rows) == json.loads((tmp_path / "r.json").read_text())["cycles"]


@pytest.mark.slow
def test_simulate_shows_the_mapping_draws_and_writes_a_timeline(tmp_path: Path) -> None:
    result = mohaq(
        "simulate", "lstm-128-8bit", "--arch", "bitfusion", "--bits", "4x8", "--steps", "3", "--mapping",
        "--plot", "p.svg", "--timeline", "t.json", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "out_tile" in result.stdout
    assert "Roofline: " in result.stdout
    assert "for 3 frames" in result.stdout
    assert (tmp_path / "p.svg").stat().st_size > 5000
    assert json.loads((tmp_path / "t.json").read_text())["traceEvents"]


@pytest.mark.slow
def test_work_without_frames_claims_no_frames_and_no_speech(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("Layer, M, N, K,\nFC, 64, 100, 200,\n")
    for work in (("g.csv", "--bits", "8"), ("lenet-5",), ("lenet-5", "--steps", "4")):
        for command in (("simulate", "--model", "simulated"), ("simulate", "--model", "published"), ("compare",)):
            name, *options = command
            result = mohaq(name, *work, "--arch", "bitfusion", *options, cwd=tmp_path)
            assert result.returncode == 0, result.stderr
            assert "frame" not in result.stdout
            assert "real-time" not in result.stdout
            assert ("4 inputs" in result.stdout) == ("--steps" in work)
            assert ("µs an input" in result.stdout) == ("--steps" in work and name == "simulate")
    report = json.loads(mohaq("simulate", "lenet-5", "--arch", "bitfusion", "--json").stdout)
    assert report["latency_ms_per_frame"] is report["energy_uj_per_frame"] is report["real_time_factor"] is None
    one = mohaq("simulate", "lstm-128-8bit", "--arch", "bitfusion", "--steps", "1").stdout
    assert "for 1 frame, " in one
    assert "µs a frame, real-time factor" in one
    assert "µJ a frame" in one


@pytest.mark.slow
def test_the_published_model_is_the_platforms_own() -> None:
    """HAQ's table: MobileNet-V2 at 8 bits for 16 images."""
    table = ("--arch", "bit-serial-cloud", "--steps", "16", "--model", "published", "--json")
    assert json.loads(mohaq("simulate", "mobilenet-v2", *table).stdout)["cycles"] == 39_624_933


def test_the_published_model_names_what_it_leaves_out() -> None:
    result = mohaq("simulate", "mohaq-sru-4bit", "--arch", "bitfusion", "--model", "published")
    assert "Left out, for the published model knows no elementwise work: E0, E1, E2, E3" in result.stdout
    report = json.loads(
        mohaq("simulate", "mohaq-sru-4bit", "--arch", "bitfusion", "--model", "published", "--json").stdout
    )
    assert report["left_out"] == ["E0", "E1", "E2", "E3"]


@pytest.mark.slow
def test_compare_puts_variants_side_by_side(tmp_path: Path) -> None:
    archs = ("--arch", "bitfusion", "--arch", "bitfusion,precisions=[[8,8]],dram.bits_per_cycle=64", "--arch", "silago")
    shown = mohaq("compare", "mohaq-sru-8bit", *archs, "--layers")
    assert shown.returncode == 0, shown.stderr
    assert "1.000" in shown.stdout
    assert "FC" in shown.stdout
    rows = json.loads(mohaq("compare", "mohaq-sru-8bit", *archs, "--json").stdout)
    assert [row["arch"] for row in rows] == list(archs[1::2])
    assert rows[1]["latency_ratio"] > 1.5
    assert mohaq("compare", "mohaq-sru-8bit", *archs, "--csv", "c.csv", cwd=tmp_path).returncode == 0
    assert len(list(csv.DictReader((tmp_path / "c.csv").open()))) == 3


@pytest.mark.slow
def test_bits_that_no_search_offers_are_simulated_and_said() -> None:
    line = "mohaq: bitfusion: 3x3 bits (weights x activations): stored as they are, multiplied as 4x4; not among"
    for command in (("simulate", "lenet-5"), ("compare", "lenet-5")):
        result = mohaq(*command, "--arch", "bitfusion", "--bits", "3", "--json")
        assert result.returncode == 0
        assert json.loads(result.stdout)
        assert result.stderr.startswith(line)
        assert result.stderr.strip().count("\n") == 0


@pytest.mark.slow
def test_set_changes_the_hardware() -> None:
    cycles = [
        json.loads(mohaq("simulate", "lstm-128-8bit", "--arch", "bitfusion", *extra, "--json").stdout)["cycles"]
        for extra in ((), ("--set", "array.rows=64"), ("--set", "array.rows=64", "--set", "dram.bits_per_cycle=16"))
    ]
    assert len(set(cycles)) == 3


@pytest.mark.slow
def test_arch_commands(tmp_path: Path) -> None:
    assert "silago" in mohaq("arch", "list").stdout
    shown = mohaq("arch", "show", "bitfusion", "--set", "array.rows=64").stdout
    assert "rows: 64" in shown
    (tmp_path / "mine.yaml").write_text(shown)
    assert mohaq("arch", "check", "mine.yaml", "bitfusion", cwd=tmp_path).stdout.count(": ok") == 2
    (tmp_path / "bad.yaml").write_text("extends: mine.yaml\narray: {rows: 0}\n")
    bad = mohaq("arch", "check", "bad.yaml", "bitfusion", cwd=tmp_path)
    assert bad.returncode == 2
    assert "bad.yaml:2:" in bad.stderr
    assert "array.rows: 0" in bad.stderr


@pytest.mark.slow
def test_train_evaluate_trace_simulate_and_search(small_model: Path, tmp_path: Path) -> None:
    evaluated = json.loads(mohaq("evaluate", "--model", str(small_model), "--bits", "4x8", "--json").stdout)
    assert evaluated["error_max"] >= evaluated["error"] > 0
    traced = mohaq(
        "trace", "--model", str(small_model), "--bits", "4x8", "--steps", "30", "--out", "t.yaml", cwd=tmp_path
    )
    assert traced.returncode == 0, traced.stderr
    assert mohaq("simulate", "t.yaml", "--arch", "bitfusion", cwd=tmp_path).returncode == 0
    (tmp_path / "e.yaml").write_text(
        f"name: tiny\nmodel: {small_model}\npopulation: 6\noffspring: 3\ngenerations: 1\nsteps: 30\n"
    )
    searched = mohaq("search", "e.yaml", "--out", "run", cwd=tmp_path)
    assert searched.returncode == 0, searched.stderr
    assert "distinct candidates" in searched.stdout
    assert (tmp_path / "run/pareto.png").is_file()
    assert mohaq("search", "e.yaml", "--out", "run", cwd=tmp_path).returncode == 2
    other = mohaq(
        "search", "e.yaml", "--out", "other", "--arch", "silago", "--generations", "0", "--seed", "5", cwd=tmp_path
    )
    assert other.returncode == 0, other.stderr
    assert (tmp_path / "other/run.yaml").read_text().count("arch: silago") == 1
    assert (
        "; 0 errors evaluated now, baselines included"
        in mohaq("search", "e.yaml", "--out", "run", "--resume", cwd=tmp_path).stdout
    )


@pytest.mark.slow
def test_a_sweep_in_processes_leaves_the_files_of_one_without(small_model: Path, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        f"name: tiny\nmodel: {small_model}\nsteps: 20\nconstraints: {{}}\ncandidates: ['8', '4']\n"
        "hardware: {grid: {array.rows: [4, 8, 16]}}\n"
    )
    for folder, *options in (["alone"], ["pool", "--workers", "2"], ["dask", "--workers", "2", "--dask"]):
        swept = mohaq("sweep", "s.yaml", "--out", folder, *options, cwd=tmp_path)
        assert swept.returncode == 0, swept.stderr
        assert "2 errors evaluated now" in swept.stdout
        assert (tmp_path / folder / "sweep.json").read_bytes() == (tmp_path / "alone/sweep.json").read_bytes()


@pytest.mark.slow
def test_training_resumes_to_the_same_checkpoint(small_model: Path, tmp_path: Path) -> None:
    shutil.copytree(small_model.parent, tmp_path / "copy")
    train = ("train", "--out", str(tmp_path / "copy"), "--small")
    again = mohaq(*train, "--resume")
    assert again.returncode == 0, again.stderr
    refused = mohaq(*train)
    assert refused.returncode == 2
    assert "--resume continues it" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("simulate", "mohaq-sru-4bit", "--arch", "bitfusio"), "did you mean bitfusion"),
        (("simulate", "nothing", "--arch", "bitfusion"), "no such trace"),
        (("simulate", "mohaq-sru-2bit", "--arch", "silago"), "2x2 bits: silago multiplies"),
        (
            ("simulate", "mohaq-sru-4bit", "--arch", "bitfusion", "--set", "array.rowz=3"),
            "--set array.rowz=3: unknown key; did you mean array.rows?",
        ),
        (("simulate", "mohaq-sru-4bit", "--arch", "bitfusion", "--engine", "magic"), "engine 'magic'"),
        (("simulate", "mohaq-sru-4bit", "--arch", "bitfusion", "--json", "no/such/folder.json"), "cannot be written"),
        (("simulate", "lenet-5", "--arch", "bitfusion", "--json", "r.json", "--plot", "x.gif"), "written as .png"),
        (("simulate", "lenet-5", "--arch", "bitfusion", "--model", "magic"), "must be simulated or published"),
        (
            ("simulate", "lenet-5", "--arch", "silago", "--bits", "8", "--model", "published"),
            "there is one of bit_serial, bitfusion",
        ),
        (
            (
                "simulate",
                "lenet-5",
                "--arch",
                "bitfusion",
                "--set",
                "mapping=[{layers: Q*, outer: outputs, out_tile: 8, in_tile: 9, vector_tile: 1}]",
            ),
            "bitfusion: mapping[0].layers: 'Q*': the trace has no such layer",
        ),
        (("simulate", "lenet-5", "--arch", "bitfusion", "--steps", "0"), "steps: 0"),
        (("simulate", "net.csv", "--arch", "bitfusion"), "give --bits"),
        (("compare", "mohaq-sru-2bit", "--arch", "bitfusion", "--arch", "silago"), "silago: layer L0: 2x2 bits"),
        (("compare", "lenet-5", "--arch", "bitfusion,array.rowz=2"), "did you mean array.rows"),
        (("evaluate", "--bits", "3"), "3 bits: it must be one of"),
        (("evaluate", "--bits", "8", "--split", "nope"), "nope"),
        (("evaluate", "--bits", "8", "--corpus", "timit"), "--root"),
        (("evaluate", "--bits", "8", "--corpus", "timit", "--root", "/nowhere"), "/nowhere"),
        (("trace", "--bits", "8", "--out", "x.txt"), "saved as .yaml or .json"),
        (("trace", "--bits", "8", "--out", "."), ".: it is a folder, and a file is wanted"),
        (("search", "nothing", "--out", "run"), "no such experiment"),
        (("search", "demo", "--out", "run", "--generations", "-1"), "--generations: -1"),
        (("search", "demo", "--out", "run", "--workers", "0"), "mohaq: --workers 0: it must be at least 1"),
        (("sweep", "sweep-bitfusion", "--out", "run", "--workers", "0"), "mohaq: --workers 0: it must be at least 1"),
        (("sweep", "sweep-bitfusion", "--out", "run", "--scheduler", "tcp://a:1", "--workers", "2"), "leave out"),
        (("train", "--out", "/dev/null/x", "--small"), "/dev/null"),
        (("search", "demo", "--out", "/dev/null/x"), "/dev/null/x"),
        (("trace", "--bits", "8", "--steps", "100000000"), "steps: 100000000: it must lie between"),
        (("trace", "--bits", "8", "--steps", "0"), "steps: 0"),
        (("simulate", "mohaq-sru-4bit"), "Missing option '--arch'"),
        (("frobnicate",), "No such command 'frobnicate'"),
        (("simulate", "/", "--arch", "bitfusion"), "it is a folder, and the file of a trace is wanted"),
        (("simulate", "bitfusion", "--arch", "lenet-5"), "no such trace: it is the name of an architecture spec"),
        (("simulate", "", "--arch", "bitfusion"), "'': no such trace"),
        (
            ("simulate", "lenet-5", "--arch", "bitfusion", "--plot", "x.png", "--csv", "/"),
            "/: it is a folder, and a file is",
        ),
        (("simulate", "lenet-5", "--arch", "bitfusion", "--set", "array.rows=-4"), "--set array.rows=-4: -4: "),
        (("simulate", "lenet-5", "--arch", "bitfusion", "--set", "dram.pj_per_bit=.nan"), "expected a finite number"),
        (("simulate", "lenet-5", "--arch", "silago", "--bits", "3"), "3x3 bits: silago multiplies"),
        (
            ("compare", "lenet-5", "--arch", "bitfusion", "--arch", "silago", "--set", "array.rows=8"),
            "silago: --set array.rows=8: unknown key",
        ),
        (("compare", "lenet-5", "--arch", "bitfusion,"), "--arch bitfusion,: expected key.path=value"),
        (("compare", "lenet-5", "--arch", "bitfusion", "--arch", "bitfusion"), "the same variant twice"),
        (("compare", "lenet-5", "--arch", "bitfusion,precisions=[[8,8"), "--arch bitfusion,precisions=[[8,8:"),
        (
            ("compare", "lenet-5", "--arch", "bitfusion", "--json", "-", "--csv"),
            "--json and --csv: both would write to",
        ),
        (("simulate", "lenet-5", "--arch", "bitfusion", "--csv", "--json"), "both would write to standard output"),
        (("simulate", "lenet-5", "--arch", "bitfusion", "--csv", "x", "--json", "./x"), "both would write to x"),
        (("simulate", "lenet-5", "--arch", "bitfusion", "--csv", "--timeline", "-"), "--timeline and --csv: both"),
        (("arch", "show", "/"), "/: it is a folder, and the file of an architecture spec is wanted"),
        (("arch", "check", "nowhere"), "nowhere: no such architecture spec"),
        (("evaluate",), "--bits: missing"),
        (("evaluate", "--bits", "4", "--every", "99999"), "every: 99999: it leaves 1 utterance of dev"),
        (("evaluate", "--bits", "4", "--model", "/"), "/: no such model"),
        (("evaluate", "--bits", "4,Z*=8"), "bits: Z*: no such site"),
        (("delta", "--bits", "8", "--thresholds", "-1"), "--thresholds -1: they must be 0 to 65535"),
        (("delta", "--bits", "8", "--thresholds", "1" + "0" * 20), "0: they must be 0 to 65535"),
        (("delta", "--bits", "8", "--utterance", "3"), "--utterance 3: it is that of --trace"),
        (
            ("delta", "--bits", "8", "--csv", "x.yaml", "--trace", "./x.yaml"),
            "--csv and --trace: both would write to x.yaml",
        ),
        (("report", "nowhere", "--out", "x", "--csv", "./x"), "the page and the table: both would write to x"),
        (("delta", "--bits", "8", "--csv", "no/such.csv"), "no/such.csv: cannot be written: there is no folder no"),
        (("delta", "--bits", "8", "--thresholds", "x"), "they must be whole numbers"),
        (("export", "--bits", "8", "--out", "x.onnx"), "--out x.onnx: --format mohaq writes a folder"),
        (
            ("export", "--bits", "8", "--format", "c", "--out", "x.c"),
            "--out x.c: --format c writes a folder, or a file that ends in .h",
        ),
        (("export", "--bits", "8", "--out", "/dev/null"), "/dev/null: it is a file, and a folder is wanted"),
        (
            ("export", "--bits", "8", "--format", "c", "--out", "no/x.h"),
            "no/x.h: cannot be written: there is no folder no",
        ),
        (
            ("export", "--bits", "2", "--format", "qdq", "--out", "x"),
            "--format qdq: weights of L0 at 2 bits: quantizers",
        ),
        (
            ("export", "--bits", "8", "--format", "h", "--out", "x"),
            "--format h: it must be one of mohaq, c, qdq, qonnx",
        ),
        (
            ("retrain", "--bits", "2", "--out", "x", "--learning-rate", "nan"),
            "learning_rate is nan: it must be positive",
        ),
        (("retrain", "--bits", "2", "--out", "/dev/null"), "/dev/null: it is a file, and a folder is wanted"),
        (("train", "--out", "/dev/null", "--small"), "/dev/null: it is a file, and a folder is wanted"),
        (("train", "--out", "x", "--small", "--seed", "-1"), "seed is -1: it must lie between 0"),
        (("search", "demo", "--out", "/dev/null"), "/dev/null: it is a file, and a folder is wanted"),
        (
            ("search", "demo", "--out", "run", "--set", "array.rowz=3"),
            "--set: array.rowz=3: unknown key; did you mean array.rows?",
        ),
        (("search", "demo", "--out", "run", "--arch", "silagi"), "--arch: silagi: no such architecture spec"),
        (
            ("sweep", "sweep-bitfusion", "--out", "run", "--candidates", "nowhere"),
            "--candidates: nowhere: no such folder",
        ),
        (("sweep", "demo", "--out", "run"), "demo.yaml:2:1: hardware: missing"),
        (("runs", "/dev/null"), "/dev/null: it is a file, and a folder is wanted"),
        (("show", "/dev/null"), "/dev/null: it is a file, and a run is a folder"),
        (("report", "nowhere", "--out", "r.html"), "nowhere: no such folder"),
        (("report", "nowhere", "--out", "/"), "/: it is a folder, and a file is wanted"),
        (
            ("report", "nowhere", "--out", "no/such/r.html"),
            "no/such/r.html: cannot be written: there is no folder no/such",
        ),
        (("simulate", "lenet-5", "--arch", "bitfusion", "--json", ""), "mohaq: '': the name is empty"),
    ],
)
def test_bad_input_is_one_line_exit_code_two_and_nothing_written(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    if "--every" in arguments:  # how much is left is known of the corpus, whose synthesis shows a bar
        embedded_corpus(["dev"], progress=False)
    result = mohaq(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.strip().count("\n") == 0
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("export", "--bits", "8"), "--out"),
        (("train", "--small"), "--out"),
        (("retrain", "--bits", "2"), "--out"),
        (("search", "demo"), "--out"),
        (("sweep", "sweep-bitfusion"), "--out"),
        (("trace", "--bits", "8"), "--out"),
        (("report", "runs/demo"), "--out"),
        (("report", "runs/demo", "--out", "r.html"), "--png"),
        (("report", "runs/demo", "--out", "r.html"), "--csv"),
        (("delta", "--bits", "8"), "--trace"),
    ],
)
def test_an_empty_name_is_not_the_current_folder(arguments: tuple[str, ...], option: str, tmp_path: Path) -> None:
    result = mohaq(*arguments, option, "", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr == f"mohaq: Invalid value for '{option}': the name is empty. Try --help.\n"
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_report_does_not_overwrite_its_trace(tmp_path: Path) -> None:
    trace = tmp_path / "t.json"
    assert mohaq("trace", "--bits", "8", "--steps", "5", "--out", str(trace)).returncode == 0
    before = trace.read_bytes()
    result = mohaq("simulate", str(trace), "--arch", "bitfusion", "--json", str(trace))
    assert result.returncode == 2
    assert trace.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["simulate", "compare", "search", "train", "evaluate", "trace", "arch list", "arch show", "arch check"]
)
def test_every_help_text_has_an_example(command: str) -> None:
    text = " ".join(mohaq(*command.split(), "--help").stdout.split())
    assert "Example: mohaq " in text
    if command in ("simulate", "compare", "arch list", "arch show"):  # these take a second: run them
        example = text.split("Example: mohaq ")[1].split(";")[0].split()
        result = mohaq(*example)
        assert result.returncode == 0, result.stderr
