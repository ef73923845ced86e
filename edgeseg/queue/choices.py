"""Keeping why items were chosen, and which of their regions are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert

from edgeseg.queue.tables import Choice

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
