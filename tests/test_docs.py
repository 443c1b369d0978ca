"""The documentation's commands and examples run."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import mohaq

from simulators import load_arch, load_trace, simulate

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "explore-hardware.md").read_text()


@pytest.mark.slow
def test_every_command_of_the_five_minutes_runs_in_order(tmp_path: Path) -> None:
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.strip().split("\n")]
    assert len(lines) > 8
    mohaq = f"{shlex.quote(sys.executable)} -m mohaq"
    script = "\n".join(line.replace("mohaq ", f"{mohaq} ", 1) if line.startswith("mohaq ") else line for line in lines)
    result = subprocess.run(["sh", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert {"mine.yaml", "gates.csv", "lstm.png", "lstm.json"} == {path.name for path in tmp_path.iterdir()}
    assert "bound by" in result.stdout


@pytest.mark.slow
def test_the_python_of_the_five_minutes_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(block, {})
    latency, energy = capsys.readouterr().out.split()
    assert 0 < float(latency) < 100 < float(energy)


@pytest.mark.slow
def test_the_models_of_ones_own_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "bring-your-own-model.md").read_text()
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(block, {"__name__": "example"})
    heading, every, *_ = capsys.readouterr().out.splitlines()
    assert f"```\n{heading}\n{every[:30]}" in page  # float32 and 16 bits; narrower ones hang on the processor
    assert (tmp_path / "detector.yaml").is_file()
    assert (tmp_path / "runs/detector/pareto.csv").is_file()


def test_a_network_in_a_file_is_three_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx", reason="needs mohaq[onnx]")
    from onnx_graphs import saved
    from small_network import small_network

    saved(small_network(), tmp_path)
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "networks-from-files.md").read_text(), re.DOTALL)
    exec(block, {"__name__": "example"})
    sites, latency = capsys.readouterr().out.splitlines()
    assert sites.startswith("['conv', 'gru.W', 'gru.U', 'out'] ")
    assert float(latency) > 0


@pytest.mark.slow
def test_the_exports_are_written_and_the_header_compiles(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs mohaq[onnx]")
    page = (ROOT / "docs" / "exports.md").read_text()
    for line in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0].strip().split("\n"):
        result = mohaq(*line.split()[1:], cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"sru-4x8", "gru.h", "gru.onnx"}
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("no C compiler")
    include, *calls = re.findall(r"```c\n(.*?)```", page, re.DOTALL)[0].strip().split("\n")
    arguments = "float *features, size_t frames, int16_t *scores, int16_t *scratch"
    body = "\n".join(calls)
    (tmp_path / "example.c").write_text(f"{include}\nvoid run({arguments});\nvoid run({arguments})\n{{{body}\n}}\n")
    strict = [compiler, "-std=c99", "-Wall", "-Werror", "-pedantic", "-c", "example.c"]
    subprocess.run(strict, cwd=tmp_path, check=True)


def test_the_settings_of_the_page_are_read() -> None:
    from quant.graphs.data_settings import DataSettings
    from simulators.inputs.documents import parse_document, validate

    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "networks-from-files.md").read_text(), re.DOTALL)
    read = validate(parse_document(block, "data.yaml"), DataSettings)
    assert read.model_fields_set == set(DataSettings.model_fields)


@pytest.mark.parametrize(
    ("example", "lines"),
    [("output_stationary", 100), ("minimal_gated_unit", 80), ("energy_delay", 80), ("coordinate_descent", 80)],
)
def test_an_example_of_a_plugin_is_short(example: str, lines: int) -> None:
    """That they run is tested in tests/cli/test_plugin_commands.py and test_search_plugins.py."""
    text = (ROOT / "docs" / "examples" / f"{example}.py").read_text()
    assert len(text.splitlines()) <= lines


def test_the_figures_of_mohaqs_sru_are_those_of_the_table() -> None:
    page = (ROOT / "docs" / "validation.md").read_text()
    rows = re.findall(r"^\| (\d+)x\d+ \| ([\d.]+) \| ([\d.]+) \| ([\d.–]+) \| ([\d.–]+) \|$", page, re.MULTILINE)
    assert [row[0] for row in rows] == ["16", "8", "4", "2"]
    for bits, *figures in rows:
        for arch, latency, energy in (("bitfusion", *figures[:2]), ("silago", *figures[2:])):
            if latency == "–":
                continue
            report = simulate(load_trace(f"mohaq-sru-{bits}bit"), load_arch(arch))
            assert f"{report.latency_ms:.{len(latency.split('.')[1])}f}" == latency
            assert f"{report.energy_uj_per_frame:.1f}" == energy


def test_the_readme_is_a_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_drawing_shows_every_folder() -> None:
    drawing = (ROOT / "docs" / "architecture.svg").read_text()
    shown = set(re.findall(r">([\w /·]+)<", drawing.replace("·", "<>")))
    names = {name.strip().rstrip("/") for name in shown}
    for package in ("simulators", "quant", "search", "mohaq"):
        folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
        assert {package, *folders} <= names


def test_every_example_has_a_folder_of_its_own() -> None:
    """Who follows the documentation from top to bottom meets no folder that an earlier example filled."""
    pages = {path.name: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
    folders: dict[str, str] = {}
    for name, text in pages.items():
        # Benchmarks continue what they find.
        written = re.sub(r"python benchmarks/\S+ .*?`", "", text)
        for folder in re.findall(r"--out\s+(runs/[\w/-]+)(?![\w.])|, Path\(\"(runs/[\w/-]+)\"\)", written):
            path = folder[0] or folder[1]
            assert path not in folders, f"{path} in {folders[path]} and in {name}"
            folders[path] = name
    assert len(folders) > 15


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_that_the_documentation_names_are_there(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
    for file in re.findall(r"`((?:simulators|quant|search|mohaq|tests|benchmarks)/[\w/]+\.(?:py|md))`", text):
        assert (ROOT / file).is_file(), file
    assert not re.search(r"^(<{7}|={7}$|>{7})", text, re.MULTILINE)
