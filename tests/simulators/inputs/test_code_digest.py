"""A result's code: comments and places do not matter, everything that decides the result does."""

import ast
from pathlib import Path

import pytest

from simulators.inputs import code_digest
from simulators.inputs.code_digest import Code, sources_of, tree_digest

PROGRAM = '''
"""What it does."""
from simulators.engine.machine import Machine  # the machine
import quant.arithmetic.kernels as kernels


def double(x: int) -> int:
    """Twice."""
    # Addition is exact.
    return x + x
'''


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# Addition is exact.", "# Sums are exact, of whole numbers."),
        ('"""Twice."""', '"""Two times x."""'),
        ('    """Twice."""\n', ""),
        ('"""What it does."""', ""),
        ("x + x", "(x\n            + x)"),
        ("simulators.engine.machine", "simulators.elsewhere.machine"),
        ("quant.arithmetic.kernels", "quant.kernels"),
    ],
)
def test_words_layout_and_places_do_not_matter(before: str, after: str) -> None:
    assert before in PROGRAM
    assert tree_digest(PROGRAM.replace(before, after)) == tree_digest(PROGRAM)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x + x", "x * 2"),
        ("def double", "def twice"),
        ("engine.machine", "engine.reference"),
        ("import Machine", "import Queue"),
        ("x: int", "x: float"),
    ],
)
def test_code_does(before: str, after: str) -> None:
    assert before in PROGRAM
    assert tree_digest(PROGRAM.replace(before, after)) != tree_digest(PROGRAM)


def test_data_and_versions_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "table.csv"
    table.write_text("1\n")
    code = Code(("simulators.hardware.sram",), (table,), ("numpy",))
    first = code.digest()
    assert code.digest() == first
    assert Code(code.modules, (), code.libraries).digest() != first
    table.write_text("2\n")
    assert code.digest() != first
    table.write_text("1\n")
    assert code.digest() == first
    monkeypatch.setattr(code_digest, "version", lambda name: "999")
    assert code.digest() != first


def test_a_package_stands_for_its_modules() -> None:
    names = {path.name for path in sources_of(["simulators.engine"])}
    assert {"machine.py", "reference.py", "attribution.py"} <= names
    with pytest.raises(ModuleNotFoundError, match=r"simulators\.nothing"):
        Code(("simulators.nothing",)).digest()


def test_either_result_depends_on_both_codes() -> None:
    one, other = Code(("simulators.engine",)), Code(("simulators.engine", "simulators.hardware"), (), ("numpy",))
    assert one | other == Code(("simulators.engine", "simulators.hardware"), (), ("numpy",))
    assert (one | other).digest() == (other | one).digest()


def test_every_source_of_this_project_has_a_digest() -> None:
    for path in sources_of(["simulators"]):
        ast.parse(path.read_bytes())
    assert len(sources_of(["simulators"])) > 40
