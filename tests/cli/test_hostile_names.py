"""Names that terminals, spreadsheets and matplotlib would read as more than text, in every command."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from commands import mohaq
from stand_in import StandInModel

from search import Experiment, run
from simulators.inputs.escapes import visible

NAME = "=x[/] [red]$\\foo{$\x1b[31m\x1b]0;pwned\x07\n\x9b\u202e_"
FILE = NAME.replace("/", "")
LAYER = "".join(NAME.split())
"""Of layers, which have no white space."""

SIZES = {"op": "matmul", "out_features": 8, "in_features": 8, "weight_bits": 8, "activation_bits": 8, "output_bits": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trace, a spec, experiments and two runs, all of them with that name."""
    folder = tmp_path_factory.mktemp("hostile") / FILE
    folder.mkdir()
    trace = {"name": NAME, "steps": 3, "layers": [{"name": f"{i}{LAYER}", **SIZES} for i in range(2)]}
    for name, content in {
        "trace.yaml": trace,
        "spec.yaml": {"extends": "bitfusion", "name": NAME, "description": NAME},
        "bad.yaml": {"extends": "bitfusion", NAME: NAME},
        "search.yaml": {"name": NAME, "model": NAME},
        "sweep.yaml": {"name": NAME, "model": NAME, "candidates": ["8"], "hardware": {"grid": {"array.rows": [4, 8]}}},
        "keys.yaml": {"name": "x", NAME: NAME},
    }.items():
        (folder / f"{FILE}{name}").write_text(yaml.safe_dump(content))
    settings = {"name": NAME, "population": 4, "offspring": 2, "generations": 1, "steps": 5, "method": "nsga2"}
    run(Experiment(**settings), folder / f"{FILE}run", model=StandInModel())
    broken = folder / f"{FILE}broken"
    shutil.copytree(folder / f"{FILE}run", broken)
    (broken / "pareto.json").write_text("{")
    return folder


def words(text: str) -> list[str]:
    """The arguments of a line, with the name for `@`, the name of a file for `%`, and one that does not exist for `?`."""
    return [
        word.replace("@", NAME).replace("%", FILE).replace("?", f"no{FILE}")
        for word in text.replace("\\s", " ").split()
    ]


COMMANDS = """
simulate %trace.yaml --arch %spec.yaml
simulate %trace.yaml --arch %spec.yaml --mapping
simulate %trace.yaml --arch %spec.yaml --model published
simulate %trace.yaml --arch %spec.yaml --csv
simulate %trace.yaml --arch %spec.yaml --json
simulate %trace.yaml --arch %spec.yaml --timeline -
simulate ? --arch bitfusion
simulate %trace.yaml --arch ?
simulate %trace.yaml --arch %bad.yaml
simulate %spec.yaml --arch bitfusion
simulate %trace.yaml --arch bitfusion --set @=1
simulate %trace.yaml --arch bitfusion --set array.rows=@
simulate %trace.yaml --arch bitfusion --bits @
simulate %trace.yaml --arch bitfusion --steps @
simulate %trace.yaml --arch bitfusion --engine @
simulate %trace.yaml --arch bitfusion --model @
simulate %trace.yaml --arch bitfusion --json ?/x
simulate %trace.yaml --arch bitfusion --plot @
simulate %trace.yaml --arch silago --bits 2
simulate %trace.yaml --arch bitfusion --@
@
compare %trace.yaml --arch %spec.yaml --arch %spec.yaml,array.rows=64 --layers
compare %trace.yaml --arch %spec.yaml --arch %spec.yaml,array.rows=64 --csv
compare %trace.yaml --arch %spec.yaml,@=1
compare %trace.yaml --arch ?
arch list
arch show %spec.yaml
arch show %bad.yaml
arch check %spec.yaml %bad.yaml ?
evaluate --model ? --bits 8
evaluate --bits @
evaluate --bits 8 --split @
evaluate --bits 8 --corpus @
evaluate --bits 8 --corpus timit --root ?
evaluate --bits 8 --clipping @
delta --bits 8 --thresholds @
delta --bits @
trace --model ? --bits 8
trace --bits 8 --out @
trace --bits L0=@
export --bits 8 --model ? --out x
export --bits 8 --out %trace.yaml
train --out x --cell @
train --out x --start ?
train --out %trace.yaml --small
train --out x --corpus timit --root ?
retrain --bits 2 --model ? --out x
retrain --bits 2 --out %trace.yaml
search ? --out x
search %search.yaml --out x
search %keys.yaml --out x
search demo --arch ? --out x
search demo --set @=1 --out x
search demo --out %trace.yaml
search demo --out x --scheduler @
sweep ? --out x
sweep %sweep.yaml --out x
sweep sweep-bitfusion --candidates ? --out x
runs .
runs ?
show %run
show %broken
show ?
report %run --out r.html
report %broken --out r.html
report ? --out r.html
report %run --out ?/r.html
report %run %run --out r.html
""".strip().splitlines()


