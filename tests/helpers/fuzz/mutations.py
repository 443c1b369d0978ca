"""Damage to files: of their bytes, of the tree that a YAML or JSON text holds, and of the parts of other formats."""

import io
import json
import random
import sqlite3
import string
import tempfile
import zipfile
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fuzz.structure import has_structure, restructured

MARKS = {
    "@digits@": "9" * 5000,
    "@hex@": "0x" + "f" * 5000,
    "@deep@": "[" * 100_000 + "]" * 100_000,
    "@deeper@": '{"a":' * 40 + "1" + "}" * 40,
    "@nan@": "NaN",
    "@yaml nan@": ".nan",
    "@infinity@": "Infinity",
    "@overflow@": "1e999",
    "@alias@": "*bomb",
}
"""Words of a tree that stand for what no library writes."""
BOMB = "\n".join(
    ["bomb0: &b0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"bomb{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 10)}]" for i in range(1, 9)]
    + [f"bomb9: &bomb [{'*b8, ' * 9}*b8]"]
)
ODD: tuple[Any, ...] = (
    None, True, False, "", "x", "x" * 5000, "a\nb", "a\0b", "\x1b[31mred", "²", "80²0", "../../../etc/passwd", "/dev/zero", "..",
    "fifo", "folder", "loop", -1, 0, 1, 2, 3, 17, 255, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**30, 10**290, 0.5, -0.0,
    1e-320, 5e-324, 1e300, float("nan"), float("inf"), float("-inf"), [], {}, [[]], [None], {"a": 1}, [1, "x"], [8, 8],
    "L0=8x8;touch PWNED;#", "8x8", "=", "$(id)", *MARKS,
)  # fmt: skip
PIECES = (
    b"\0", b"\xff\xfe", b"\n", b"\r", b" ", b"-", b"{", b"}", b"[", b"]", b":", b",", b'"', b"'", b"\\", b"#", b"&a ", b"*a",
    b"!!python/object:os.system ", b"NaN", b"1e999", b"0x", b"99999999999999999999", "²".encode(), b"9" * 5000, b"[" * 50_000,
    b"\xed\xa0\x80", b"%s%n", b"../", b"---\n", b"<<: ", b"\t",
)  # fmt: skip


def damaged(data: bytes, name: str, rng: random.Random) -> bytes:
    """The content of a file of this name, damaged in a way that its format suggests, or in its bytes alone."""
    special = _SPECIAL.get(Path(name).suffix) if rng.random() < 0.75 else None
    if has_structure(name) and rng.random() < 0.4:
        special = partial(restructured, name)
    if special is not None:
        try:
            return special(data, rng)
        except (
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            RecursionError,
            yaml.YAMLError,
            zipfile.BadZipFile,
            sqlite3.Error,
        ):
            pass  # damage upon damage: what is left is bytes
    return _bytes(data, rng)


def _bytes(data: bytes, rng: random.Random) -> bytes:
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.choice((1, 2, 8, 64, 1024)))
        action = rng.randrange(7)
        if action == 0 and content:
            at = min(at, len(content) - 1)
            content[at] ^= 1 << rng.randrange(8)
        elif action == 1:
            del content[at:]
        elif action == 2:
            del content[at:end]
        elif action == 3:
            content[at:at] = rng.choice(PIECES)
        elif action == 4:
            content[at:end] = rng.randbytes(end - at)
        elif action == 5:
            content[at:at] = content[at:end]
        else:
            content[at:end] = rng.choice(PIECES)
    return bytes(content)


