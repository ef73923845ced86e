"""What the pages show, on both kinds of database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.queue.fleet import Uploads, item_id
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.listing import ListSettings, list_items
from edgeseg.queue.page import filters
from edgeseg.queue.review import prioritize
from edgeseg.queue.states import change_state

Browse = Callable[..., Any]


def shown(text: str) -> list[str]:
    return re.findall(r'<li class="item" id="i-([0-9a-f]{64})"', text)


def test_the_list_by_value_by_age_and_by_filters(
    queue: Database, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "PAGE_SIZE", 4)
    prioritize(queue, item_id(2), 1, 0, "test")
    change_state(queue, [item_id(5)], "rejected", "test")
    page = browse(queue)

    def expected(**settings: object) -> list[str]:
        return [item["id"] for item in list_items(ListSettings(**settings), queue)]

    first = page.get("/").text
    by_value = expected(order="value", state="flagged")
    assert shown(first) == by_value[:4]
    assert by_value[0] == item_id(2)
    after = re.search(r'id="page-after" href="([^"]+)"', first)
    assert after is not None
    assert shown(page.get(after[1].replace("&amp;", "&")).text) == by_value[4:]
    assert shown(page.get("/?state=any&order=newest").text) == expected(order="newest")[:4]
    assert shown(page.get("/?state=any&vehicle=car-1").text) == expected(vehicle="car-1", order="value")
    assert shown(page.get("/?class=car&min_score=0.3").text) == expected(
        class_name="car", min_score=0.3, state="flagged", order="value"
    )
    assert shown(page.get("/?state=rejected").text) == [item_id(5)]
    assert "No item fits these filters." in page.get("/?vehicle=nobody").text


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("state=stolen", "state &#39;stolen&#39; is unknown"),
        ("order=random", "order &#39;random&#39; is unknown"),
        ("min_score=nan", "the least score must be a number, got &#39;nan&#39;"),
        ("after=1_2_3_4", "is no place in the order &#39;value&#39;"),
        ("vehicle=" + "x" * 300, "vehicle: 300 characters are more than any name has"),
    ],
)
def test_an_address_that_says_nothing(small: Database, browse: Browse, query: str, told: str) -> None:
    answer = browse(small).get(f"/?{query}")
    assert answer.status_code == 400
    assert told in answer.text


def test_an_item_with_its_layers_and_regions(queue: Database, browse: Browse) -> None:
    text = browse(queue).get(f"/items/{item_id(1)}").text
    for layer in ("frame", "prediction", "entropy"):
        assert f'<img class="{layer}" src="/items/{item_id(1)}/{layer}" alt="' in text
    assert text.count('<g class="region asked"') == 3
    assert "Accept asks for the 3 most uncertain regions, 15 clicks." in text
    assert 'viewBox="0 0 64 48"' in text


def test_an_item_that_is_not_there(small: Database, browse: Browse) -> None:
    page = browse(small)
    for name in (item_id(99), "x", item_id(1).upper(), "..%2f..%2fetc%2fpasswd"):
        assert page.get(f"/items/{name}").status_code == 404
    assert page.get(f"/items/{item_id(1)}/nothing").status_code == 404


def test_deciding_goes_on_to_the_next_item_and_back(queue: Database, browse: Browse) -> None:
    page = browse(queue)
    order = shown(page.get("/").text)
    seen = {"seen_state": "flagged", "seen_priority": 0, "query": ""}
    answer = page.submit(f"/items/{order[1]}", action="accept", **seen, **{"from": "item"})
    assert answer.url.path == f"/items/{order[2]}"
    assert "Accepted: " in answer.text
    answer = page.submit(f"/items/{order[2]}", action="reject", **seen, **{"from": "list"})
    assert answer.url.path == "/"
    assert answer.url.fragment == f"i-{order[3]}"
    assert shown(answer.text) == [order[0], *order[3:]]
    assert "Taken back: it is flagged again." in page.submit("/undo", query="").text
    answer = page.submit("/undo", query="", **{"from": "item"})
    assert answer.url.path == f"/items/{order[1]}"
    assert shown(page.get("/").text) == order
    assert "There is nothing to take back." in page.submit("/undo", query="").text


def test_a_conflict_is_told_and_changes_nothing(queue: Database, browse: Browse) -> None:
    anna, ben = browse(queue), browse(queue)
    seen = {"seen_state": "flagged", "seen_priority": 0, "query": "", "from": "item"}
    anna.submit(f"/items/{item_id(0)}", action="reject", **seen)
    answer = ben.submit(f"/items/{item_id(0)}", action="accept", **seen)
    assert "its state is rejected by now, by page; nothing was changed" in answer.text
    assert 'class="notice problem" role="alert"' in answer.text
    assert answer.url.path == f"/items/{item_id(0)}"
    assert [item["id"] for item in list_items(ListSettings(state="selected"), queue)] == []


def test_priority_by_steps_and_by_number(small: Database, browse: Browse) -> None:
    page, path = browse(small), f"/items/{item_id(0)}"
    seen = {"seen_state": "flagged", "query": "", "from": "item"}
    assert "Priority 1: " in page.submit(path, action="raise", seen_priority=0, **seen).text
    assert "Priority -1: " in page.submit(path, action="set", priority="-1", seen_priority=1, **seen).text
    assert "Priority -2: " in page.submit(path, action="lower", seen_priority=-1, **seen).text
    assert (
        "priority must be a whole number, got &#39;x&#39;"
        in page.submit(path, action="set", priority="x", seen_priority=-2, **seen).text
    )
    assert "out of bounds" in page.submit(path, action="set", priority="99", seen_priority=-2, **seen).text
    assert page.submit(path, action="explode", seen_priority=-2, **seen).status_code == 400


def test_an_address_in_a_form_leads_nowhere_else(small: Database, browse: Browse) -> None:
    seen = {"seen_state": "flagged", "seen_priority": 0, "from": "https://evil.example/"}
    answer = browse(small).submit(f"/items/{item_id(0)}", action="reject", query="https://evil.example/?x=1", **seen)
    assert answer.url.host == "127.0.0.1"
    assert answer.url.path == "/"


def test_progress_of_labels_and_rounds(queue: Database, browse: Browse, tmp_path: Path) -> None:
    rows = [
        {"strategy": "random", "seed": seed, "round": number, "labeled_pixels": 9, "labeled_share": 0.1 * number,
         "clicks": 10 * number, "miou": 0.4 + 0.1 * number + 0.02 * seed}
        for seed in (0, 1) for number in (0, 1)
    ]  # fmt: skip
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "rows.json").write_text(json.dumps({"rows": rows, "note": "more"}))
    (tmp_path / "run" / "other.json").write_text("[]")
    page = browse(queue, progress=(tmp_path / "run", tmp_path / "missing.json"))
    page.submit(f"/items/{item_id(0)}", action="accept", seen_state="flagged", query="")
    text = page.get("/progress").text
    assert "<td>selected</td><td>1</td><td>15</td>" in text
    assert "<td>random</td><td>1</td><td>10.00 %</td><td>10</td><td>0.510</td><td>0.500 – 0.520</td><td>2</td>" in text
    assert "missing.json: No such file or directory; is the run&#39;s place right?" in text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is no report of edgeseg active run"),
        ("[" * 100_000, "is no report of edgeseg active run"),
        (
            '{"rows": [{"strategy": "<script>", "seed": 0, "round": 0, "labeled_share": 2, "miou": 1}]}',
            "rows.0.labeled",
        ),
    ],
)
def test_a_run_that_cannot_be_read_is_named(
    small: Database, browse: Browse, tmp_path: Path, content: str, told: str
) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    text = browse(small, progress=(path,)).get("/progress").text
    assert told in text
    assert "run.json" in text


def test_quarantine_says_why(uploads: Uploads, sqlite: Database, browse: Browse) -> None:
    uploads.add_with_maps(1, version=9)
    ingest(str(uploads.folder), sqlite)
    text = browse(sqlite).get("/quarantine").text
    assert "record version 9, but this edgeseg reads 1" in text
    for number in ("0", "-1", "x", "9" * 50, "²"):
        assert browse(sqlite).get("/quarantine", params={"page": number}).status_code == 200
