"""Decisions on single items: what they change, how they are taken back, and what two people at once see."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from benchmarks.queue.fleet import Uploads, item_id
from edgeseg.errors import ConflictError, QueueError
from edgeseg.queue.database import Database
from edgeseg.queue.exporting import ExportSettings, _rows
from edgeseg.queue.ingest import ingest
from edgeseg.queue.listing import ListSettings, list_items
from edgeseg.queue.review import Change, decide, prioritize, undo
from edgeseg.queue.selection import SelectSettings, select_items
from edgeseg.queue.states import history
from edgeseg.queue.stats import queue_stats
from edgeseg.queue.tables import Choice, Item

ONE = item_id(0)


@pytest.fixture
def queue(filled: Callable[[int], Database]) -> Database:
    return filled(3)


@pytest.fixture
def small(uploads: Uploads, sqlite: Database) -> Database:
    """For what does not depend on the kind of database."""
    for number in range(3):
        uploads.add(number)
    ingest(str(uploads.folder), sqlite)
    return sqlite


def now(database: Database) -> tuple[str, int]:
    with database.read() as connection:
        return tuple(connection.execute(select(Item.state, Item.priority).where(Item.item_id == ONE)).one())


def test_an_accepted_item_is_exported_with_its_regions(queue: Database) -> None:
    assert decide(queue, ONE, "accept", "flagged", "anna") == Change(ONE, "flagged", "selected")
    (row,) = _rows(ExportSettings(), queue)
    assert (row.item_id, row.region_indexes) == (ONE, [0, 1, 2])
    (item,) = list_items(ListSettings(state="selected"), queue)
    assert item["reason"] == {"accepted_by": "anna"}
    assert item["batch"].startswith("review-")
    with queue.read() as connection:
        assert connection.scalar(select(Choice.clicks)) == 15
    assert [event["actor"] for event in history(queue, ONE)] == ["ingest", "anna"]


def test_at_most_ten_regions_are_asked_for(uploads: Uploads, sqlite: Database) -> None:
    regions = uploads.add(0)["regions"]
    uploads.add(1, regions=regions * 5)
    ingest(str(uploads.folder), sqlite)
    decide(sqlite, item_id(1), "accept", "flagged", "anna")
    with sqlite.read() as connection:
        assert connection.scalar(select(Choice.region_indexes)) == list(range(10))


@pytest.mark.parametrize("action", ["accept", "reject"])
def test_undo_gives_a_flagged_item_back(small: Database, action: str) -> None:
    change = decide(small, ONE, action, "flagged", "anna")
    undo(small, change, "anna")
    assert now(small) == ("flagged", 0)
    assert history(small, ONE)[-1]["note"] == "undo"


def test_undo_of_a_selected_item_asks_for_the_same_regions_again(queue: Database) -> None:
    select_items(SelectSettings(budget_frames=3, regions_per_frame=2, batch="one"), queue)
    before = list_items(ListSettings(state="selected"), queue)
    undo(queue, decide(queue, ONE, "reject", "selected", "anna"), "anna")
    after = list_items(ListSettings(state="selected"), queue)
    assert [(item["id"], item["regions"], item["reason"]) for item in after] == [
        (item["id"], item["regions"], item["reason"]) for item in before
    ]


def test_a_selected_item_can_be_given_back(small: Database) -> None:
    decide(small, ONE, "accept", "flagged", "anna")
    assert decide(small, ONE, "return", "selected", "ben").after == "flagged"
    decide(small, ONE, "accept", "flagged", "ben")
    (item,) = list_items(ListSettings(state="selected"), small)
    assert item["reason"] == {"accepted_by": "ben"}


def test_whoever_saw_another_state_changes_nothing(queue: Database) -> None:
    decide(queue, ONE, "reject", "flagged", "anna")
    with pytest.raises(ConflictError, match=r"its state is rejected by now, by anna; nothing was changed, look at it"):
        decide(queue, ONE, "accept", "flagged", "ben")
    assert now(queue) == ("rejected", 0)
    with queue.read() as connection:
        assert connection.scalar(select(Choice.item)) is None


def test_undo_does_not_undo_what_someone_else_did_since(small: Database) -> None:
    change = decide(small, ONE, "accept", "flagged", "anna")
    decide(small, ONE, "reject", "selected", "ben")
    with pytest.raises(ConflictError, match="its state is rejected by now, by ben"):
        undo(small, change, "anna")
    assert now(small) == ("rejected", 0)


def test_of_many_at_once_exactly_one_decides(queue: Database) -> None:
    outcomes: list[str] = []

    def run(actor: str, action: str) -> None:
        try:
            outcomes.append(str(decide(queue, ONE, action, "flagged", actor).after))
        except ConflictError:
            outcomes.append("conflict")

    threads = [threading.Thread(target=run, args=(f"p{n}", ("accept", "reject")[n % 2])) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("conflict") == 5
    assert now(queue)[0] in outcomes
    assert len(history(queue, ONE)) == 2


def test_priority_is_set_told_in_the_history_and_taken_back(queue: Database) -> None:
    change = prioritize(queue, ONE, 2, 0, "anna")
    assert now(queue) == ("flagged", 2)
    assert history(queue, ONE)[-1]["note"] == "priority 0 → 2"
    undo(queue, change, "anna")
    assert now(queue) == ("flagged", 0)


def test_priority_seen_by_two_is_changed_by_one(queue: Database) -> None:
    prioritize(queue, ONE, 1, 0, "anna")
    with pytest.raises(ConflictError, match="its priority is 1 by now, by anna"):
        prioritize(queue, ONE, -1, 0, "ben")
    assert now(queue) == ("flagged", 1)


def test_a_change_of_priority_is_no_throughput(small: Database) -> None:
    prioritize(small, ONE, 1, 0, "anna")
    assert queue_stats(small).moved_per_day == {}


def test_priority_out_of_bounds(small: Database) -> None:
    with pytest.raises(QueueError, match="priority 10 is out of bounds; it goes from -9 to 9"):
        prioritize(small, ONE, 10, 9, "anna")


def test_items_in_a_labelers_hands_are_left_alone(small: Database) -> None:
    with small.write() as connection:
        connection.execute(update(Item).where(Item.item_id == ONE).values(state="exported"))
    with pytest.raises(QueueError, match="is exported; reject is for items that are flagged or selected"):
        decide(small, ONE, "reject", "exported", "anna")


def test_an_item_that_is_not_there(small: Database) -> None:
    with pytest.raises(QueueError, match="is not in the queue"):
        decide(small, item_id(77), "accept", "flagged", "anna")
