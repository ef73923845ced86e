"""What SQLite and PostgreSQL both have, but SQLAlchemy offers by two names."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

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


class Unsought(ColumnElement[Any]):
    """A column by which SQLite must not look rows up, but hold them against it on its way along another index.

    SQLite takes every equality for selective; PostgreSQL keeps statistics and needs no word.
    """

    inherit_cache = True
    _traverse_internals: Any = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012

    def __init__(self, column: Any) -> None:
        self.column, self.type = column.__clause_element__(), column.type


@compiles(Unsought)
def _as_it_is(element: Unsought, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.column, **options))


@compiles(Unsought, "sqlite")
def _with_a_plus(element: Unsought, compiler: Any, **options: Any) -> str:
    # A unary plus: https://sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_
    return f"+{compiler.process(element.column, **options)}"
