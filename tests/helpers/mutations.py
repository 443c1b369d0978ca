"""The small slips that a file's code can have: each operator, comparison, number and call that may be another, and each
statement that may be forgotten."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
CALLS = {
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "argmin": "argmax", "argmax": "argmin",
    "ceil": "int", "rint": "floor", "any": "all", "all": "any",
}  # fmt: skip
NOT_CODE = (
    ast.Import, ast.ImportFrom, ast.Raise, ast.Assert, ast.JoinedStr, ast.Global,  # no result depends on messages
)  # fmt: skip
ANNOTATIONS = ("annotation", "returns", "decorator_list", "type_comment")


@dataclass(frozen=True)
class Mutation:
    """A stretch of a file's bytes that others take the place of."""

    line: int
    begin: int
    end: int
    old: str
    new: str

    def applied(self, content: bytes) -> bytes:
        """The file's content with it."""
        return content[: self.begin] + self.new.encode() + content[self.end :]


def mutations(path: Path) -> list[Mutation]:
    """All of a file, in the order of its lines."""
    content = path.read_bytes()
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node, new in _changed(ast.parse(content)):
        begin, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        found.append(Mutation(node.lineno, begin, end, " ".join(content[begin:end].decode().split()), new))
    return sorted(found, key=lambda mutation: (mutation.begin, mutation.end, mutation.new))


def _changed(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Each expression or statement below a node that may be another, and what it may be."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, NOT_CODE) or field in ANNOTATIONS:
                continue
            if isinstance(child, ast.If) and "__name__" in ast.unparse(child.test):
                continue
            yield from _changes(child)
            yield from _changed(child)


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    match node:
        case ast.BinOp() | ast.BoolOp() if type(node.op) in OPERATORS:
            yield node, _with(node, lambda copy: setattr(copy, "op", OPERATORS[type(node.op)]()))
        case ast.Compare():
            for i, operator in enumerate(node.ops):
                yield node, _with(node, lambda copy, i=i, of=operator: copy.ops.__setitem__(i, OPERATORS[type(of)]()))
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield node, f"({ast.unparse(node.operand)})"
        case ast.Constant(value=bool()):
            yield node, str(not node.value)
        case ast.Constant(value=int() | float()):
            yield node, repr(node.value + 1)
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            yield node.func, CALLS[name]
        case ast.Call(func=ast.Attribute(attr=name)) if name in CALLS:
            yield node, _with(node, lambda copy: setattr(copy.func, "attr", CALLS[name]))
        case ast.AugAssign() | ast.Expr(value=ast.Call()):
            yield node, "pass"


def _with(node: ast.expr, change: Callable[[ast.expr], object]) -> str:
    """A changed copy of an expression, as code."""
    copy = deepcopy(node)
    change(copy)
    return f"({ast.unparse(copy)})"
