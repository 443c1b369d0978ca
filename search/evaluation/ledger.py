"""Every finished evaluation, in one SQLite file, written before it is used.

Errors are keyed by model, data, candidate and the code that computes them; costs by trace (which holds the geometry,
the steps and the candidate), hardware and the code of its platform's simulator. So an error is found again for any
hardware, a cost for any data, and neither after its code changed. Keyed as errors are, there are also the candidates
that were set aside because their evaluation killed workers. Of a search whose evaluations ran beside one another there
is the order of what was asked for and told, from which it is repeated.

The file is in WAL mode, set once by its creator, with synchronous=FULL: a row that `write_…` returned from survives a
kill of the process and a crash of the machine. Several processes may share a ledger; a row written twice stays as it
was first.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from search.evaluation.ledger_rows import LedgerUnusable, in_words
from search.evaluation.model import Model, code_of
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import parse_json
from simulators.inputs.source_locations import shown

LEDGER_FILE = "ledger.sqlite"
FLOAT = "float"
"""Stands for a candidate's name where nothing is quantized."""
SCHEMA = 1
BUSY_TIMEOUT_S = 30.0
_TABLES = """
    CREATE TABLE about (schema INTEGER NOT NULL);
    CREATE TABLE errors (
        model TEXT, data TEXT, candidate TEXT, code TEXT, result TEXT NOT NULL, seconds REAL NOT NULL,
        PRIMARY KEY (model, data, candidate, code)) WITHOUT ROWID;
    CREATE TABLE costs (
        trace TEXT, arch TEXT, code TEXT, result TEXT NOT NULL,
        PRIMARY KEY (trace, arch, code)) WITHOUT ROWID;
"""
_ADDED = """
    CREATE TABLE IF NOT EXISTS set_aside (
        model TEXT, data TEXT, candidate TEXT, code TEXT, deaths INTEGER NOT NULL,
        PRIMARY KEY (model, data, candidate, code)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS asks_and_tells (number INTEGER PRIMARY KEY, event TEXT NOT NULL);
"""


class ErrorsOf(NamedTuple):
    """The key of a model's errors: digests."""

    model: str
    """Digest of the model's parameters."""
    data: str
    """Digest of what it is evaluated on."""
    code: str
    """Digest of the code that computes its errors."""


def errors_of(model: Model) -> ErrorsOf:
    """The key under which a ledger has a model's errors."""
    return ErrorsOf(model.digest, model.data_digest, code_of(model).digest())


class CostsOf(NamedTuple):
    """The key of an architecture's costs: digests."""

    arch: str
    """Digest of the architecture's spec."""
    code: str
    """Digest of the code of its platform's simulator."""


