"""JSON that is read back: what is refused, and where it is said to stand."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from simulators import InputError
from simulators.inputs import json_files
from simulators.inputs.json_files import parse_json, read_json


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    x: float


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    rows: list[Inner]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"x\.json:1:1: not JSON"),
        ('{"rows": [\n{"x": 1},]}', r"x\.json:2:10: not JSON"),
        ("[" * 100_000 + "]" * 100_000, r"x\.json: nested deeper than 64"),
        ("[" * 100 + "]" * 100, r"x\.json: nested deeper than 64"),
        ('{"rows": [{"x": ' + "9" * 5000 + "}]}", r"x\.json: exceeds the limit"),
        ('{"rows": [{"x": NaN}]}', r"x\.json: NaN: expected a finite number"),
        ('{"rows": [{"x": 1}, {"x": 1e999}]}', r"x\.json:1:27: rows\[1\]\.x: inf: expected a finite number"),
        ('{"rows": [{"x": 1, "x": 2}]}', r"x\.json: 'x': duplicate key"),
        ('{"rows": [{"x": 1},\n{"x": "one"}]}', r"x\.json:2:7: rows\[1\]\.x: 'one': expected a number"),
        ('{"rows": [{"x": 1, "z": 2}]}', r"x\.json:1:25: rows\[0\]\.z: unknown key"),
        ('{"row": []}', r"x\.json:1:9: row: unknown key; did you mean rows"),
        ("{}", r"x\.json:1:1: rows: missing"),
        ("[1]", r"x\.json:1:1: \[1\]: expected a mapping of keys to values"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_json(tmp_path / "x.json", Outer)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_more_than_is_read_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_files, "MOST_CONTAINERS", 3)
    assert parse_json('[{"a": []}]', "x") == [{"a": []}]
    with pytest.raises(InputError, match="x: more than 3 lists and mappings"):
        parse_json('[{"a": [[]]}]', "x")


def test_a_file_that_is_too_large_for_places_is_still_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.inputs.documents.MAX_VALUES", 3)
    (tmp_path / "x.json").write_text('{"rows": [{"x": 1}, {"x": "one"}]}')
    with pytest.raises(InputError, match=r"x\.json: rows\[1\]\.x: 'one': expected a number"):
        read_json(tmp_path / "x.json", Outer)
