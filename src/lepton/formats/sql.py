"""A table or a query of a database, through SQLAlchemy: SQLite files, PostgreSQL and what else has a driver."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lepton.core import plugins
from lepton.core.errors import MissingExtra, UserError
from lepton.core.types import Reading
from lepton.formats import _names, _rows
from lepton.formats._joined import joined
from lepton.formats._table import Again, Row, Table
from lepton.formats._text import some

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Inspector

MODALITY = "text"
ADDRESSES = ("sqlite", "postgresql", "mysql", "mariadb", "oracle", "mssql")

_MAGIC = b"SQLite format 3\0"
_BATCH = 1000
_RULE = "An address is like postgresql://user:${DB_PASSWORD}@host/database, or sqlite:///file.db"


def sniff(path: Path) -> bool:
    """Whether `path` is a SQLite database."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read(
    path: Path,
    *,
    text: str | None = None,
    label: str | None = None,
    table: str | None = None,
    query: str | None = None,
) -> Reading:
    """Read one record a row; ids are `reviews#17`: the primary key where it is one whole number, else counted from 0.

    `table` names the table or view (`schema.name`), or `query` is a SELECT; left out, the only table is read, or those
    whose names carry train, dev and test. The path is a SQLite file; an address names any database:
    `postgresql://ann@host/shop`. In it `${NAME}` stands for a variable of the environment, so that no password
    need be written down. Columns are chosen as in `table`. Nothing is committed, and rows come in batches.
    Raises UserError for what is no such database, MissingExtra without SQLAlchemy.
    """
    return read_at(f"sqlite:///{path.absolute()}", path.parent, text=text, label=label, table=table, query=query)


def read_at(
    address: str,
    base: Path,
    *,
    text: str | None = None,
    label: str | None = None,
    table: str | None = None,
    query: str | None = None,
) -> Reading:
    """Read as `read` does from an address; the path of a SQLite file in it starts from `base`."""
    if table and query:
        raise UserError("Both a table and a query are named", rule="One of them says what is read")
    database = _Database(_url(address, base))
    if query:
        return _one(database.query(query), ("query", None), (text, label))
    parts = database.tables(table)
    return joined([_one(database.table(name), (name, split), (text, label)) for name, split in parts.items()])


@dataclass(frozen=True, slots=True)
class _Database:
    """Where rows come from; each use is a connection of its own."""

    url: "URL"

    def tables(self, asked: str | None) -> dict[str, str | None]:
        """The table to read, or several, with their splits."""
        with self._connected() as connection:
            known = _tables(connection)
        if asked:
            schema, _, name = asked.rpartition(".")
            if not schema and name not in known:
                raise plugins.unknown("table", asked, known)
            return {asked: None}
        parts = _names.by_split([Path(name) for name in known])
        if not parts:
            raise UserError(
                "The database has several tables, or none",
                rule=f"Tables: {some(known, 20)}" if known else "It has none",
                remedy='Name one: format = { name = "sql", table = "..." }, or query = "SELECT ..."',
            )
        return {path.name: split for split, paths in parts.items() for path in paths}

    def table(self, name: str) -> Table:
        """The rows of a table in the order of its primary key."""
        from sqlalchemy import MetaData, select
        from sqlalchemy import Table as Described

        schema, _, bare = name.rpartition(".")
        with self._connected() as connection:
            described = Described(bare, MetaData(), autoload_with=connection, schema=schema or None)
        keys = list(described.primary_key.columns)
        chosen = select(described).order_by(*keys)
        number = keys[0].name if len(keys) == 1 and _is_whole(keys[0].type) else None
        return Table(list(described.columns.keys()), Again(lambda: self._rows(chosen, number)))

    def query(self, query: str) -> Table:
        """The rows of a query in the order that it gives."""
        from sqlalchemy import text

        chosen = text(query.replace(":", r"\:"))  # a colon in it is no parameter
        with self._connected() as connection, _ran(connection, chosen) as result:
            columns = list(result.keys())
        return Table(columns, Again(lambda: self._rows(chosen, None)))

    def _rows(self, chosen: Any, number: str | None) -> Iterator[Row]:
        with self._connected() as connection, _ran(connection, chosen) as result:
            for at, row in enumerate(result.mappings()):
                cells = {str(key): bytes(cell) if isinstance(cell, memoryview) else cell for key, cell in row.items()}
                yield int(cells[number]) if number else at, cells

    @contextmanager
    def _connected(self) -> Iterator["Connection"]:
        """A connection; what goes wrong is a UserError in which no password stands."""
        from sqlalchemy import NullPool, create_engine
        from sqlalchemy.exc import SQLAlchemyError

        try:
            engine = create_engine(self.url, poolclass=NullPool)
            with engine.connect() as connection:
                read_only = {"postgresql_readonly": True} if self.url.get_backend_name() == "postgresql" else {}
                yield connection.execution_options(stream_results=True, yield_per=_BATCH, **read_only)
        except (SQLAlchemyError, ImportError) as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> UserError:
        if isinstance(error, ImportError):
            what = f"There is no driver for {self.url.drivername}: {error}"
            return UserError(what, remedy="Install it, such as psycopg for postgresql://")
        reason = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
        return UserError(f"{_shown(self.url)} cannot be read", rule=_without_secrets(self.url, reason[0][:300]))


