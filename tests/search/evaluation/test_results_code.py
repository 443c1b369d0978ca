"""Which edits void which results, tried on a copy of the project; and that no module is forgotten."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT

from quant.evaluation.code import (
    IMAGE_CODEBOOKS,
    IMAGE_MODEL,
    IMAGE_RETRAINING,
    OPERATOR_GRU,
    OWN_MODEL,
    RECOGNISER,
    RETRAINING,
)
from simulators.inputs.code_digest import Code, sources_of
from simulators.run.cost_code import cost_code

PACKAGES = ("simulators", "quant", "search")
DIGESTS = """
import json
from quant.evaluation.code import RECOGNISER, RETRAINING
from simulators.run.cost_code import cost_code
from simulators import load_arch
arch = load_arch("bitfusion")
print(json.dumps({
    "bitfusion": cost_code("bitfusion").digest(), "silago": cost_code("silago").digest(),
    "errors": RECOGNISER.digest(), "beacons": RETRAINING.digest(), "arch": arch.digest,
}))
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for package in (*PACKAGES, "arch_specs", "traces"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("*.pyc"))
    return folder


def digests(folder: Path) -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", DIGESTS], capture_output=True, text=True, env=environment, check=True)
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def unedited(copied: Path) -> dict[str, str]:
    return digests(copied)


@pytest.mark.slow
def test_a_copy_elsewhere_has_the_same_digests(unedited: dict[str, str]) -> None:
    assert unedited == digests(ROOT)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "before", "after", "voided"),
    [
        ("simulators/engine/fast.py", "from __future__", "# A comment.\nfrom __future__", set()),
        ("simulators/run/simulation.py", '"""A trace on', '"""Traces on', set()),
        ("simulators/engine/fast_kernels.py", "FIRST_SPACE = 16", "FIRST_SPACE = 32", {"bitfusion", "silago"}),
        ("simulators/platforms/silago/fabric.py", "BUFFERED_ROWS = 2", "BUFFERED_ROWS = 3", {"silago"}),
        ("simulators/platforms/bitfusion/costs.py", "RESIDENT_LOADS = 32", "RESIDENT_LOADS = 31", {"bitfusion"}),
        ("simulators/views/roofline.py", "cycles=sum(", "cycles=0 + sum(", set()),
        ("quant/arithmetic/grid.py", "HISTOGRAM_BINS = 201", "HISTOGRAM_BINS = 202", {"errors", "beacons"}),
        ("quant/training/loop.py", "warm_up = 0.1", "warm_up = 0.2", {"beacons"}),
        ("quant/runs/recipes.py", "LEARNING_RATE_FROM = 1e-3", "LEARNING_RATE_FROM = 1e-2", set()),
    ],
)
def test_an_edit_voids_what_it_must_and_nothing_else(
    copied: Path, unedited: dict[str, str], file: str, before: str, after: str, voided: set[str]
) -> None:
    path = copied / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    try:
        found = digests(copied)
    finally:
        path.write_text(text)
    assert {name for name in unedited if found[name] != unedited[name]} == voided


LEDGER = """
import sys
from pathlib import Path
sys.path.insert(0, "HELPERS")
from stand_in import StandInModel
from search.evaluation.evaluator import Evaluator
from search.evaluation.executors.executor import Inline
from search.evaluation.ledger import Ledger
from simulators import load_arch
model = StandInModel()
bits = {site.name: (8, 8) for site in model.sites}
for arch in ("bitfusion", "silago"):
    evaluator = Evaluator(model, load_arch(arch), 5, Ledger(Path("LEDGER")), Inline())
    found = evaluator.ledger.find_cost(evaluator.costs_of, model.trace(bits, 5).digest)
    print(found is not None, repr(evaluator.cost(bits).energy_uj))
"""


@pytest.mark.slow
def test_a_doubled_energy_of_the_sram_table_is_not_answered_with_an_old_figure(copied: Path, tmp_path: Path) -> None:
    def costs() -> list[tuple[bool, float]]:
        """Of Bit Fusion and SiLago: whether the ledger knows it, and the energy."""
        program = LEDGER.replace("HELPERS", str(ROOT / "tests/helpers"))
        environment = {**os.environ, "PYTHONPATH": str(copied), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", program.replace("LEDGER", str(tmp_path / "ledger.sqlite"))],
            capture_output=True, text=True, env=environment, check=True,
        )  # fmt: skip
        return [(known == "True", float(energy)) for known, energy in map(str.split, done.stdout.splitlines())]

    first = costs()
    assert costs() == [(True, energy) for _, energy in first]
    table = copied / "arch_specs" / "cacti7_sram_45nm.csv"
    text = table.read_text()
    header, *rows = text.splitlines()
    column = header.split(",").index("read_pJ_per_bit")
    doubled = [row.split(",") for row in rows]
    for row in doubled:
        row[column] = str(2 * float(row[column]))
    table.write_text("\n".join([header, *(",".join(row) for row in doubled)]) + "\n")
    try:
        (known, energy), silago = costs()
        assert not known, "an energy of before the edit"
        assert energy > first[0][1]
        assert silago == (True, first[1][1]), "SiLago has no buffer of that table"
    finally:
        table.write_text(text)


