"""A vehicle is not trusted: what could harm the queue, its tools or its readers ends in quarantine, with the reason."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from benchmarks.queue.fleet import START, Plain, Uploads, blob, box, item_id, plain_record, png
from edgeseg.queue import classes
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import IngestReport, ingest
from edgeseg.queue.listing import list_quarantine
from edgeseg.queue.tables import ClassName, Item


@pytest.fixture
def quarantined(uploads: Uploads, database: Database) -> Callable[[], str]:
    """Ingests twice beside a good record; the reason for which the other one was held back."""

    def run() -> str:
        uploads.add(99)
        assert ingest(str(uploads.folder), database) == IngestReport(ingested=1, quarantined=1)
        assert ingest(str(uploads.folder), database) == IngestReport(known=2)
        with database.read() as connection:
            assert list(connection.scalars(select(Item.item_id))) == [item_id(99)]
        (entry,) = list_quarantine(database)
        return str(entry["reason"])

    return run


def announce(uploads: Uploads, plain: Plain) -> None:
    uploads.announce(plain, START)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"frame_id": "../../../etc/passwd"}, "leaves its source's folder"),
        ({"frame_id": "/etc/passwd"}, "leaves its source's folder"),
        ({"frame_id": "a\\..\\..\\b"}, "leaves its source's folder"),
        ({"source": "<script>alert(1)</script>"}, "the character '<' must not stand in a name"),
        ({"policy": "x\u202etxt.exe"}, "must not stand in a name"),
        ({"strategy": "a\x1b[2J"}, "must not stand in a name"),
        ({"source": "a\x00b"}, "must not stand in a name"),
        ({"source": "a\ud800b"}, "record cannot be used"),
        ({"version": 2}, "record version 2, but this edgeseg reads 1"),
        ({"version": None}, "record version None"),
        ({"image": {"height": 60000, "width": 60000}, "regions": []}, "above the bound of 64000000"),
        ({"extra": 1}, "record cannot be used: extra"),
        ({"scores": []}, "record cannot be used: scores"),
        ({"drive": "../x"}, "record cannot be used: drive"),
    ],
)
def test_a_record_out_of_bounds(
    uploads: Uploads, quarantined: Callable[[], str], changes: dict[str, Any], reason: str
) -> None:
    uploads.add(1, **changes)
    assert reason in quarantined()


def test_a_script_as_the_name_of_a_class(uploads: Uploads, quarantined: Callable[[], str]) -> None:
    uploads.add(1, regions=[{**box(1, 1, 4, 4, (48, 64), 0, 1.0), "class_name": "<img src=x onerror=alert(1)>"}])
    assert "must not stand in a name" in quarantined()


def test_a_path_as_the_name_of_a_vehicle(uploads: Uploads, quarantined: Callable[[], str]) -> None:
    uploads.put("arrivals/bad vehicle/20260301/120000000000-" + item_id(1), b"")
    assert "is no arrival" in quarantined()


def test_a_blob_key_that_names_another_place(uploads: Uploads, quarantined: Callable[[], str]) -> None:
    other = "f" * 64
    uploads.add(1, blobs=[{**blob("image", png()), "key": f"sha256/ff/{other}.png"}])
    assert "does not follow from its digest" in quarantined()


@pytest.mark.parametrize("key", ["../../etc/passwd", "sha256/aa/../../x.png", "/etc/passwd"])
def test_a_blob_key_that_climbs(uploads: Uploads, quarantined: Callable[[], str], key: str) -> None:
    uploads.add(1, blobs=[{**blob("image", png()), "key": key}])
    assert "blobs.0.key" in quarantined()


def with_maps(uploads: Uploads, **contents: bytes) -> None:
    """Puts an item with all its pictures, some of them replaced; an empty one is not put at all."""
    files = {"image": png(), "classes": png(channels=1), "entropy": png(seed=1, channels=1), **contents}
    for content in filter(None, files.values()):
        uploads.put(blob("image", content)["key"], content)
    blobs = [blob(kind, content or b"elsewhere") for kind, content in files.items()]
    announce(uploads, plain_record(1, b"", blobs=blobs))


@pytest.mark.parametrize(("kind", "color"), [("image", 2), ("classes", 0), ("entropy", 0)])
def test_a_decompression_bomb(uploads: Uploads, quarantined: Callable[[], str], kind: str, color: int) -> None:
    with_maps(uploads, **{kind: bomb(50_000, 50_000, color)})
    assert f"{kind} of item {item_id(1)}: is a PNG of 50000x50000 pixels, but the record says 48x64" in quarantined()


def test_a_decompression_bomb_without_an_image(uploads: Uploads, quarantined: Callable[[], str]) -> None:
    content = bomb(50_000, 50_000, 0)
    uploads.put(blob("classes", content)["key"], content)
    announce(uploads, plain_record(1, b"", form="map", blobs=[blob("classes", content)]))
    assert "is a PNG of 50000x50000 pixels" in quarantined()


@pytest.mark.parametrize("kind", ["classes", "entropy"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(24, 64, channels=1), "is a PNG of 24x64 pixels, but the record says 48x64"),
        (png(), "must be gray of 8 bits, is RGB of 8"),
        (b"GIF89a" + b" " * 100, "is no PNG"),
        (b"", "is missing, though its record came"),
    ],
)
def test_a_map_that_is_none(
    uploads: Uploads, quarantined: Callable[[], str], kind: str, content: bytes, reason: str
) -> None:
    with_maps(uploads, **{kind: content})
    assert f"{kind} of item {item_id(1)}: {reason}" in quarantined()


def test_an_image_that_is_none(uploads: Uploads, quarantined: Callable[[], str]) -> None:
    uploads.add(1, picture=b"<svg onload=alert(1)>" + b" " * 100)
    assert "is no PNG" in quarantined()


def test_an_image_of_other_colours(uploads: Uploads, quarantined: Callable[[], str]) -> None:
    uploads.add(1, picture=png(channels=1))
    assert "must be RGB of 8 bits, is gray of 8" in quarantined()


@pytest.mark.parametrize("content", [b"", b"\x89"])
def test_an_image_that_is_empty_or_cut(uploads: Uploads, quarantined: Callable[[], str], content: bytes) -> None:
    plain = plain_record(1, png())
    uploads.put(plain["blobs"][0]["key"], content)
    announce(uploads, plain)
    assert "is no PNG" in quarantined()


def test_an_image_that_is_not_there(uploads: Uploads, quarantined: Callable[[], str]) -> None:
    announce(uploads, plain_record(1, png(seed=12345)))
    assert "is missing, though its record came" in quarantined()


def test_a_record_under_the_name_of_another(uploads: Uploads, quarantined: Callable[[], str]) -> None:
    plain = uploads.add(1)
    path = uploads.folder / "records" / plain["vehicle"] / f"{plain['item_id']}.json"
    path.write_text(path.read_text().replace(item_id(1), item_id(2)))
    assert f"the record in it is of vehicle {plain['vehicle']}, item {item_id(2)}" in quarantined()


def test_a_record_that_is_not_there(uploads: Uploads, quarantined: Callable[[], str]) -> None:
    uploads.put(f"arrivals/car-1/20260301/120000000000-{item_id(1)}", b"")
    assert "there is no such record, though it was announced" in quarantined()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a JSON record"),
        (b'{"version": 1', "is not a JSON record"),
        (b"[" * 200_000, "is not a JSON record"),
        (b"\xff\xfe", "is not a JSON record"),
        (b"[]", "record version None"),
        (b" " * (17 * 2**20), "is larger than 16777216 bytes"),
    ],
)
def test_a_record_that_is_none(uploads: Uploads, quarantined: Callable[[], str], content: bytes, reason: str) -> None:
    plain = uploads.add(1)
    uploads.put(f"records/{plain['vehicle']}/{plain['item_id']}.json", content)
    assert reason in quarantined()


def test_a_vehicle_that_invents_classes_stops_nobody_else(
    uploads: Uploads, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes, "MAX_CLASSES", 7)
    uploads.add(1)
    invented = [{**box(1, 1, 4, 4, (48, 64), 0, 1.0), "class_name": f"class {index}"} for index in range(9)]
    uploads.add(2, regions=invented)
    uploads.add(3)
    assert ingest(str(uploads.folder), database) == IngestReport(ingested=2, quarantined=1)
    assert "the queue would have more than 7 names" in list_quarantine(database)[0]["reason"]
    with database.read() as connection:
        assert (connection.scalar(select(func.count()).select_from(ClassName)) or 0) <= 7


def bomb(height: int, width: int, color: int) -> bytes:
    """A PNG of few bytes that unpacks to gigabytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    pixels = zlib.compress(bytes(10**6), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