def _one(table: Table, name: tuple[str, str | None], asked: tuple[str | None, str | None]) -> Reading:
    text, label, notes = _rows.roles(table, *asked)
    made = _rows.reading(table, name[0], text=text, label=label, split=name[1])
    return Reading(made.records, made.bad, [*(f"{name[0]}: {note}" for note in notes), *made.notes])


@contextmanager
def _ran(connection: "Connection", chosen: Any) -> Iterator[Any]:
    with connection.execute(chosen) as result:
        if not result.returns_rows:
            raise UserError("The query gives no rows", rule="It must be a SELECT")
        yield result


def _tables(connection: "Connection") -> list[str]:
    from sqlalchemy import inspect

    inspector: Inspector = inspect(connection)
    return sorted({*inspector.get_table_names(), *inspector.get_view_names()})


def _is_whole(kind: Any) -> bool:
    from sqlalchemy import Integer

    return isinstance(kind, Integer)


def _url(address: str, base: Path) -> "URL":
    """The address with its variables filled in, a SQLite file found and opened for reading only."""
    try:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError as error:
        raise MissingExtra("Databases are read through SQLAlchemy", "sql") from error
    try:
        url = make_url(re.sub(r"\$\{(\w+)\}", _variable, address))
    except (ArgumentError, ValueError):
        raise UserError("The address of the database cannot be understood", rule=_RULE) from None
    if url.get_backend_name() == "sqlite":
        return _read_only(url, base)
    if url.drivername == "postgresql" and find_spec("psycopg"):
        return url.set(drivername="postgresql+psycopg")
    return url


def _variable(match: re.Match[str]) -> str:
    value = os.environ.get(match[1])
    if value is None:
        raise UserError(f"The variable {match[1]} is not set", rule="The address of the database names it")
    return quote(value, safe="")


def _read_only(url: "URL", base: Path) -> "URL":
    """A database that is not there is not made, and one that is there is not written to."""
    path = base / (url.database or "")
    if not url.database or not path.is_file():
        raise UserError(f"There is no database {path}", rule="An address is like sqlite:///file.db")
    query: Mapping[str, str] = {"mode": "ro", "uri": "true"}
    return url.set(database=f"file:{quote(str(path.absolute()))}", query=query)


def _shown(url: "URL") -> str:
    """The address as messages may show it: no user, no password, no settings."""
    name = (url.database or "").removeprefix("file:")
    return f"{url.get_backend_name()}://{url.host or ''}/{name}"


def _without_secrets(url: "URL", text: str) -> str:
    """`text` without the password and what stands in the settings, as they are and as an address spells them."""
    secrets = [str(url.password or ""), *(str(value) for key, value in url.query.items() if "pass" in key)]
    for secret in filter(None, secrets):
        for form in (secret, quote(secret, safe="")):
            text = text.replace(form, "***")
    return text