def imported_from(path: Path) -> Iterator[str]:
    """Modules of this project that a module imports, when it is imported or later; not those for types alone."""
    tree = ast.parse(path.read_bytes())
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            assert node.module is not None
            yield node.module
            for alias in node.names:
                yield f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in PACKAGES)


def file_of(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


READING_AND_NAMING = (
    "simulators.inputs", "simulators.hardware.arch", "simulators.hardware.area", "simulators.hardware.platform_registry",
    "simulators.workloads",
    "simulators.run.cost_code", "quant.evaluation.code",
)  # fmt: skip
"""What reads files, finds names and words messages. What it reads is known by its own digest."""

REFERENCE = ("quant.arithmetic.integer_reference", "quant.arithmetic.whole_numbers")
"""The integer-only reference, which checks errors and decides none."""

PASSES = (
    *REFERENCE,
    *(f"quant.arithmetic.{name}" for name in ("calibration", "delta", "integer", "observer", "protocol", "weights")),
)
"""What computes networks of the project and no module of one's own."""


@pytest.mark.parametrize(
    ("code", "entries", "without"),
    [
        (cost_code("bitfusion"), ("simulators.run.simulation", "simulators.run.batch"), ("simulators.platforms.silago",)),
        (cost_code("silago"), ("simulators.run.simulation", "simulators.run.batch"), ("simulators.platforms.bitfusion",)),
        (
            RECOGNISER,
            ("quant.evaluation.recogniser",),
            # Known by what they make: recordings, parameters; the work of an evaluation, which only orders them; memory.
            ("quant.training", "quant.speech.embedded", "quant.speech.cache_folder", "quant.evaluation.work_estimate",
             "quant.arithmetic.glibc_memory", *REFERENCE, "simulators"),
        ),
        (
            RETRAINING,
            ("quant.training.retraining",),
            ("quant.speech.embedded", "quant.speech.cache_folder", "quant.arithmetic.glibc_memory",
             *REFERENCE, "simulators"),
        ),
        (OWN_MODEL, ("quant.own.own_model",), ("quant.evaluation.rates", *PASSES, "simulators")),
        (
            IMAGE_MODEL,
            ("quant.images.image_model",),
            # What packages hold, known by its digest; what training alone takes; a file, which has a digest of its own.
            ("quant.images.image_trace", "quant.tasks.wheel_files", "quant.files.tensor_files", "quant.evaluation.rates",
             "quant.networks", "quant.images.image_retraining", "quant.training", "simulators"),
        ),
        (
            IMAGE_RETRAINING,
            ("quant.images.image_retraining",),
            ("quant.images.image_trace", "quant.images.image_card", "quant.tasks.wheel_files", "quant.evaluation.rates",
             "quant.networks", "quant.training", "simulators"),
        ),
        (
            IMAGE_CODEBOOKS,
            ("quant.images.codebook_model",),
            ("quant.images.image_trace", "quant.tasks.wheel_files", "quant.files.tensor_files", "quant.evaluation.rates",
             "quant.networks", "quant.images.image_retraining", "quant.training", "simulators"),
        ),
        (OPERATOR_GRU, ("quant.own.operator_gru",), ("quant", "simulators")),
    ],
)  # fmt: skip
def test_no_module_that_decides_a_result_is_forgotten(
    code: Code, entries: tuple[str, ...], without: tuple[str, ...]
) -> None:
    """All that the computation imports is listed, or named here with what it is for."""
    listed = sources_of(code.modules)
    left_out = (*READING_AND_NAMING, *without)
    seen: set[str] = set()
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        path = file_of(module)
        if path is None or module in seen or any(module == x or module.startswith(f"{x}.") for x in left_out):
            continue
        seen.add(module)
        assert path in listed, f"{module} decides a result and is not listed"
        waiting += imported_from(path)
    assert len(seen) > 1 or code is OPERATOR_GRU
