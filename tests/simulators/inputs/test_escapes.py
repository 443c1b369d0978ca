"""A user's text in places that would read it as more than text."""

import csv
import io
import os
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.inputs.csv_text import csv_of
from simulators.inputs.escapes import page_text, picture_text, shell_word, spreadsheet_cell, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fc[/] lay[a]x :100: ünï 層 µ", "fc[/] lay[a]x :100: ünï 層 µ"),
        ("\x1b[31mRED\x1b]0;title\x07", r"\x1b[31mRED\x1b]0;title\x07"),
        ("a\nb\r\tc\x7f", r"a\nb\r\tc\x7f"),
        ("c1 \x9b31m \x90", r"c1 \x9b31m \x90"),
        ("bidi \u202e \u2066 \u200f zero \u200b\ufeff", r"bidi \u202e \u2066 \u200f zero \u200b\ufeff"),
        ("line\u2028\u2029\x85", r"line\u2028\u2029\x85"),
        ("file \udcff", r"file \udcff"),
    ],
)
def test_what_is_not_printable_is_seen(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.slow
@given(st.text())
def test_visible_text_is_one_printable_line_and_stays_so(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)
    assert picture_text(text).lstrip("\u200a").isprintable()
    assert not picture_text(text).startswith("_")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("L0", "L0"),
        ("L0=8x8,P1=4x8", "L0=8x8,P1=4x8"),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  -2+cmd|'/C calc'!A0", "'  -2+cmd|'/C calc'!A0"),
        ("a;=1+1", "a;'=1+1"),
        ("＝1", "'＝1"),
        ("\t=1", r"\t=1"),
        ("\x1b[0m\n", r"\x1b[0m\n"),
    ],
)
def test_no_cell_of_a_spreadsheet_is_a_formula(text: str, cell: str) -> None:
    assert spreadsheet_cell(text) == cell
    (heading,), (row,) = csv.reader(io.StringIO(csv_of([{text: text}], [text])))
    assert (heading, row) == (cell, cell)


def test_numbers_of_a_table_stay_as_they_are() -> None:
    assert csv_of([{"x": -1.5, "y": None}, {"x": 2}], ["x", "y"], missing=0) == "x,y\n-1.5,\n2,0\n"


def test_a_page_has_no_tags_of_names() -> None:
    assert page_text("<img src=x onerror='f()'>\u202e") == r"&lt;img src=x onerror=&#x27;f()&#x27;&gt;\u202e"


HOSTILE = [
    "a b",
    "a'b",
    "$(touch x)",
    "`id`",
    "a\nb",
    "\x1b[201~rm -rf",
    "'\\\n'\u202e é",
    "\udcff",
    "",
    "-x",
    "a;b",
    "!1",
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_a_shell_reads_a_word_as_what_it_was() -> None:
    words = [shell_word(text) for text in HOSTILE]
    assert all(word.isprintable() for word in words)
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {' '.join(words)}"], capture_output=True, check=True)
    assert done.stdout.split(b"\0")[:-1] == [os.fsencode(text) for text in HOSTILE]
