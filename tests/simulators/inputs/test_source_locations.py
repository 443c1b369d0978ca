"""An error that is found after a file was read is said of the place where the file has the key."""

import pickle
from pathlib import Path

import pytest

from simulators import InputError
from simulators.inputs.documents import parse_document
from simulators.inputs.source_locations import Elsewhere, KeyedError, under

TEXT = """\
name: x
one: {grid: {array.rows: [8, 9]}}
many:
  - {grid: {array.rows: [1]}}
words: [a, b]
"""


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (("name",), "x.yaml:1:7: name: bad"),
        (("one", 0, "grid", "array.rows", 1), "x.yaml:2:30: one.grid.array.rows[1]: bad"),
        (("many", 0, "grid", "array.rows", 0), "x.yaml:4:26: many[0].grid.array.rows[0]: bad"),
        (("many",), "x.yaml:3:1: many: bad"),
        (("words", "bits", 1), "x.yaml:5:12: words[1]: bad"),
        (("words", 7), "x.yaml:5:8: words: bad"),
        (("default", "of_it"), "x.yaml:1:1: default.of_it: bad"),
    ],
)
def test_a_later_error_gets_its_place(key: tuple[str | int, ...], message: str) -> None:
    assert str(parse_document(TEXT, "x.yaml").placed(KeyedError(key, "bad"))) == message


def test_keys_are_put_together_from_the_inside() -> None:
    with pytest.raises(KeyedError) as caught, under("beacons", "carry"), under(2):
        raise InputError("nowhere: it holds no beacons")
    assert str(caught.value) == "beacons.carry[2]: nowhere: it holds no beacons"


def test_a_name_that_is_too_long_for_a_file_is_bad_input_and_a_full_disk_is_none(tmp_path: Path) -> None:
    with pytest.raises(KeyedError, match=r"model: '.*\.\.\.: File name too long"), under("model"):
        (tmp_path / ("a" * 300)).read_bytes()
    with pytest.raises(FileNotFoundError), under("model"):
        (tmp_path / "absent").read_bytes()


def test_an_error_travels_between_processes() -> None:
    again = pickle.loads(pickle.dumps(KeyedError(("fixed", "U*"), "no such site")))
    assert (str(again), again.key) == ("fixed.U*: no such site", ("fixed", "U*"))


def test_a_value_from_another_document_is_named_there() -> None:
    document = parse_document("{a: {b: 1}}", "spec.yaml")
    document.places["a",] = Elsewhere(("grid", "a"), ("grid", "a", 3))
    del document.places["a", "b"]
    assert str(document.error(("a",), "unknown key", of_key=True)) == "grid.a: unknown key"
    assert str(document.error(("a", "b"), "1: bad")) == "grid.a[3].b: 1: bad"
