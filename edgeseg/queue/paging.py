"""Pages of items by the place of their first and last one: the thousandth is as quick as the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select, tuple_

from edgeseg.errors import ConfigError
from edgeseg.queue.classes import class_names
from edgeseg.queue.database import Database
from edgeseg.queue.listing import ListSettings, listed, plain_item
from edgeseg.queue.tables import Item

_COLUMNS: dict[str, tuple[Any, ...]] = {
    "newest": (Item.arrived_at, Item.number),
    "value": (Item.priority, Item.score, Item.number),
}
"""What each order goes by, highest first; ``items_newest`` and ``items_value`` are their indexes."""
_LONGEST = 100


@dataclass(frozen=True)
class Place:
    """Where an item stands in an order, whether it is still there or not.

    Attributes:
        order: ``newest`` or ``value``.
        values: What the order goes by.
    """

    order: str
    values: tuple[Any, ...]

    def __str__(self) -> str:
        """Text for an address; ``parse_place`` is its inverse."""
        return "_".join(v.isoformat() if isinstance(v, datetime) else repr(v) for v in self.values)


@dataclass(frozen=True)
class ItemPage:
    """Some items in a row.

    Attributes:
        items: As ``list_items`` gives them.
        before, after: Places from which the pages on either side go; None where there is none.
    """

    items: list[dict[str, Any]]
    before: Place | None
    after: Place | None


def parse_place(text: str, order: str) -> Place:
    """Reads a place's text.

    Raises:
        ConfigError: It is no place in this order.
    """
    try:
        if len(text) > _LONGEST:
            raise ValueError
        values = _READ[order](*text.split("_"))
    except (TypeError, ValueError):
        raise ConfigError(f"{text[:_LONGEST]!r} is no place in the order {order!r}; begin at the first page") from None
    return Place(order, values)


def _newest(arrived_at: str, number: str) -> tuple[Any, ...]:
    moment = datetime.fromisoformat(arrived_at)
    if moment.tzinfo is None:
        raise ValueError
    return moment, _integer(number, 64)


def _value(priority: str, score: str, number: str) -> tuple[Any, ...]:
    return _integer(priority, 32), float(score), _integer(number, 64)


def _integer(text: str, bits: int) -> int:
    if not -(2 ** (bits - 1)) <= (value := int(text)) < 2 ** (bits - 1):
        raise ValueError
    return value


_READ: dict[str, Callable[..., tuple[Any, ...]]] = {"newest": _newest, "value": _value}


def read_page(
    settings: ListSettings, database: Database, after: Place | None = None, before: Place | None = None
) -> ItemPage:
    """Items that follow a place, or those that go before one, in the settings' order.

    Args:
        settings: Filters, order (``newest`` or ``value``) and length; ``offset`` plays no part.
        database: The queue.
        after: The place that they follow.
        before: The place that they go before; with neither, the first page.
    """
    with database.read() as connection:
        names = class_names(connection)
        query = listed(settings).limit(settings.limit + 1)
        rows = list(connection.execute(_from(query, settings.order, after, before)))
    more, rows = len(rows) > settings.limit, rows[: settings.limit]
    if before is not None:
        rows.reverse()
    if not rows:
        return ItemPage([], None, None)
    first, last = _place(settings.order, rows[0]), _place(settings.order, rows[-1])
    has_before = more if before is not None else after is not None
    has_after = True if before is not None else more
    items = [plain_item(row, names) for row in rows]
    return ItemPage(items, first if has_before else None, last if has_after else None)


def neighbours(settings: ListSettings, database: Database, number: int) -> tuple[str | None, str | None]:
    """Ids of the items before and after one in a list, whether it is itself still in that list or not.

    Args:
        settings: The list.
        database: The queue.
        number: The item's number.
    """
    with database.read() as connection:
        row = connection.execute(select(*_COLUMNS[settings.order]).where(Item.number == number)).one()
        place = _place(settings.order, row)
        return _first(connection, settings, None, place), _first(connection, settings, place, None)


def _first(connection: Connection, settings: ListSettings, after: Place | None, before: Place | None) -> str | None:
    query = listed(settings).limit(1).with_only_columns(Item.item_id, maintain_column_froms=True)
    found: str | None = connection.scalar(_from(query, settings.order, after, before))
    return found


def _from(query: Select[Any], order: str, after: Place | None, before: Place | None) -> Select[Any]:
    columns = _COLUMNS[order]
    if before is not None:
        return query.where(tuple_(*columns) > before.values).order_by(*(column.asc() for column in columns))
    if after is not None:
        query = query.where(tuple_(*columns) < after.values)
    return query.order_by(*(column.desc() for column in columns))


def _place(order: str, row: Row[Any]) -> Place:
    return Place(order, tuple(row._mapping[column.key] for column in _COLUMNS[order]))
