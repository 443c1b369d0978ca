"""Consoles on which a text is nothing but text."""

import io

import pytest
from rich.progress import Progress
from rich.table import Table

from simulators.inputs.errors import InputError
from simulators.inputs.terminal import DescriptionColumn, Terminal, check_spelling, spelt

NAME = "fc[/] [red]x :100:\x1b]0;pwned\x07\n\u202eend"
SHOWN = r"fc[/] [red]x :100:\x1b]0;pwned\x07\n\u202eend"


def test_cells_headings_titles_and_lines_show_a_name_as_it_is() -> None:
    printed = io.StringIO()
    terminal = Terminal(file=printed, width=200)
    table = Table(NAME, title=f"title {NAME}", caption=f"caption {NAME}")
    table.add_row(f"cell {NAME}")
    terminal.show(table)
    terminal.say(f"line {NAME}")
    for place in ("title ", "caption ", "cell ", "line ", ""):
        assert place + SHOWN in printed.getvalue()
    assert printed.getvalue().replace("\n", "").isprintable()


def test_a_progress_bar_shows_a_name_as_it_is() -> None:
    printed = io.StringIO()
    terminal = Terminal(file=printed, width=200)
    with Progress(DescriptionColumn(), console=terminal) as bar:
        bar.add_task(NAME, total=1)
    assert SHOWN in printed.getvalue()
    assert "\x1b]" not in printed.getvalue()


def test_nothing_of_a_table_is_cut_on_a_narrow_terminal() -> None:
    printed = io.StringIO()
    table = Table("name", "text")
    table.add_column("figure", no_wrap=True)
    table.add_row("a-name-of-many-letters", "some words that follow", "1,234,567.890")
    Terminal(file=printed, width=20).show(table)
    shown = printed.getvalue()
    assert "1,234,567.890" in shown
    assert "…" not in shown
    letters = [line.split("┃" if "┃" in line else "│")[1].strip() for line in shown.splitlines() if "│" in line]
    assert "".join(letters) == "a-name-of-many-letters"


def test_what_an_encoding_has_not_is_spelt() -> None:
    assert spelt("3 µJ × 2 – ½", "ascii") == r"3 uJ x 2 - \xbd"
    assert spelt("3 µJ × ½ – ő", "iso-8859-1") == r"3 µJ × ½ - \u0151"
    assert spelt("3 µJ – ő", "utf-8") == "3 µJ – ő"
    assert spelt("aµ" * 5000, "ascii") == "au" * 5000


def test_an_ascii_console_prints_ascii() -> None:
    bytes_written = io.BytesIO()
    stream = io.TextIOWrapper(bytes_written, encoding="ascii")
    table = Table("energy µJ", title="é")
    table.add_row("1 × 2")
    Terminal(file=stream, width=40).show(table)
    stream.flush()
    assert b"energy uJ" in bytes_written.getvalue()
    assert rb"\xe9" in bytes_written.getvalue()


def test_data_are_not_spelt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    check_spelling("name,1\n")
    with pytest.raises(InputError, match=r"standard output: ascii has no 'é': name a file, or set PYTHONIOENCODING"):
        check_spelling("é,1\n")


@pytest.mark.parametrize("terminal", [True, False])
def test_words_are_folded_between_them_on_a_terminal_alone(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(file, "isatty", lambda: terminal, raising=False)
    console = Terminal(file=file, width=30)
    text = "ten words that no terminal of thirty columns has in a line, [bold] among them"
    console.tell(text)
    lines = file.getvalue().splitlines()
    assert " ".join(line.strip() for line in lines) == text
    assert (len(lines) > 1) == terminal == (max(map(len, lines)) <= 30)
