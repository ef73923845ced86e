"""Pages by place hold what sorting everything and cutting it gives, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text, update

from edgeseg.errors import ConfigError
from edgeseg.queue.database import Database
from edgeseg.queue.listing import ListSettings, list_items
from edgeseg.queue.paging import Place, neighbours, parse_place, read_page
from edgeseg.queue.tables import Item

ITEMS = 23


@pytest.fixture
def queue(filled: Callable[[int], Database]) -> Database:
    """Items of which many share score and priority, so that the order rests on their numbers."""
    database = filled(ITEMS)
    with database.write() as connection:
        for number in range(ITEMS):
            values = {"score": (number % 4) / 3, "priority": (number % 5 == 0) - (number % 7 == 0)}
            connection.execute(update(Item).where(Item.frame_id == f"f_{number:06d}").values(**values))
    return database


def walk(settings: ListSettings, database: Database) -> list[list[str]]:
    pages = [page := read_page(settings, database)]
    while page.after is not None:
        pages.append(page := read_page(settings, database, after=parse_place(str(page.after), settings.order)))
    return [[item["id"] for item in page.items] for page in pages]


def test_pages_forward_and_backward_are_the_whole_list(queue: Database) -> None:
    for order in ("newest", "value"):
        for narrowed in ({}, {"vehicle": "car-1"}, {"state": "flagged", "min_score": 0.5}):
            check_pages(queue, order, narrowed)


def check_pages(queue: Database, order: str, narrowed: dict) -> None:
    whole = [item["id"] for item in list_items(ListSettings(order=order, limit=100, **narrowed), queue)]
    settings = ListSettings(order=order, limit=4, **narrowed)
    pages = walk(settings, queue)
    assert pages == [whole[begin : begin + 4] for begin in range(0, len(whole), 4)]
    second = read_page(settings, queue, after=read_page(settings, queue).after)
    assert second.before is not None
    first = read_page(settings, queue, before=second.before)
    assert [item["id"] for item in first.items] == pages[0]
    assert first.before is None
    assert first.after is not None


def test_value_goes_by_priority_then_score_and_a_place_keeps_every_digit(queue: Database) -> None:
    items = read_page(ListSettings(order="value", limit=100), queue).items
    keys = [(item["priority"], item["score"]) for item in items]
    assert keys == sorted(keys, reverse=True)
    assert len({key[0] for key in keys}) == 3
    place = Place("value", (-3, 0.1 + 0.2, 2**40))
    assert parse_place(str(place), "value") == place


def test_neighbours_hold_also_for_an_item_that_left_the_list(queue: Database) -> None:
    settings = ListSettings(order="value", state="flagged", limit=100)
    ids = [item["id"] for item in read_page(settings, queue).items]
    with queue.write() as connection:
        number = connection.scalar(text("SELECT number FROM items WHERE item_id = :id"), {"id": ids[7]})
        connection.execute(update(Item).where(Item.item_id == ids[7]).values(state="rejected"))
    assert neighbours(settings, queue, number) == (ids[6], ids[8])
    with queue.read() as connection:
        ends = [connection.scalar(text("SELECT number FROM items WHERE item_id = :id"), {"id": id_}) for id_ in ids]
    assert neighbours(settings, queue, ends[0]) == (None, ids[1])
    assert neighbours(settings, queue, ends[-1]) == (ids[-2], None)


def test_an_empty_list_has_no_pages(sqlite: Database) -> None:
    page = read_page(ListSettings(), sqlite)
    assert (page.items, page.before, page.after) == ([], None, None)


@pytest.mark.parametrize(
    ("place", "order"),
    [
        ("", "value"),
        ("1_2", "value"),
        ("1_x_3", "value"),
        ("99999999999_1.0_3", "value"),
        ("1_1.0_99999999999999999999", "value"),
        ("2026-03-01T12:00:00_4", "newest"),
        ("x" * 5000, "newest"),
        ("1_1_1; DROP TABLE items", "value"),
    ],
)
def test_a_place_that_is_none_is_refused(place: str, order: str) -> None:
    with pytest.raises(ConfigError, match="is no place in the order"):
        parse_place(place, order)


def test_no_page_of_sqlite_sorts(sqlite: Database) -> None:
    """Whatever is filtered, SQLite goes along the order's own index."""
    from edgeseg.queue.listing import listed
    from edgeseg.queue.paging import _from

    with sqlite.read() as connection:
        for order in ("value", "newest"):
            query = _from(listed(ListSettings(order=order, state="flagged")), order, None, None)
            words = str(query.compile(sqlite.engine, compile_kwargs={"literal_binds": True}))
            plan = " ".join(row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {words}")))
            assert "TEMP B-TREE" not in plan, plan
