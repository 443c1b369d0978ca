"""Damage to the structure that a text has, where it stands in the text: of YAML and JSON by the nodes of a parser, of CSV
by its columns, of ONNX by its messages.

Unlike what `damaged_tree` writes anew from plain data, all around the damage stays as it was: comments, order and layout.
And there can be what no plain data holds: a key twice, a tag, an anchor, a quoted number."""

import random
from collections.abc import Callable
from pathlib import Path

import yaml

Node = yaml.Node
WHOLE = (
    "0", "-1", "1", "16", "17", "255", "65536", "2147483647", "2147483648", "4294967296", "9007199254740993",
    "9223372036854775807", "18446744073709551616", "-9223372036854775809", "0x10", "010", "1_000", "+1", "1:30", "-0",
)  # fmt: skip
REAL = (
    "5e-324", "1e-300", "2.2250738585072014e-308", "1.7976931348623157e+308", "1e309", "-1e-9", "0.1", "1e5", "1e9", ".inf",
    "-.inf", ".nan", "NaN", "-0.0", "1.", ".5", "1e0",
)  # fmt: skip
WORDS = (
    '""', "' '", "~", "null", "yes", "off", "<<", "=", "2026-02-30", "2026-11-29", '"\\0"', '"\\ud800"', '"\\u202e"', "é" * 300,
    "a/b", "/", ".", "'[/red]'", "'$x_1$'", "'*'", "'**/*'", "'[a-'", "'?'", '"%s"', "'{0}'", "'~/x'",
)  # fmt: skip
TAGS = (
    "!!str",
    "!!int",
    "!!float",
    "!!bool",
    "!!null",
    "!!binary",
    "!!set",
    "!!omap",
    "!!timestamp",
    "!x",
    "!!python/tuple",
)


def has_structure(name: str) -> bool:
    """Whether files of this name have a structure that is known here."""
    return Path(name).suffix in _KINDS


def restructured(name: str, data: bytes, rng: random.Random) -> bytes:
    """The content of a file of this name with one to three changes of its structure. Raises ValueError, or YAMLError, for
    what has none."""
    change = _KINDS[Path(name).suffix]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = change(data, rng)
    return data


def _document(data: bytes, rng: random.Random) -> bytes:
    """YAML, of which JSON is a part."""
    text = data.decode()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        raise ValueError("an empty document")
    nodes = list(_nodes(root))
    mappings = [node for node in nodes if isinstance(node, yaml.MappingNode) and node.value]
    scalars = [node for node in nodes if isinstance(node, yaml.ScalarNode)] or nodes
    changes: list[Callable[[], str]] = [
        lambda: _retyped(text, rng.choice(nodes), rng),
        lambda: _extreme(text, rng.choice(scalars), rng),
        lambda: _alias(text, nodes, rng),
        lambda: _emptied(text, rng.choice(nodes), rng),
    ]
    if mappings:
        mapping = rng.choice(mappings)
        changes += [
            lambda: _swapped(text, mapping, rng, of_keys=True),
            lambda: _swapped(text, mapping, rng, of_keys=False),
            lambda: _twice(text, mapping, rng),
        ]
    return rng.choice(changes)().encode("utf-8", "surrogatepass")


def _nodes(node: Node, seen: frozenset[int] = frozenset()) -> list[Node]:
    """A node and those below it, but an alias' once."""
    if id(node) in seen:
        return []
    below: list[Node] = []
    if isinstance(node, yaml.MappingNode):
        below = [one for pair in node.value for one in pair]
    elif isinstance(node, yaml.SequenceNode):
        below = list(node.value)
    return [node, *(found for one in below for found in _nodes(one, seen | {id(node)}))]


def _span(node: Node) -> tuple[int, int]:
    return node.start_mark.index, node.end_mark.index


def _replaced(text: str, *changes: tuple[tuple[int, int], str]) -> str:
    """A text with some of its spans replaced, the last first."""
    for (begin, end), new in sorted(changes, reverse=True):
        text = text[:begin] + new + text[end:]
    return text


def _of(text: str, node: Node) -> str:
    """What a node is written as, without the line end that follows a block."""
    begin, end = _span(node)
    return text[begin:end].rstrip()


def _swapped(text: str, mapping: yaml.MappingNode, rng: random.Random, of_keys: bool) -> str:
    side = 0 if of_keys else 1
    if len(mapping.value) < 2:
        return _twice(text, mapping, rng)
    one, other = (pair[side] for pair in rng.sample(mapping.value, 2))
    ends = [(_span(node)[0], _span(node)[0] + len(_of(text, node))) for node in (one, other)]
    return _replaced(text, (ends[0], _of(text, other)), (ends[1], _of(text, one)))


def _twice(text: str, mapping: yaml.MappingNode, rng: random.Random) -> str:
    """A pair again, with its own value or another's."""
    key, value = rng.choice(mapping.value)
    other = rng.choice((value, rng.choice(mapping.value)[1]))
    begin = _span(key)[0]
    if mapping.flow_style:
        return _replaced(text, ((begin, begin), f"{_of(text, key)}: {_of(text, other)}, "))
    indent = " " * key.start_mark.column
    between = f"\n{indent}  " if isinstance(other, yaml.CollectionNode) and not other.flow_style else " "
    return _replaced(text, ((begin, begin), f"{_of(text, key)}:{between}{_of(text, other)}\n{indent}"))


