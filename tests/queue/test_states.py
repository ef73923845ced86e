"""States, leases, history and counts, the same on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from benchmarks.queue.fleet import item_id
from edgeseg.errors import ConfigError, QueueError
from edgeseg.queue.database import Database
from edgeseg.queue.exporting import ExportSettings, _rows
from edgeseg.queue.listing import ListSettings, list_items
from edgeseg.queue.states import change_state, history, lease, move, numbers_of, release_expired
from edgeseg.queue.stats import queue_stats


def numbers(database: Database, *which: int) -> list[int]:
    with database.read() as connection:
        return list(numbers_of(connection, [item_id(number) for number in which]).values())


def test_a_life_is_written_down(filled: Callable[[int], Database]) -> None:
    database = filled(3)
    before = datetime.now(timezone.utc)
    for state in ("selected", "exported", "labeled", "merged"):
        assert change_state(database, [item_id(1)], state, "someone", f"to {state}") == 1
    found = history(database, item_id(1))
    assert [row["after"] for row in found] == ["flagged", "selected", "exported", "labeled", "merged"]
    assert [row["before"] for row in found] == [None, "flagged", "selected", "exported", "labeled"]
    assert {row["actor"] for row in found[1:]} == {"someone"}
    assert found[0]["at"] <= before <= found[1]["at"] <= found[4]["at"]
    assert len(history(database, item_id(2))) == 1


def test_what_is_selected_by_hand_is_exported(filled: Callable[[int], Database]) -> None:
    database = filled(3)
    change_state(database, [item_id(0), item_id(2)], "selected", "anna")
    rows = {row.item_id: row.region_indexes for row in _rows(ExportSettings(), database)}
    assert rows == {item_id(0): [0, 1, 2], item_id(2): [0, 1, 2]}
    assert [row["reason"] for row in list_items(ListSettings(state="selected"), database)] == [
        {"accepted_by": "anna"}
    ] * 2


def test_a_way_that_does_not_exist_moves_nothing(filled: Callable[[int], Database]) -> None:
    database = filled(3)
    change_state(database, [item_id(0)], "selected", "test")
    with pytest.raises(QueueError, match="cannot go from flagged to exported; from flagged: selected, rejected"):
        change_state(database, [item_id(0), item_id(1)], "exported", "test")
    assert queue_stats(database).states["selected"] == 1


def test_only_one_gets_an_item(filled: Callable[[int], Database]) -> None:
    database = filled(3)
    wanted = numbers(database, 0, 1)
    with database.write() as connection:
        assert sorted(move(connection, wanted, "flagged", "selected", "first")) == sorted(wanted)
    with database.write() as connection:
        assert move(connection, wanted, "flagged", "selected", "second") == []


def test_a_lease_that_ran_out_goes_back(filled: Callable[[int], Database]) -> None:
    database = filled(3)
    change_state(database, [item_id(0), item_id(1)], "selected", "test")
    with database.write() as connection:
        lease(connection, numbers(database, 0), "anna", timedelta(seconds=-1))
        lease(connection, numbers(database, 1), "ben", timedelta(hours=1))
        assert release_expired(connection) == 1
    assert queue_stats(database).leases == {"ben": 1}
    states = {row["id"]: (row["state"], row["lease_owner"]) for row in list_items(ListSettings(), database)}
    assert states[item_id(0)] == ("selected", None)
    assert states[item_id(1)] == ("exported", "ben")
    assert history(database, item_id(0))[-1]["note"] == "the lease ran out"


def test_stats_count_states_vehicles_ages_and_throughput(filled: Callable[[int], Database]) -> None:
    database = filled(7)
    assert queue_stats(database).oldest is not None
    change_state(database, [item_id(number) for number in range(4)], "selected", "test")
    change_state(database, [item_id(0)], "rejected", "test")
    found = queue_stats(database).to_dict()
    assert found["states"] == {
        "flagged": 3, "selected": 3, "exported": 0, "labeled": 0, "merged": 0, "rejected": 1,
    }  # fmt: skip
    assert found["vehicles"] == {"car-0": 3, "car-1": 2, "car-2": 2}
    assert found["arrived_per_day"] == 1.0
    assert found["moved_per_day"] == {"selected": round(4 / 7, 3), "rejected": round(1 / 7, 3)}
    assert found["age_hours"]["flagged"] < 0.1
    assert found["age_hours"]["merged"] is None


def test_an_empty_queue_has_stats(database: Database) -> None:
    found = queue_stats(database)
    assert found.oldest is None
    assert sum(found.states.values()) == 0


def test_lists_are_filtered_ordered_and_cut_into_pages(filled: Callable[[int], Database]) -> None:
    database = filled(10)
    scores = [row["score"] for row in list_items(ListSettings(order="score"), database)]
    assert scores == sorted(scores, reverse=True)
    pages = [list_items(ListSettings(order="score", limit=4, offset=offset), database) for offset in (0, 4, 8)]
    assert [row["score"] for page in pages for row in page] == scores
    assert len(list_items(ListSettings(vehicle="car-1"), database)) == 3
    assert len(list_items(ListSettings(min_score=scores[2]), database)) == 3
    assert list_items(ListSettings(state="merged"), database) == []
    every = list_items(ListSettings(), database)
    for name in {row["class"] for row in every}:
        assert len(list_items(ListSettings(class_name=name), database)) == sum(row["class"] == name for row in every)


def test_what_is_unknown_is_told(sqlite: Database) -> None:
    with pytest.raises(QueueError, match="is not in the queue; is this the --db that it was exported from"):
        history(sqlite, item_id(1))
    with pytest.raises(QueueError, match="state 'done' is unknown; states: flagged, selected"):
        change_state(sqlite, [], "done", "test")
    with pytest.raises(ConfigError, match="state 'done' is unknown"):
        ListSettings(state="done")
    with pytest.raises(ConfigError, match="limit must be within 1 to 10000 and offset not negative"):
        ListSettings(limit=0)