def places_of(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values of a tree, its root's first."""
    found = [path]
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            found += places_of(value, (*path, key))
    return found


def damaged_tree(tree: Any, rng: random.Random) -> Any:
    """Plain data with some of its values gone, changed, exchanged, renamed or added."""
    tree = deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = places_of(tree)[1:]
        if not places:
            return rng.choice(ODD)
        path = rng.choice(places)
        above = _at(tree, path[:-1])
        value, key = above[path[-1]], path[-1]
        action = rng.randrange(8)
        if action == 0:
            del above[key]
        elif action in (1, 2, 3):
            above[key] = rng.choice(ODD)
        elif action == 4:
            other = rng.choice(places)
            above[key] = deepcopy(_at(tree, other))
        elif action == 5 and isinstance(above, dict):
            above[rng.choice(("", "x", str(key) + "x", str(key)[:-1], "__proto__", "\x1b[2J"))] = above.pop(key)
        elif action == 6 and isinstance(above, list):
            above.insert(key, deepcopy(value))
        elif isinstance(value, bool | int | float):
            above[key] = rng.choice((-value, value * 1000, value + 1, value / 3, str(value), [value], value * 10**12))
        elif isinstance(value, str):
            above[key] = rng.choice(
                (value.upper(), value * 2, value[:-1], value + rng.choice(string.printable), [value])
            )
        else:
            above[key] = rng.choice(ODD)
    return tree


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _marked(text: str, quote: str = '"') -> str:
    for mark, meant in MARKS.items():
        text = text.replace(f"{quote}{mark}{quote}", meant)
    return text


def as_json(tree: Any) -> str:
    """A tree as JSON, its marks replaced by what they stand for."""
    return _marked(json.dumps(tree))


def _json(data: bytes, rng: random.Random) -> bytes:
    return as_json(damaged_tree(json.loads(data), rng)).encode()


def _yaml(data: bytes, rng: random.Random) -> bytes:
    tree = damaged_tree(yaml.safe_load(data), rng)
    style = rng.choice((None, False, True))
    text = _marked(yaml.safe_dump(tree, sort_keys=False, default_flow_style=style, width=10**6), "'")
    return (f"{BOMB}\n{text}" if "*bomb" in text else text).encode()


def _csv(data: bytes, rng: random.Random) -> bytes:
    rows = [line.split(",") for line in data.decode().splitlines()]
    row = rng.choice(rows)
    at = rng.randrange(len(row))
    action = rng.randrange(5)
    if action == 0:
        del row[at]
    elif action == 1:
        row.insert(at, str(rng.choice(ODD)))
    elif action == 2:
        rows.insert(rng.randrange(len(rows)), list(row))
    elif action == 3:
        other = rng.randrange(len(row))
        row[at], row[other] = row[other], row[at]
    else:
        row[at] = str(rng.choice((*ODD, "9" * 9, "1" + "0" * 7, "2:4", "4:2", "0:0", "999999999:999999999")))
    return "\n".join(",".join(cells) for cells in rows).encode("utf-8", "replace")


def npy(array: np.ndarray, shape: tuple[int, ...] | None = None, descr: str | None = None) -> bytes:
    """An array as a member of an .npz, which may claim another shape or another type than it has."""
    content = io.BytesIO()
    header = {
        "descr": descr or np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False,
        "shape": array.shape if shape is None else shape,
    }  # fmt: skip
    np.lib.format.write_array_header_1_0(content, header)
    return content.getvalue() + (array.tobytes() if array.dtype.kind != "O" else b"\x80\x04N.")


def bomb(member: str, length: int) -> bytes:
    """An .npz of so many bytes of zeros, a thousandth of that when packed; it is never whole in memory."""
    content, chunk = io.BytesIO(), bytes(1 << 20)
    header = npy(np.zeros(0, np.int8), shape=(length,))
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(member, "w") as file,
    ):
        file.write(header)
        for start in range(0, length, len(chunk)):
            file.write(chunk[: length - start])
    return content.getvalue()


