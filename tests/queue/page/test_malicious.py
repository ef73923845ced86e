"""Names that hold code, in a database that took them in before they were refused, are shown as text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import insert, update

from benchmarks.queue.fleet import Uploads, box, item_id
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.page import overlay
from edgeseg.queue.review import decide
from edgeseg.queue.tables import ClassName, Event, Item, Quarantined

CODE = "\"'><script src=/x></script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
NAMES = (
    "vehicle",
    "drive",
    "place",
    "source",
    "frame_id",
    "strategy",
    "policy",
    "policy_version",
    "unit",
    "lease_owner",
)


def test_code_in_every_name_is_shown_as_text(small: Database, browse: Callable[..., Any]) -> None:
    decide(small, item_id(0), "accept", "flagged", CODE)
    with small.write() as connection:
        connection.execute(update(Item).values(dict.fromkeys(NAMES, CODE)))
        connection.execute(update(ClassName).where(ClassName.number == 1).values(name=CODE))
        connection.execute(update(Event).values(note=CODE))
        held = {"bucket": CODE, "key": CODE, "reason": CODE}
        connection.execute(insert(Quarantined), {**held, "first_seen": datetime.now(timezone.utc)})
    page = browse(small)
    for path in ("/?state=any", f"/items/{item_id(0)}", "/progress", "/quarantine"):
        text = page.get(path).text
        assert "<script src=/x" not in text
        assert "<img src=x" not in text
        assert "&lt;script src=/x&gt;" in text or path == "/progress"
        assert "{{ 7 * 7 }}" in text or path == "/progress"


def test_code_in_an_address_is_shown_as_text(small: Database, browse: Callable[..., Any]) -> None:
    page = browse(small)
    for query in ({"vehicle": CODE}, {"class": CODE}, {"state": CODE}, {"after": CODE}, {"min_score": CODE}):
        text = page.get("/", params=query).text
        assert "<script src=/x" not in text
        assert "<img src=x" not in text


def test_regions_without_end_are_drawn_up_to_a_bound(
    uploads: Uploads, sqlite: Database, browse: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.add(0, regions=[box(1, 1, 4, 4, (48, 64), 0, 1.0)] * (overlay.MAX_REGIONS + 50))
    ingest(str(uploads.folder), sqlite)
    text = browse(sqlite).get(f"/items/{item_id(0)}").text
    assert text.count('<g class="region') == overlay.MAX_REGIONS
    assert f"The {overlay.MAX_REGIONS} most uncertain ones are drawn." in text
    monkeypatch.setattr(overlay, "MAX_POINTS", 11)
    assert browse(sqlite).get(f"/items/{item_id(0)}").text.count('<g class="region') == 2
