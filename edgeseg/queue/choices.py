"""Keeping why items were chosen, and which of their regions are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from edgeseg.queue.packing import unpack_regions
from edgeseg.queue.tables import Choice, Item

REGIONS_PER_FRAME = 10
"""Regions of one frame that are asked for, at most, unless told otherwise."""
_AT_ONCE = 500


def keep_choices(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Writes rows of ``Choice``; what an earlier selection said of an item that was given back no longer holds.

    Args:
        connection: Within a transaction that selected these items.
        rows: All columns of each.
    """
    for begin in range(0, len(rows), _AT_ONCE):
        part = [row["item"] for row in rows[begin : begin + _AT_ONCE]]
        connection.execute(delete(Choice).where(Choice.item.in_(part)))
    if rows:
        connection.execute(insert(Choice), list(rows))


def keep_choices_by_hand(connection: Connection, numbers: Sequence[int], actor: str) -> None:
    """Asks for the most uncertain regions of items that a person selected.

    Args:
        connection: Within the transaction that selected them.
        numbers: The items' numbers.
        actor: Who selected them.
    """
    batch = f"review-{datetime.now(timezone.utc):%Y%m%d}"
    first = connection.scalar(select(func.count()).where(Choice.batch == batch)) or 0
    for begin in range(0, len(numbers), _AT_ONCE):
        part = numbers[begin : begin + _AT_ONCE]
        packed = connection.execute(
            select(Item.number, Item.regions).where(Item.number.in_(part)).order_by(Item.number)
        )
        clicks = {row.number: unpack_regions(row.regions)["clicks"][:REGIONS_PER_FRAME] for row in packed}
        rows = [
            {
                "item": number,
                "batch": batch,
                "position": first + begin + position,
                "region_indexes": list(range(len(costs))),
                "clicks": int(costs.sum()),
                "reason": {"accepted_by": actor},
            }
            for position, (number, costs) in enumerate(clicks.items())
        ]
        keep_choices(connection, rows)