class Ledger:
    """An open ledger. Results are flat mappings of names to numbers; `trace` is a digest."""

    def __init__(self, path: Path):
        self.path = path
        with self._reporting():
            self._database = _open(path)

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def find_error(self, of: ErrorsOf, candidate: str) -> dict[str, Any] | None:
        """What `write_error` wrote under this key, or None."""
        return self._find("errors", {**of._asdict(), "candidate": candidate})

    def candidates(self, of: ErrorsOf) -> list[str]:
        """Names of all candidates that errors were written of under this key, rising; the network before quantization,
        whose error is recorded too, is none."""
        query = "SELECT candidate FROM errors WHERE model = :model AND data = :data AND code = :code ORDER BY candidate"
        with self._reporting():
            return [name for (name,) in self._database.execute(query, of._asdict()) if name != FLOAT]

    def write_error(self, of: ErrorsOf, candidate: str, result: Mapping[str, Any], seconds: float) -> None:
        """Record the error of a candidate, and how many seconds its evaluation took."""
        self._write("errors", _error_row(of, candidate, result, seconds))

    def write_errors(self, of: ErrorsOf, results: Mapping[str, Mapping[str, Any]]) -> None:
        """Record errors of candidates, by name, that were evaluated elsewhere: all in one transaction."""
        self._write("errors", *(_error_row(of, name, result, 0.0) for name, result in results.items()))

    def find_cost(self, of: CostsOf, trace: str) -> dict[str, Any] | None:
        """What `write_costs` wrote under this key, or None."""
        return self._find("costs", {**of._asdict(), "trace": trace})

    def write_costs(self, of: CostsOf, results: Mapping[str, Mapping[str, Any]]) -> None:
        """Record the costs of several traces, all or none."""
        rows = [{**of._asdict(), "trace": trace, "result": json.dumps(result)} for trace, result in results.items()]
        self._write("costs", *rows)

    def set_aside(self, of: ErrorsOf, candidate: str, deaths: int) -> None:
        """Record that so many workers died evaluating a candidate."""
        self._write("set_aside", {**of._asdict(), "candidate": candidate, "deaths": deaths})

    def is_set_aside(self, of: ErrorsOf, candidate: str) -> bool:
        """Whether a candidate was set aside under this key."""
        return self._row("set_aside", "deaths", {**of._asdict(), "candidate": candidate}) is not None

    def begin_anew(self) -> None:
        """Have what was set aside tried again, and forget in what order another search asked, as a new search that
        begins with another's ledger does."""
        with self._reporting(), self._database:
            self._database.execute("DELETE FROM set_aside")
            self._database.execute("DELETE FROM asks_and_tells")

    def events(self) -> list[str]:
        """What `write_event` wrote, in its order."""
        with self._reporting():
            rows = self._database.execute("SELECT event FROM asks_and_tells ORDER BY number").fetchall()
        return [str(text) for (text,) in rows]

    def write_event(self, event: str) -> None:
        """Record what was asked for or told next."""
        with self._reporting(), self._database:
            self._database.execute("INSERT INTO asks_and_tells (event) VALUES (?)", (event,))

    def counts(self) -> dict[str, int]:
        """How many errors and how many costs are recorded."""
        with self._reporting():
            return {
                table: self._database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("errors", "costs")
            }

    def seconds(self) -> float:
        """Seconds that all recorded model evaluations took."""
        with self._reporting():
            return float(self._database.execute("SELECT coalesce(sum(seconds), 0) FROM errors").fetchone()[0])

    def _find(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        row = self._row(table, "result", key)
        if row is None:
            return None
        try:
            result = parse_json(row[0], str(self.path)) if isinstance(row[0], str) else None
        except InputError as error:
            raise LedgerUnusable(str(error)) from None
        if not isinstance(result, dict):
            raise LedgerUnusable(f"{self.path}: {table}: {shown(result)}: expected a mapping of names to numbers")
        return result

    def _row(self, table: str, column: str, key: Mapping[str, Any]) -> Any:
        where = " AND ".join(f"{name} = :{name}" for name in key)
        with self._reporting():
            return self._database.execute(f"SELECT {column} FROM {table} WHERE {where}", key).fetchone()

    def _write(self, table: str, *rows: Mapping[str, Any]) -> None:
        if not rows:
            return
        columns, values = ", ".join(rows[0]), ", ".join(f":{column}" for column in rows[0])
        with self._reporting(), self._database:
            self._database.executemany(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({values})", rows)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """One line for what a user can mend: a full disk, a read-only folder, a file that is no ledger, another's
        lock."""
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:  # SQLite's message may quote damaged bytes
            raise LedgerUnusable(f"{self.path}: the ledger cannot be used: {error}") from None


def _error_row(of: ErrorsOf, candidate: str, result: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    text = json.dumps(in_words(result), allow_nan=False)
    return {**of._asdict(), "candidate": candidate, "result": text, "seconds": seconds}


def _open(path: Path) -> sqlite3.Connection:
    """SQLite does not wait while another process turns a new file to WAL mode: we do."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            return _connected(path)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _connected(path: Path) -> sqlite3.Connection:
    new = not path.exists()
    if not new and not path.is_file():
        raise InputError(f"{path}: the ledger cannot be used: it is no file")
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)
    database.execute("PRAGMA synchronous=FULL")
    if new or path.stat().st_size == 0:
        database.execute("PRAGMA journal_mode=WAL")
    with database:
        database.execute("BEGIN IMMEDIATE")
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            for statement in _TABLES.split(";")[:-1]:
                database.execute(statement)
            database.execute("INSERT INTO about VALUES (?)", (SCHEMA,))
        elif "about" not in tables:
            raise InputError(f"{path}: an SQLite file, but not a ledger of mohaq")
        schema = database.execute("SELECT schema FROM about").fetchone()
        if schema == (SCHEMA,):
            for statement in _ADDED.split(";")[:-1]:
                database.execute(statement)
    if schema != (SCHEMA,):
        raise InputError(
            f"{path}: a ledger of schema {schema[0] if schema else 'unknown'}: this version reads schema {SCHEMA}"
        )
    return database
