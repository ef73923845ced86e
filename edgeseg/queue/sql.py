"""What SQLite and PostgreSQL both have, but SQLAlchemy offers by two names."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from edgeseg.queue.tables import Base


def insert_new(connection: Connection, table: type[Base]) -> Any:
    """An INSERT that passes over rows whose key is there already."""
    return _insert(connection, table).on_conflict_do_nothing()


def insert_or_raise(connection: Connection, table: type[Base], keys: list[str], column: str) -> Any:
    """An INSERT that, where the key is there already, raises a column to the new value if that is higher."""
    statement = _insert(connection, table)
    new, old = statement.excluded[column], table.__table__.c[column]
    return statement.on_conflict_do_update(index_elements=keys, set_={column: new}, where=new > old)


def _insert(connection: Connection, table: type[Base]) -> Any:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)
