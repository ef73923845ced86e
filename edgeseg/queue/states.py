"""States of items: which change is allowed, who did it, and leases that run out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from edgeseg.errors import QueueError
from edgeseg.queue.choices import keep_choices_by_hand
from edgeseg.queue.database import Database
from edgeseg.queue.tables import STATES, Event, Item, State

ALLOWED: dict[State, tuple[State, ...]] = {
    "flagged": ("selected", "rejected"),
    "selected": ("exported", "flagged", "rejected"),
    "exported": ("labeled", "selected", "rejected"),
    "labeled": ("merged", "exported", "rejected"),
    "merged": ("labeled", "rejected"),
    "rejected": ("flagged",),
}
"""Where an item can go from each state."""
_AT_ONCE = 500


def move(
    connection: Connection,
    numbers: Iterable[int],
    before: State,
    after: State,
    actor: str,
    note: str = "",
    **values: Any,
) -> list[int]:
    """Takes items from one state to another and writes it into their history.

    Args:
        connection: Within a transaction.
        numbers: The items' numbers; those that are in another state by now are left as they are.
        before: The state that they are in.
        after: The state that they get.
        actor: Who does it, for the history.
        note: Why, for the history.
        values: Further columns to set.

    Returns:
        Numbers of those that were moved: of two processes that want the same item, one gets it.

    Raises:
        QueueError: There is no way between the two states.
    """
    if after not in ALLOWED[before]:
        raise QueueError(f"an item cannot go from {before} to {after}; from {before}: {', '.join(ALLOWED[before])}")
    now, wanted, moved = datetime.now(timezone.utc), sorted(numbers), list[int]()
    for begin in range(0, len(wanted), _AT_ONCE):
        part = Item.number.in_(wanted[begin : begin + _AT_ONCE])
        changed = update(Item).where(part, Item.state == before).values(state=after, changed_at=now, **values)
        moved += connection.scalars(changed.returning(Item.number)).all()
    entry = {"at": now, "before": before, "after": after, "actor": actor[:200], "note": note[:1000]}
    if moved:
        connection.execute(insert(Event), [{"item": number, **entry} for number in moved])
    return moved


def release_expired(connection: Connection) -> int:
    """Takes exported items whose lease ran out back to selected; their number."""
    now = datetime.now(timezone.utc)
    expired = select(Item.number).where(Item.lease_until < now, Item.state == "exported")
    free = {"lease_owner": None, "lease_until": None}
    numbers = list(connection.scalars(expired))
    return len(move(connection, numbers, "exported", "selected", "queue", "the lease ran out", **free))


def lease(connection: Connection, numbers: Iterable[int], owner: str, duration: timedelta, note: str = "") -> list[int]:
    """Gives selected items to someone for labeling, for some time; the numbers of those that were still free."""
    until = datetime.now(timezone.utc) + duration
    return move(connection, numbers, "selected", "exported", owner, note, lease_owner=owner, lease_until=until)


def prolong(connection: Connection, numbers: Iterable[int], owner: str, duration: timedelta, note: str = "") -> None:
    """Gives the owner of leased items more time, and writes into their history why."""
    now, leased = datetime.now(timezone.utc), sorted(numbers)
    entry = {"at": now, "before": "exported", "after": "exported", "actor": owner[:200], "note": note[:1000]}
    for begin in range(0, len(leased), _AT_ONCE):
        mine = update(Item).where(
            Item.number.in_(leased[begin : begin + _AT_ONCE]), Item.state == "exported", Item.lease_owner == owner
        )
        changed = connection.scalars(mine.values(lease_until=now + duration).returning(Item.number)).all()
        if changed:
            connection.execute(insert(Event), [{"item": number, **entry} for number in changed])


def numbers_of(connection: Connection, item_ids: Sequence[str]) -> dict[str, int]:
    """Numbers of items by their ids.

    Raises:
        QueueError: One is not in the queue.
    """
    found: dict[str, int] = {}
    for begin in range(0, len(item_ids), _AT_ONCE):
        part = Item.item_id.in_(item_ids[begin : begin + _AT_ONCE])
        found |= {row.item_id: row.number for row in connection.execute(select(Item.item_id, Item.number).where(part))}
    missing = [item_id for item_id in item_ids if item_id not in found]
    if missing:
        raise QueueError(f"item {missing[0]} is not in the queue; is this the --db that it was exported from?")
    return found


def change_state(database: Database, item_ids: Sequence[str], after: str, actor: str, note: str = "") -> int:
    """Moves items by hand, such as to ``rejected`` or back to ``flagged``; the number of those moved.

    Of one that becomes selected the most uncertain regions are asked for.

    Raises:
        QueueError: One is not in the queue, or cannot go there from where it is; then none is moved.
    """
    target = next((state for state in STATES if state == after), None)
    if target is None:
        raise QueueError(f"state {after!r} is unknown; states: {', '.join(STATES)}")
    with database.write() as connection:
        numbers = set(numbers_of(connection, item_ids).values())
        total = 0
        for state in STATES:
            chosen = select(Item.number).where(Item.number.in_(numbers), Item.state == state)
            inside = list(connection.scalars(chosen))
            if inside and state != target:
                moved = move(connection, inside, state, target, actor, note)
                total += len(moved)
                if (state, target) == ("flagged", "selected"):
                    keep_choices_by_hand(connection, moved, actor)
    return total


def history(database: Database, item_id: str) -> list[dict[str, Any]]:
    """What happened to an item, oldest first: ``at``, ``before`` (None: it arrived), ``after``, ``actor``, ``note``.

    Raises:
        QueueError: It is not in the queue.
    """
    with database.read() as connection:
        number = numbers_of(connection, [item_id])[item_id]
        arrived = connection.scalar(select(Item.arrived_at).where(Item.number == number))
        rows = connection.execute(
            select(Event.at, Event.before, Event.after, Event.actor, Event.note)
            .where(Event.item == number)
            .order_by(Event.number)
        )
        first = {"at": arrived, "before": None, "after": "flagged", "actor": "ingest", "note": ""}
        return [first, *(dict(row._mapping) for row in rows)]


def count_states(connection: Connection) -> dict[str, int]:
    """Items in each state."""
    rows = connection.execute(select(Item.state, func.count().label("items")).group_by(Item.state))
    found = {row.state: row.items for row in rows}
    return {state: found.get(state, 0) for state in STATES}
