"""The slips that mutation testing writes into a file: what they are, and what they leave alone."""

import ast
from pathlib import Path

from mutations import mutations

CODE = '''"""Text is no code: 1 + 1."""
from math import ceil
LIMIT: "int | None" = 4

def f(a: int | float, b=True, *, names=()):
    """Not 2 either."""
    if not a < 0 and b:
        raise ValueError(f"{a + 1}: {3 * 4}")
    a += 2
    names.append(ceil(a / 2) - 1)
    return max(a, -LIMIT)  # µ before what follows; x = 1 * 2

if __name__ == "__main__":
    f(1 + 2)
'''


def test_each_operator_number_call_and_statement(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(CODE, encoding="utf-8")
    found = mutations(path)
    assert [(one.line, one.old, one.new) for one in found] == [
        (3, "4", "5"),
        (5, "True", "False"),
        (7, "not a < 0", "(a < 0)"),
        (7, "not a < 0 and b", "(not a < 0 or b)"),
        (7, "a < 0", "(a <= 0)"),
        (7, "0", "1"),
        (9, "a += 2", "pass"),
        (9, "2", "3"),
        (10, "names.append(ceil(a / 2) - 1)", "pass"),
        (10, "ceil", "int"),
        (10, "ceil(a / 2) - 1", "(ceil(a / 2) + 1)"),
        (10, "a / 2", "(a * 2)"),
        (10, "2", "3"),
        (10, "1", "2"),
        (11, "max", "min"),
        (11, "-LIMIT", "(LIMIT)"),
    ]
    for one in found:
        changed = one.applied(path.read_bytes())
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(CODE))
        assert changed.decode().splitlines()[: one.line - 1] == CODE.splitlines()[: one.line - 1]
