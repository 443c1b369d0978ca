"""A report of other people's runs: what their names and figures may not do on the page, in its commands and tables."""

import json
import re
import shlex
import shutil
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from browser import browser, clicked, data_of
from stand_in import StandInModel

from search import Experiment, run
from search.report.named_bits import bits_named
from search.report.page import write_report
from search.space.hardware_variants import Hardware
from simulators.inputs.errors import InputError
from simulators.inputs.escapes import visible

NAME = "_run<b>;touch PWNED;#$(id)'</script>%{x}\x1b\u202e".replace("/", "")
BITS = "L0=8x8,P1=8x8,L1=8x8,FC=8x8"
WIDER = f"{BITS},X=8x8"
"""A name as those of candidates are, of a network with a site more."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / NAME
    settings = {"population": 6, "offspring": 3, "generations": 1, "steps": 5, "method": "nsga2"}
    run(Experiment(name=NAME, **settings), folder, model=StandInModel())
    return folder


@pytest.fixture(scope="module")
def page(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    written = tmp_path_factory.mktemp("page") / "r.html"
    write_report([folder], written, written.with_suffix(".png"), models={folder: StandInModel()})
    return written.read_text()


def test_the_page_shows_names_and_has_no_tags_of_them(page: str) -> None:
    assert page.count("<script>") == 2
    assert "<b>;" not in page
    assert (
        f"<title>mohaq report: {visible(NAME).replace('<', '&lt;').replace('>', '&gt;').replace(chr(39), '&#x27;')}"
        in page
    )
    (found,) = data_of(page)["runs"]
    assert (found["label"], found["name"]) == (visible(NAME), visible(NAME))


def test_a_page_reaches_no_network_and_runs_its_own_scripts_only(page: str) -> None:
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = {name: sources for name, *sources in (rule.split() for rule in policy.split(";"))}
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in scripts]
    assert rules.pop("script-src") == [*hashes, "'unsafe-eval'"]
    assert rules == {
        "default-src": ["'none'"], "connect-src": ["'none'"], "form-action": ["'none'"], "base-uri": ["'none'"],
        "style-src": ["'unsafe-inline'"], "img-src": ["data:", "blob:"], "worker-src": ["blob:"],
    }  # fmt: skip
    assert page.index("Content-Security-Policy") < page.index("<script")
    assert 'showSendToCloud: false, plotlyServerURL: ""' in page


def test_commands_are_words_that_a_shell_leaves_alone(tmp_path: Path, folder: Path) -> None:
    copy = tmp_path / "-a b;touch 'PWNED';#$(id)"
    shutil.copytree(folder, copy)
    write_report([copy], tmp_path / "r.html", models={copy: StandInModel()})
    (found,) = data_of((tmp_path / "r.html").read_text())["runs"]
    commands = [command for solution in found["front"] for command in solution["commands"]]
    assert commands
    for command, solution in zip(commands, found["front"], strict=True):
        file = str(copy / "solutions" / f"{solution['solution']}.yaml")
        assert shlex.split(command, comments=True) == ["mohaq", "simulate", file, "--arch", "bitfusion"]


def test_a_relative_file_is_no_option() -> None:
    from search.report.commands import Commands

    hardware = Hardware([], "bitfusion", [])
    commands = Commands.of(Path("-x"), Experiment(name="e"), hardware, {}, checkpoint=True, sends=False)
    assert commands.cost_of_trace("--plugin=x.py/000.yaml", 0) == [
        "mohaq simulate ./--plugin=x.py/000.yaml --arch bitfusion"
    ]
    assert "--steps 300" in commands.trace
    sending = Commands.of(Path("-x"), Experiment(name="e"), hardware, {}, checkpoint=True, sends=True)
    assert sending.trace == "mohaq trace --model sru --utterance 0"
    assert shlex.split(commands.cost_of("L0=8x8;touch PWNED;#", 0, "f.yaml")[0])[-3] == "L0=8x8;touch PWNED;#"


def _in_visited(results: dict[str, Any], text: str) -> None:
    results["visited"][-1]["bits"] = text


def _in_baseline(results: dict[str, Any], text: str) -> None:
    results["baselines"][0]["bits"] = text


def _as_beacon(results: dict[str, Any], text: str) -> None:
    results["visited"][-1]["beacon"] = text


@pytest.mark.parametrize("change", [_in_visited, _in_baseline, _as_beacon])
@pytest.mark.parametrize("bits", ["L0=8x8;touch PWNED;#,P1=8x8,L1=8x8,FC=8x8", "nothing", WIDER])
def test_bits_that_are_none_are_refused(
    folder: Path, tmp_path: Path, change: Callable[[dict[str, Any], str], None], bits: str
) -> None:
    if bits != WIDER:
        rule = r"pareto\.json:1:\d+: (visited\[\d+\]\.(bits|beacon)|baselines\[0\]\.bits): '.*': string should match pattern"
    elif change is _in_visited:
        rule = r"pareto\.json:1:\d+: front\[\d+\]\.bits: '.*': it is not among what was visited"
    else:
        rule = r"pareto\.json: bits: .*no candidate of this model, whose names are as L0=8x8"
    _refused(folder, tmp_path, rule, lambda results: change(results, bits))


def test_a_front_is_among_what_was_visited(folder: Path, tmp_path: Path) -> None:
    rule = r"front\[0\]\.bits: 'L0=2x2,P1=2x2,L1=2x2,FC=2x4': it is not among what was visited"
    _refused(folder, tmp_path, rule, lambda results: results["front"][0].update(bits="L0=2x2,P1=2x2,L1=2x2,FC=2x4"))


def test_a_solution_is_a_file_of_the_run(folder: Path, tmp_path: Path) -> None:
    rule = r"front\[0\]\.solution: '\.\./\.\./\$\(touch PWNED\)': string should match pattern"
    _refused(folder, tmp_path, rule, lambda results: results["front"][0].update(solution="../../$(touch PWNED)"))


def _refused(folder: Path, tmp_path: Path, rule: str, change: Callable[[dict[str, Any]], None]) -> None:
    """No page is made of a copy of a run whose results were changed, and the error says so."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    results = json.loads((copy / "pareto.json").read_text())
    change(results)
    (copy / "pareto.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match=rule):
        write_report([copy], tmp_path / "r.html", models={copy: StandInModel()})
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    "bits",
    [
        BITS.replace("8x8", "8"),
        BITS.replace("L0", "L1"),
        BITS.replace("FC=8x8", "FC=08x8"),
        "",
    ],
)
def test_a_name_of_bits_is_read_strictly(bits: str) -> None:
    assert bits_named(BITS, StandInModel().sites) == dict.fromkeys(("L0", "P1", "L1", "FC"), (8, 8))
    packed = bits_named(BITS.replace("8x8", "1x16"), StandInModel().sites)  # of hardware that has such widths
    assert set(packed.values()) == {(1, 16)}
    with pytest.raises(InputError, match=r"^bits: "):
        bits_named(bits, StandInModel().sites)


@pytest.mark.skipif(browser() is None, reason="no Chromium here (MOHAQ_CHROMIUM may name one)")
def test_a_script_that_is_not_the_page_s_does_not_run(page: str, tmp_path: Path) -> None:
    other = "<script>document.getElementById('title').remove()</script>"
    seen = clicked(page.replace("</body>", f"{other}</body>"), tmp_path)
    assert [fault for fault in seen["faults"] if "script-src-elem" in fault and "inline" in fault]
    assert seen["after"] == seen["wanted"]