def _retyped(text: str, node: Node, rng: random.Random) -> str:
    was = _of(text, node)
    begin = _span(node)[0]
    new = [f"[{was}]", f"{{x: {was}}}", f"{rng.choice(TAGS)} {was}", f"[{was}, {was}]"]
    if isinstance(node, yaml.ScalarNode):
        new += [
            "'" + node.value.replace("'", "''") + "'",
            node.value,
            f"{node.value}.0",
            f'"{node.value} "',
            f"{node.value}e0",
        ]
    return _replaced(text, ((begin, begin + len(was)), rng.choice(new)))


def _extreme(text: str, node: Node, rng: random.Random) -> str:
    begin = _span(node)[0]
    return _replaced(text, ((begin, begin + len(_of(text, node))), rng.choice(rng.choice((WHOLE, REAL, WORDS)))))


def _alias(text: str, nodes: list[Node], rng: random.Random) -> str:
    """One node stands for another too, or for one that it holds."""
    one, other = sorted((rng.choice(nodes), rng.choice(nodes)), key=_span)
    begin = _span(other)[0]
    return _replaced(text, ((_span(one)[0],) * 2, "&anchor "), ((begin, begin + len(_of(text, other))), "*anchor"))


def _emptied(text: str, node: Node, rng: random.Random) -> str:
    begin = _span(node)[0]
    return _replaced(
        text, ((begin, begin + len(_of(text, node))), rng.choice(("", "[]", "{}", "[{}]", "{[]: 1}", "? x")))
    )


def _table(data: bytes, rng: random.Random) -> bytes:
    """CSV, column by column."""
    rows = [line.split(",") for line in data.decode().splitlines()]
    width = max(len(row) for row in rows)
    one, other = rng.randrange(width), rng.randrange(width)
    extreme = rng.choice(rng.choice((WHOLE, REAL, WORDS)))
    action = rng.randrange(7)
    for number, row in enumerate(rows):
        if max(one, other) >= len(row):
            continue
        if action == 0:  # the columns' names stay, or what is below them
            row[one], row[other] = (row[other], row[one]) if number else (row[one], row[other])
        elif action == 1:
            row.insert(one, row[other])
        elif action == 2:
            del row[one]
        elif action == 3 and number:
            row[one] = extreme
        elif action == 4:
            row[one] = f'"{row[one]}"' if rng.random() < 0.8 else f'"{row[one]}\n'
        elif action == 5 and not number:
            row[one] = row[other]
    if action == 6:
        rng.shuffle(rows)
    return (
        rng.choice(("\n", "\n", "\r\n", "\r", "\n\n"))
        .join(rng.choice((",",) * 6 + (";", "\t")).join(row) for row in rows)
        .encode()
    )


def _onnx(data: bytes, rng: random.Random) -> bytes:
    """A model with a name, a number, a size or a node that is another, gone or twice."""
    import onnx

    try:
        model = onnx.load_from_string(data)
    except Exception as error:
        raise ValueError(str(error)) from None
    graph = model.graph
    action = rng.randrange(7)
    if action == 0:
        node = rng.choice(graph.node)
        node.op_type = rng.choice(
            ("", "x", "Identity", "Loop", "If", "LSTM", "Conv", "Reshape", "Expand", "\x1b[2J", node.op_type * 2)
        )
    elif action == 1:
        node = rng.choice(graph.node)
        names = rng.choice((node.input, node.output))
        if names:
            names[rng.randrange(len(names))] = rng.choice(
                ("", "nowhere", *(n for one in graph.node for n in (*one.input, *one.output)))
            )
    elif action == 2:
        graph.node.append(rng.choice(graph.node))
    elif action == 3:
        del graph.node[rng.randrange(len(graph.node))]
    elif action == 4:
        tensor = rng.choice(graph.initializer)
        if tensor.dims:
            tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice((0, -1, 1, 2**31, 2**62))
        tensor.data_type = rng.choice((tensor.data_type, 0, 1, 7, 8, 99))
    elif action == 5:
        given = rng.choice((*graph.input, *graph.output)).type.tensor_type
        given.elem_type = rng.choice((given.elem_type, 0, 7, 8, 99))
        for size in given.shape.dim:
            size.dim_value = rng.choice((0, -1, 1, 6, 2**40))
    else:
        model.opset_import[0].version = rng.choice((0, -1, 1, 6, 99, 2**62))
        attributes = [attribute for node in graph.node for attribute in node.attribute]
        if attributes:
            rng.choice(attributes).i = rng.choice((0, -1, 2**31, 2**62))
    return bytes(model.SerializeToString())


_KINDS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".json": _document, ".yaml": _document, ".csv": _table, ".onnx": _onnx,
}  # fmt: skip
