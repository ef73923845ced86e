"""Numbers of the classes that records name, the same for all models whose class has the same name."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, select

from edgeseg.errors import DataError
from edgeseg.queue.database import Database
from edgeseg.queue.sql import insert_new
from edgeseg.queue.tables import ClassName

MAX_CLASSES = 10_000
"""Names in one queue; a vehicle that invents some is stopped here, and the others go on."""


class ClassNumbers:
    """Number of every class by its name.

    Args:
        database: The queue.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: dict[str, int] = {}

    def of(self, names: Collection[str], item_id: str) -> dict[str, int]:
        """Numbers of at least these classes, which an item names; one that is new gets its number here.

        Raises:
            DataError: The queue has more names than any fleet's models have.
        """
        if not self._numbers.keys() >= set(names):
            self._add(names, item_id)
        return self._numbers

    def _add(self, names: Iterable[str], item_id: str) -> None:
        with self._database.write() as connection:
            self._numbers = _all(connection)
            rows = [{"name": name} for name in sorted(set(names) - self._numbers.keys())]
            if len(self._numbers) + len(rows) > MAX_CLASSES:
                raise DataError(
                    f"item {item_id}: with its class {rows[0]['name'][:80]!r} the queue would have more than "
                    f"{MAX_CLASSES} names"
                )
            if rows:
                connection.execute(insert_new(connection, ClassName), rows)
                self._numbers = _all(connection)


def class_names(connection: Connection) -> dict[int, str]:
    """Name of every class by its number."""
    return {number: name for name, number in _all(connection).items()}


def _all(connection: Connection) -> dict[str, int]:
    return {row.name: row.number for row in connection.execute(select(ClassName.name, ClassName.number))}
