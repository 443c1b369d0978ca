"""What holds everywhere in the packages: docstrings that stand by themselves, fields with units, names with one
meaning."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("simulators", "quant", "search", "mohaq")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

BARE = re.compile(r"\s*(Of|By|As|Whose|The same|Those of|That of)\b")
"""A beginning that needs what stands before the docstring."""
NUMBER = re.compile(r"\b(int|float|Ints|Floats|Figure|NDArray|Size|Count|Extent|Margin)\b")
UNIT = re.compile(
    r"(cycles|bits|words|bytes|macs|steps|elements|frames|seconds|count|share|ratio|per_cycle|per_bit"
    r"|_(pj|uj|nj|ms|s|mw|mm2|kib|mib|gib|mhz|hz|db))$|^(bits|cycles|macs|number)"
)
"""Names that say what is counted, or in which unit."""


SHARED = ("__init__", "__main__", "registry")
"""Module names that mean the same in each folder."""


SCRIPTS = sorted([*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "docs" / "examples").glob("*.py")])


def trees() -> Iterator[tuple[str, ast.Module]]:
    yield from parsed(FILES)


def parsed(files: list[Path]) -> Iterator[tuple[str, ast.Module]]:
    for path in files:
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each string that documents what stands around or before it."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.lineno, value.value


@pytest.mark.slow
def test_docstrings_stand_by_themselves() -> None:
    bare = [
        f"{file}:{line}: {text.split(chr(10))[0]}"
        for file, tree in parsed([*FILES, *SCRIPTS])
        for line, text in docstrings(tree)
        if BARE.match(text)
    ]
    assert not bare, "\n".join(bare)


def value_classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    """Public dataclasses, named tuples and pydantic models."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            decorated = any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
            bases = " ".join(ast.unparse(base) for base in node.bases)
            if decorated or re.search(r"NamedTuple|BaseModel|Spec|Layer|_Window|_Weighted|Settings", bases):
                yield node


@pytest.mark.slow
def test_every_number_in_a_public_class_says_its_unit() -> None:
    silent = []
    for file, tree in trees():
        for node in value_classes(tree):
            for field, following in zip(node.body, [*node.body[1:], None], strict=True):
                if not isinstance(field, ast.AnnAssign) or not NUMBER.search(ast.unparse(field.annotation)):
                    continue
                name = ast.unparse(field.target)
                documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                if not (documented or name.startswith("_") or UNIT.search(name)):
                    silent.append(f"{file}:{field.lineno}: {node.name}.{name}")
    assert not silent, "\n".join(silent)


@pytest.mark.slow
def test_public_classes_have_names_of_their_own() -> None:
    places = defaultdict(list)
    for file, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(file)
    assert not {name: files for name, files in places.items() if len(files) > 1}


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_of_a_package_have_names_of_their_own(package: str) -> None:
    names = Counter(path.stem for path in (ROOT / package).rglob("*.py") if path.stem not in SHARED)
    platforms = {path.stem for path in (ROOT / "simulators/platforms").rglob("*.py")}  # each has its spec, its lowering
    assert not {name for name, count in names.items() if count > 1} - platforms


PLACES = {
    "rich.console.Console": ("simulators/inputs/terminal.py",),
    "csv.writer": ("simulators/inputs/csv_text.py",),
    "csv.DictWriter": (),
    "html.escape": ("simulators/inputs/escapes.py",),
    "shlex.quote": ("simulators/inputs/escapes.py",),
    "shlex.join": (),
}
"""What shows or quotes texts, and the files that may: all others go through these."""


def names_used(tree: ast.Module) -> Iterator[str]:
    """Dotted names that a file imports or calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)


@pytest.mark.slow
def test_texts_are_shown_and_quoted_in_one_place() -> None:
    found = [(name, file) for file, tree in trees() for name in names_used(tree) if name in PLACES]
    # The syntax tree of the synthesis names every user's corpus; its bar shows no names.
    strays = [(name, file) for name, file in found if file not in PLACES[name] and file != "quant/speech/synthesis.py"]
    assert not strays
