"""The ledger: what is found again, what is not, and what is refused."""

import multiprocessing
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import search.evaluation.ledger as ledger_module
from search.evaluation.ledger import CostsOf, ErrorsOf, Ledger
from simulators import InputError

OF = ErrorsOf("m", "d", "c")
ON = CostsOf("a", "c")


def test_errors_are_found_by_their_whole_key(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite")
    ledger.write_error(OF, "A=8x8", {"error": 17.25}, 1.5)
    assert ledger.find_error(OF, "A=8x8") == {"error": 17.25}
    assert ledger.find_error(OF._replace(model="m2"), "A=8x8") is None
    assert ledger.find_error(OF._replace(data="d2"), "A=8x8") is None
    assert ledger.find_error(OF._replace(code="edited"), "A=8x8") is None
    assert ledger.find_error(OF, "A=8x4") is None
    assert ledger.seconds() == 1.5


def test_costs_are_found_by_their_whole_key(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite")
    ledger.write_costs(ON, {"t": {"cycles": 5}})
    assert ledger.find_cost(ON, "t") == {"cycles": 5}
    assert ledger.find_cost(ON._replace(arch="b"), "t") is None
    assert ledger.find_cost(ON._replace(code="edited"), "t") is None
    assert ledger.find_cost(ON, "u") is None


def test_what_was_written_first_stays(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite")
    ledger.write_costs(ON, {"t": {"cycles": 5}})
    ledger.write_costs(ON, {"t": {"cycles": 6}})
    assert ledger.find_cost(ON, "t") == {"cycles": 5}
    assert ledger.counts() == {"errors": 0, "costs": 1}


def test_the_file_is_in_wal_mode_and_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    Ledger(path).write_costs(ON, {"t": {"cycles": 5}})
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert Ledger(path).find_cost(ON, "t") == {"cycles": 5}


def test_what_was_written_survives_a_crash_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits for the disk at every commit, in a new file and in one that is there: PRAGMA synchronous is FULL."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def kept(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", kept)
    for _ in range(2):
        Ledger(tmp_path / "l.sqlite").write_error(OF, "A=8x8", {"error": 17.25}, 1.5)
    assert len(opened) == 2
    assert [database.execute("PRAGMA synchronous").fetchone() for database in opened] == [(2,)] * 2


def busy(times: int, code: int = sqlite3.SQLITE_BUSY) -> Callable[[Path], sqlite3.Connection]:
    """What opens a file that is in use so many times before it is not."""
    connected, left = ledger_module._connected, [times]

    def opened(path: Path) -> sqlite3.Connection:
        if not left[0]:
            return connected(path)
        left[0] -= 1
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = code
        raise error

    return opened


def test_a_file_that_another_process_begins_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "_connected", busy(3))
    assert Ledger(tmp_path / "l.sqlite").counts() == {"errors": 0, "costs": 0}
    monkeypatch.setattr(ledger_module, "_connected", busy(1, sqlite3.SQLITE_CANTOPEN))
    with pytest.raises(InputError, match="cannot be used: database is locked"):
        Ledger(tmp_path / "l.sqlite")
    monkeypatch.setattr(ledger_module, "BUSY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(ledger_module, "_connected", busy(1000))
    with pytest.raises(InputError, match="cannot be used: database is locked"):
        Ledger(tmp_path / "l.sqlite")


def _write_many(path: Path, start: int) -> None:
    ledger = Ledger(path)
    for i in range(40):
        ledger.write_costs(ON, {f"t{start + i}": {"cycles": i}})


@pytest.mark.slow
def test_two_processes_write_to_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, start)) for start in (0, 20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [w.exitcode for w in writers] == [0, 0]
    assert Ledger(path).counts()["costs"] == 60


def test_another_schema_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    Ledger(path).close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE about SET schema = 7")
    with pytest.raises(InputError, match="a ledger of schema 7: this version reads schema 1"):
        Ledger(path)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (x)")
    with pytest.raises(InputError, match="not a ledger"):
        Ledger(other)
    text = tmp_path / "text.sqlite"
    text.write_text("hello, this is no database at all" * 10)
    with pytest.raises(InputError, match="cannot be used: file is not a database"):
        Ledger(text)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="the ledger cannot be used"):
        Ledger(tmp_path / "file" / "l.sqlite")


def test_a_message_of_sqlite_that_quotes_damaged_bytes_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    Ledger(path).close()
    schema = path.read_bytes().replace(b"errorserrors", b"er\xd8orserrors")
    path.write_bytes(schema.replace(b"CREATE TABLE errors", b"CREATE TABBE errors"))
    with pytest.raises(InputError, match="the ledger cannot be used") as raised:
        Ledger(path)
    assert "\n" not in str(raised.value)