def _npz(data: bytes, rng: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    array = np.lib.format.read_array(io.BytesIO(members[name]))
    action = rng.randrange(9)
    if action == 0:
        members[name] = npy(
            array, shape=rng.choice(((10**12,), (2**40, 2**40), (-1,), (0,), (), (1, 1, array.size), (3,)))
        )
    elif action == 1:
        members[name] = npy(array, descr=rng.choice(("|O", "<c16", "<U4", "|V8", "<f2", ">f8", "<m8[s]", "|b1", "<x9")))
    elif action == 2 and array.dtype.kind == "f" and array.size:
        array = array.copy()
        array.flat[rng.randrange(array.size)] = rng.choice((np.nan, np.inf, -1.0, 2.0, 1e30))
        members[name] = npy(array)
    elif action == 3:
        members[name] = npy(array[: len(array) // 2] if array.ndim else array)
    elif action == 4:
        members[rng.choice((name[:-4], "../x.npy", "", name + ".npy"))] = members.pop(name)
    elif action == 5:
        return bomb(name, rng.choice((10**6, 3 * 10**8)))
    elif action == 6:
        return npy(array)
    elif action == 7:
        members[name] = _bytes(members[name], rng)
    else:
        del members[name]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return content.getvalue()


def _safetensors(data: bytes, rng: random.Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    action = rng.randrange(5)
    if action in (0, 1) and "mohaq" in header.get("__metadata__", {}):
        inside = json.loads(header["__metadata__"]["mohaq"])
        header["__metadata__"]["mohaq"] = as_json(damaged_tree(inside, rng))
    elif action == 2:
        at = rng.randrange(len(body) - 8)
        body[at : at + 8] = rng.choice((b"\xff" * 8, b"\x00\x7c" * 4, b"\0" * 8, rng.randbytes(8)))
    elif action == 3:
        names = [name for name in header if name != "__metadata__"]
        one, other = rng.choice(names), rng.choice(names)
        header[one], header[other] = header[other], header[one]
    else:
        header = damaged_tree(header, rng)
    text = as_json(header).encode()
    size = len(text) if rng.random() < 0.95 else rng.choice((0, 2**40, 2**63, len(text) - 1))
    return size.to_bytes(8, "little") + text + bytes(body)


def _sqlite(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return _bytes(data, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "l.sqlite"
        path.write_bytes(data)
        database = sqlite3.connect(path)
        table = rng.choice(("errors", "costs"))
        keys = [
            row[1] for row in database.execute(f"PRAGMA table_info({table})") if row[1] not in ("result", "seconds")
        ]
        where = " AND ".join(f"{key} = :{key}" for key in keys)
        for row in database.execute(f"SELECT {', '.join(keys)}, result FROM {table}").fetchall():
            if rng.random() < 0.7:
                text = as_json(damaged_tree(json.loads(row[-1]), rng))
                text = rng.choice((text, text, text, "{}", "", "[" * 5000, "null", b"\xff\0"))
                values = {**dict(zip(keys, row, strict=False)), "result": text}
                database.execute(f"UPDATE {table} SET result = :result WHERE {where}", values)
        if rng.random() < 0.2:
            database.execute(rng.choice(("DROP TABLE costs", "UPDATE about SET schema = 'x'", "DELETE FROM about")))
        database.commit()
        database.close()
        return path.read_bytes()


def _text(data: bytes, rng: random.Random) -> bytes:
    """Lines of words, as labels and the headers of SPHERE files are; what stands behind them stays."""
    end = data.find(b"end_head")
    head, tail = (data, b"") if end < 0 else (data[:end], data[end:])
    lines = [line.split(b" ") for line in head.split(b"\n")]
    line = rng.choice(lines)
    at = rng.randrange(len(line))
    action = rng.randrange(5)
    if action == 0:
        del line[at]
    elif action == 1:
        line[at] = str(rng.choice((*ODD, "00", "1e3", "٣", "9" * 5000))).encode("utf-8", "replace")
    elif action == 2:
        lines.insert(rng.randrange(len(lines)), list(line))
    elif action == 3:
        lines.remove(line)
    else:
        line[at] = line[at] + rng.choice((b"9", "²".encode("latin-1"), b"-", b"\0", b"9" * 400))
    return b"\n".join(b" ".join(words) for words in lines) + tail


def _audio(data: bytes, rng: random.Random) -> bytes:
    if data.startswith(b"NIST"):
        return _text(data, rng)
    content = bytearray(data)
    at = rng.randrange(44)  # RIFF's header
    content[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"data", b"fmt ", b"LIST", rng.randbytes(4)))
    return bytes(content)


_SPECIAL: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".json": _json, ".yaml": _yaml, ".csv": _csv, ".npz": _npz, ".safetensors": _safetensors, ".sqlite": _sqlite,
    ".WAV": _audio, ".wav": _audio, ".PHN": _text,
}  # fmt: skip
