"""What docs/security.md says: the tests that it names exist, and no reader of the packages runs what it reads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from simulators import InputError, load_trace

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path for package in ("simulators", "quant", "search", "mohaq") for path in (ROOT / package).rglob("*.py")
)
MODULES = ("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib")
CALLS = ("eval", "exec", "os.system", "os.popen", "torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load")
ALLOWED = {
    ("simulators/inputs/plugins.py", "exec"),  # a plugin is Python that the user names
    ("search/evaluation/executors/pool.py", "pickle"),  # to processes that this one starts
    ("search/evaluation/executors/cluster_variants.py", "pickle"),  # to workers of a scheduler that the user names
    ("search/evaluation/sending_group.py", "pickle"),  # hardware on its way to either
    ("quant/own/content_digest.py", "pickle"),  # written for a digest, and never read
}


def test_each_line_of_the_page_names_tests_that_there_are() -> None:
    page = (ROOT / "docs/security.md").read_text()
    named = re.findall(r"`(?:tests/[a-z/]*/)?(test_\w+\.py)`", page)
    assert len(named) > 10
    assert {*named} <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    rows = [line for line in page.splitlines() if line.startswith("| ") and "held by" not in line]
    assert not [row for row in rows if "test_" not in row and "the same" not in row and "yours" not in row]


def running(path: Path) -> Iterator[str]:
    """What in a file runs or unpickles data."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (name for name in names if name.split(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if called in CALLS or options.get("shell") == "True" or options.get("allow_pickle") == "True":
                yield called


@pytest.mark.slow
def test_no_reader_runs_what_it_reads() -> None:
    found = {(str(path.relative_to(ROOT)), what) for path in FILES for what in running(path)}
    assert found == ALLOWED


class Pickled:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


def test_a_sidecar_is_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", L0=np.array([Pickled(str(tmp_path / "PWNED"))], dtype=object))
    layer = "op: matmul, out_features: 8, in_features: 8, weight_bits: 8, activation_bits: 8, output_bits: 16"
    (tmp_path / "t.yaml").write_text(f"name: t\nsteps: 3\nlayers:\n- {{name: L0, {layer}, active: s.npz}}\n")
    with pytest.raises(InputError, match=r"t\.yaml:4:\d+: layers\[0\]\.active: "):
        load_trace(tmp_path / "t.yaml")
    assert not (tmp_path / "PWNED").exists()
