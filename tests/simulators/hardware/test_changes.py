"""How an architecture and its changes are written in one word."""

import pytest

from simulators.hardware.arch import split_changes


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("bitfusion", ["bitfusion"]),
        ("bitfusion,array.rows=64,name=x", ["bitfusion", "array.rows=64", "name=x"]),
        ("a,precisions=[[8,8],[4,4]],b=1", ["a", "precisions=[[8,8],[4,4]]", "b=1"]),
        ("a,mapping={outer: outputs, in_tile: 64},b=1", ["a", "mapping={outer: outputs, in_tile: 64}", "b=1"]),
        ("a,description='x, y',b=\"]\",c=[',', ']']", ["a", "description='x, y'", 'b="]"', "c=[',', ']']"]),
        ("a,description=it's,b=don't", ["a", "description=it's", "b=don't"]),
        ("a,", ["a", ""]),
        ("a,b=[1,2", ["a", "b=[1,2"]),
    ],
)
def test_commas_inside_brackets_and_quotes_part_nothing(text: str, parts: list[str]) -> None:
    assert split_changes(text) == parts
