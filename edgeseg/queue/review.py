"""What people decide about single items: accept, reject, give back, change the priority; and take it back.

Every decision says what its maker saw. Where the item is something else by now, nothing is changed and a
``ConflictError`` says what it is, so that of two people neither overwrites the other unawares.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import pairwise
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from edgeseg.errors import ConflictError, QueueError
from edgeseg.queue.choices import keep_choices_by_hand
from edgeseg.queue.database import Database
from edgeseg.queue.states import ALLOWED, move, numbers_of
from edgeseg.queue.tables import STATES, Event, Item, State

Action = Literal["accept", "reject", "return"]
TARGETS: dict[Action, State] = {"accept": "selected", "reject": "rejected", "return": "flagged"}
OPEN: tuple[State, ...] = ("flagged", "selected", "rejected")
"""States in which an item is decided on; from ``exported`` on it is in a labeler's hands."""
MAX_PRIORITY = 9


@dataclass(frozen=True)
class Change:
    """A decision that was carried out.

    Attributes:
        item_id: Of which item.
        before, after: Two states, or two priorities.
    """

    item_id: str
    before: State | int
    after: State | int


def decide(database: Database, item_id: str, action: Action, seen: str, actor: str) -> Change:
    """Takes one item to another state.

    Args:
        database: The queue.
        item_id: Which item.
        action: ``accept`` selects a flagged item and asks for its most uncertain regions; ``reject`` takes it out;
            ``return`` makes a selected or rejected one flagged again.
        seen: The state in which whoever decides saw it.
        actor: Who decides, for the history.

    Raises:
        ConflictError: It is in another state by now.
        QueueError: It is not in the queue, or the action does not fit its state.
    """
    after = TARGETS[action]
    before = next((state for state in OPEN if state == seen and after in ALLOWED[state]), None)
    if before is None:
        raise QueueError(f"item {item_id} is {seen}; {action} is for items that are {_fitting(after)}")
    with database.write() as connection:
        number = numbers_of(connection, [item_id])[item_id]
        _move(connection, item_id, number, before, after, actor)
        if action == "accept":
            keep_choices_by_hand(connection, [number], actor)
    return Change(item_id, before, after)


def prioritize(database: Database, item_id: str, priority: int, seen: int, actor: str) -> Change:
    """Sets the priority of an item; higher goes first in every selection and list by value.

    Args:
        database: The queue.
        item_id: Which item.
        priority: The new one, within -``MAX_PRIORITY`` to ``MAX_PRIORITY``.
        seen: The one that whoever decides saw.
        actor: Who decides, for the history.

    Raises:
        ConflictError: It has another priority by now.
        QueueError: It is not in the queue, or the priority is out of bounds.
    """
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise QueueError(f"priority {priority} is out of bounds; it goes from {-MAX_PRIORITY} to {MAX_PRIORITY}")
    with database.write() as connection:
        number = numbers_of(connection, [item_id])[item_id]
        mine = update(Item).where(Item.number == number, Item.priority == seen).values(priority=priority)
        state = connection.scalar(mine.returning(Item.state))
        if state is None:
            raise _conflict(connection, item_id, number, "priority")
        note = f"priority {seen} → {priority}"
        entry = {"item": number, "before": state, "after": state, "actor": actor[:200], "note": note}
        connection.execute(insert(Event), {**entry, "at": datetime.now(timezone.utc)})
    return Change(item_id, seen, priority)


def undo(database: Database, change: Change, actor: str) -> None:
    """Takes a decision back; what was asked for of an item that was selected is asked for again.

    Raises:
        ConflictError: Someone decided otherwise since.
        QueueError: The item is not in the queue.
    """
    if isinstance(change.before, int) and isinstance(change.after, int):
        prioritize(database, change.item_id, change.before, change.after, actor)
        return
    back, now = _state(change.before), _state(change.after)
    with database.write() as connection:
        number = numbers_of(connection, [change.item_id])[change.item_id]
        # A rejected item becomes selected again by way of flagged, as everywhere.
        steps = [now, back] if back in ALLOWED[now] else [now, "flagged", back]
        for before, after in pairwise(steps):
            _move(connection, change.item_id, number, before, after, actor, "undo")


def _move(
    connection: Connection, item_id: str, number: int, before: State, after: State, actor: str, note: str = ""
) -> None:
    if not move(connection, [number], before, after, actor, note):
        raise _conflict(connection, item_id, number, "state")


def _conflict(connection: Connection, item_id: str, number: int, column: Literal["state", "priority"]) -> ConflictError:
    found = connection.scalar(select(Item.__table__.c[column]).where(Item.number == number))
    last = connection.execute(
        select(Event.actor, Event.note).where(Event.item == number).order_by(Event.number.desc()).limit(1)
    ).first()
    by = f", by {last.actor}" if last else ""
    return ConflictError(
        f"item {item_id}: its {column} is {found} by now{by}; nothing was changed, look at it and decide again"
    )


def _fitting(after: State) -> str:
    return " or ".join(state for state in OPEN if after in ALLOWED[state])


def _state(name: State | int) -> State:
    return next(state for state in STATES if state == name)
