"""The fuzzer's changes of structure: each does what it says, and what stands around it stays."""

import random

import pytest
import yaml
from fuzz.mutations import as_json
from fuzz.structure import has_structure, restructured

YAML = "# a comment\na: 1 # one\nb: {c: [2, x], d: 0.5}\ne:\n- f: true\n  g: '8'\n"


def inputs(name: str, text: str, number: int = 1000) -> list[str]:
    changed = []
    for seed in range(number):
        try:
            changed.append(restructured(name, text.encode(), random.Random(seed)).decode("utf-8", "surrogatepass"))
        except (ValueError, yaml.YAMLError):  # a change upon a change that left no document
            continue
    return changed


@pytest.mark.slow
def test_what_no_plain_data_holds_and_what_stays() -> None:
    assert {has_structure(name) for name in ("a.yaml", "a.json", "a.csv", "a.onnx")} == {True}
    assert not has_structure("a.npz")
    found = inputs("a.yaml", YAML)
    assert len(found) > 800
    assert sum("# a comment" in text for text in found) > 0.8 * len(found)
    for piece in ("a: 1\na: 1", "&anchor", "*anchor", "!!", "5e-324", "2147483648", "b: 1", "'1'", "[1]"):
        assert any(piece in text for text in found), piece
    assert any(text.count("c: ") > 1 for text in found)


@pytest.mark.slow
def test_json_keeps_its_form() -> None:
    found = inputs("a.json", as_json({"a": 1, "b": {"c": [2, "x"], "d": 0.5}}))
    assert any(text.count('"a":') > 1 for text in found)
    assert all(text.startswith(("{", "[", "!", "&", "'", '"', "*", "?")) or len(text) < 40 for text in found)


@pytest.mark.parametrize("piece", ["name,size\nb,", "size\nb", "size,size", '"a"', "\r\n", ";"])
def test_columns(piece: str) -> None:
    assert any(piece in text for text in inputs("a.csv", "name,size\na,1\nb,22\n"))
