"""Opening the queue's database: a SQLite file, or PostgreSQL by URL; its tables are brought up to date on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from edgeseg.errors import QueueError, UsageError
from edgeseg.files import writing

_MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x65646765736567
"""Key of the advisory lock under which PostgreSQL's tables are changed: "edgeseg"."""
_BUSY_S = 60.0


class Database:
    """An open database.

    Args:
        where: Path of a SQLite file, ``sqlite:///PATH``, or ``postgresql://USER@HOST/NAME``.

    Raises:
        UsageError: The URL has another form, or names another kind of database.
        QueueError: It cannot be opened, or was made by a newer edgeseg.
        OutputError: The file's folder cannot be made.
    """

    def __init__(self, where: str) -> None:
        url = _parsed(where)
        self.name = url.render_as_string(hide_password=True)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.engine = _engine(url)
        with self._telling():
            self._migrate()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection within one transaction; all of it is kept, or nothing."""
        with self._telling(), self.engine.connect() as connection:
            if self.is_sqlite:
                # Taken at once: a reader that becomes a writer later may find that another one was faster.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.begin()
            yield connection
            connection.commit()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the database."""
        with self._telling(), self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN" if self.is_sqlite else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield connection

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            told = str(error.orig).strip().splitlines()
            raise QueueError(f"{self.name}: {told[0] if told else error}; {_cure(self.is_sqlite)}") from error

    def _migrate(self) -> None:
        with self.write() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _upgrade(connection, self.name)


def _upgrade(connection: Connection, name: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise QueueError(
            f"{name}: was made by another edgeseg ({error}); update edgeseg or name another --db"
        ) from None


def _parsed(where: str) -> URL:
    if "://" not in where:
        path = Path(where).expanduser().resolve()
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        return URL.create("sqlite", database=os.fspath(path))
    try:
        url = make_url(where)
    except ArgumentError:
        raise UsageError(f"--db {where!r}: write a file's path, or postgresql://USER@HOST/NAME") from None
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        raise UsageError(f"--db: {url.get_backend_name()!r} is not supported; write a file's path, or postgresql://...")
    return url


def _engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() != "sqlite":
            return create_engine(url)
        engine = create_engine(url, connect_args={"timeout": _BUSY_S, "isolation_level": None})
    except (NoSuchModuleError, ArgumentError) as error:
        raise UsageError(f"--db: {error}; write a file's path, or postgresql://USER@HOST/NAME") from None
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")


def _cure(is_sqlite: bool) -> str:
    if is_sqlite:
        return "check that the file is a queue's, is writable, and that the disk has space"
    return "check that the server runs, and user, password and name in --db"