def leaves(group: typer.core.TyperGroup) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from (f"{name} {leaf}" for leaf in leaves(command))
        else:
            yield name


def test_no_command_is_left_out() -> None:
    from mohaq.app import app
    from mohaq.commands import evaluation, hardware, models, models_training, searches  # noqa: F401

    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    assert not [
        leaf for leaf in leaves(group) if not any(line.startswith(f"{leaf} ") or line == leaf for line in COMMANDS)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMANDS)
def test_a_name_is_text_on_the_terminal(folder: Path, line: str) -> None:
    result = mohaq(*words(line), cwd=folder)
    assert result.returncode in (0, 2)
    for text in (result.stdout, result.stderr):
        assert text.replace("\n", "").isprintable(), text
        assert "pwned\n" not in text
    if result.returncode == 2 and not line.startswith("arch check"):
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""


NAMED = {
    "learn_from": "[@]", "models": "[@]", "archs": "[@]", "objectives": "[error, @]", "corpus_root": "@",
    "beacons": "{carry: [@]}", "fixed": "{@: 8}",
}  # fmt: skip
"""Keys of an experiment that name something, and how they do so."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [NAME, "n[/red]" * 1000, "a\0b"])
@pytest.mark.parametrize("key", NAMED)
def test_what_an_experiment_names_is_text(tmp_path: Path, key: str, name: str) -> None:
    (tmp_path / "e.yaml").write_text(f"name: e\n{key}: {NAMED[key].replace('@', json.dumps(name))}\n")
    result = mohaq("search", "e.yaml", "--out", "x", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert result.stderr[:-1].isprintable()
    assert result.stderr.startswith("mohaq: ")
    assert len(result.stderr) < 2200
    assert "e.yaml:2:" in result.stderr or len(name) > 255  # longer ones are the system's to refuse
    assert not (tmp_path / "x").exists()


def test_tables_show_layers_and_variants_whole(folder: Path) -> None:
    shown = mohaq(*words("simulate %trace.yaml --arch bitfusion --csv"), cwd=folder).stdout
    assert shown.splitlines()[1].startswith(f"0{visible(LAYER)}"), shown
    report = json.loads(mohaq(*words("simulate %trace.yaml --arch bitfusion --json"), cwd=folder).stdout)
    assert [layer["name"] for layer in report["layers"]] == [f"0{LAYER}", f"1{LAYER}"]  # for programs: as it is


def test_no_row_of_a_csv_is_a_formula(tmp_path: Path) -> None:
    layer = "op: matmul, out_features: 8, in_features: 8, weight_bits: 8, activation_bits: 8, output_bits: 16"
    (tmp_path / "t.yaml").write_text(f"name: t\nsteps: 3\nlayers:\n- {{name: '=cmd|x;@y', {layer}}}\n")
    shown = mohaq("simulate", "t.yaml", "--arch", "bitfusion", "--csv", cwd=tmp_path).stdout
    assert shown.splitlines()[1].startswith("'=cmd|x;'@y,")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_name_is_text_in_a_picture(folder: Path, tmp_path: Path, suffix: str) -> None:
    picture = tmp_path / f"p.{suffix}"
    result = mohaq(*words("simulate %trace.yaml --arch bitfusion --plot"), str(picture), cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert picture.stat().st_size > 5_000


@pytest.mark.parametrize(
    ("name", "trace"),
    [("fc[/]", "t[/red]"), ("lay[a]x[b]", "net[fw]"), ("a$b_{$", "$\\foo{$"), ("_x", "[link=http://e]ok :100:")],
)
def test_markup_and_mathematics_are_shown_as_they_are(tmp_path: Path, name: str, trace: str) -> None:
    (tmp_path / "t.yaml").write_text(yaml.safe_dump({"name": trace, "steps": 3, "layers": [{"name": name, **SIZES}]}))
    result = mohaq("simulate", "t.yaml", "--arch", "bitfusion", "--plot", "p.png", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert f" {name} " in result.stdout
    assert result.stdout.startswith(f"{trace} on bitfusion")
