"""Pictures are made anew from checked files: right pixels, bounded, nothing that a vehicle or a request smuggles in."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.queue.fleet import START, Uploads, blob, item_id, png
from edgeseg.bucket import record_key
from edgeseg.classes import voc_color
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.page import pictures

Browse = Callable[..., Any]
ONE = f"/items/{item_id(0)}"


def opened(answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def swap(uploads: Uploads, number: int, **changes: Any) -> None:
    """Changes a record in the bucket after it was taken in."""
    plain = json.loads((path := uploads.folder / record_key(f"car-{number % 3}", item_id(number))).read_text())
    path.write_text(json.dumps({**plain, **changes}))


def test_prediction_has_the_classes_colours_and_is_clear_where_nothing_was_seen(
    small: Database, browse: Browse, tmp_path: Any
) -> None:
    answer = browse(small).get(f"{ONE}/prediction")
    assert answer.headers["content-type"] == "image/png"
    pixels = np.asarray(opened(answer).convert("RGBA"))
    assert pixels[20, 10].tolist() == [*voc_color(1), 255]
    assert pixels[20, 50].tolist() == [*voc_color(4), 255]
    assert pixels[2, 2, 3] == 0
    (tmp_path / "classes.yaml").write_text("- {name: a, color: [9, 8, 7]}\n- b\n- c\n- {name: d, color: [1, 2, 3]}\n")
    page = browse(small, classes=tmp_path / "classes.yaml")
    named = np.asarray(opened(page.get(f"{ONE}/prediction")).convert("RGB"))
    assert named[20, 10].tolist() == [9, 8, 7]
    assert named[20, 50].tolist() == [1, 2, 3]
    assert '<rect width="10" height="10" rx="2" fill="#090807"/></svg>a</li>' in page.get(ONE).text


def test_entropy_is_clear_where_it_is_low_and_bright_where_it_is_high(small: Database, browse: Browse) -> None:
    pixels = np.asarray(opened(browse(small).get(f"{ONE}/entropy")).convert("RGBA"))[10].astype(int)
    assert pixels[0, 3] == 0
    assert pixels[-1, 3] == 255
    assert (np.diff(pixels[:, 3]) >= 0).all()
    assert pixels[-1, :3].sum() > pixels[32, :3].sum() > pixels[0, :3].sum()


def test_frame_is_the_cameras_and_never_its_own_bytes(small: Database, browse: Browse) -> None:
    answer = browse(small).get(f"{ONE}/frame")
    assert answer.headers["content-type"] == "image/jpeg"
    assert opened(answer).size == (64, 48)
    wanted = cv2.imdecode(np.frombuffer(png(seed=0), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(np.asarray(opened(answer)).astype(int) - wanted).mean() < 3


def test_large_frames_are_sent_small(uploads: Uploads, sqlite: Database, browse: Browse) -> None:
    uploads.add_with_maps(0, (900, 3600), regions=[])
    ingest(str(uploads.folder), sqlite)
    page = browse(sqlite)
    for kind in ("frame", "prediction", "entropy"):
        assert opened(page.get(f"{ONE}/{kind}")).size == (1600, 400)
    assert opened(page.get(f"{ONE}/thumb")).size == (320, 80)
    prediction = np.asarray(opened(page.get(f"{ONE}/prediction")))
    assert set(np.unique(prediction)) <= {0, 3, 255}


def test_what_was_damaged_since_is_told_and_not_sent(uploads: Uploads, small: Database, browse: Browse) -> None:
    path = uploads.folder / blob("image", png(seed=0))["key"]
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    answer = browse(small).get(f"{ONE}/frame")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/plain")
    assert "its bytes are not those of the record's digest" in answer.text
    path.unlink()
    assert "is missing in" in browse(small).get(f"{ONE}/frame").text


def test_an_image_that_is_code_is_never_sent(uploads: Uploads, small: Database, browse: Browse) -> None:
    content = b"<svg onload=alert(1)>" + b" " * 100
    entry = {**blob("image", content)}
    uploads.put(entry["key"], content)
    swap(uploads, 0, blobs=[entry])
    answer = browse(small).get(f"{ONE}/frame")
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (422, "nosniff")
    assert "is no PNG" in answer.text
    assert "<svg" not in answer.text


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "sha256/aa/" + "b" * 64 + ".png"])
def test_a_key_that_names_another_file_is_not_followed(
    uploads: Uploads, small: Database, browse: Browse, key: str
) -> None:
    entry = {**blob("image", png(seed=0)), "key": key}
    swap(uploads, 0, blobs=[entry])
    page = browse(small)
    assert page.get(f"{ONE}/frame").status_code == 422
    assert "The record cannot be shown: " in page.get(ONE).text


def test_a_decompression_bomb_is_not_unpacked(
    uploads: Uploads, small: Database, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = png(300, 400)
    entry = blob("image", huge)
    uploads.put(entry["key"], huge)
    swap(uploads, 0, blobs=[entry])
    monkeypatch.setattr(pictures, "decode", lambda *_: pytest.fail("was decoded"))
    answer = browse(small).get(f"{ONE}/frame")
    assert answer.status_code == 422
    assert "is a PNG of 300x400 pixels, but the record says 48x64" in answer.text
    swap(uploads, 0, image={"height": 60000, "width": 60000}, regions=[], blobs=[entry])
    assert "above the bound of 64000000" in browse(small).get(f"{ONE}/frame").text


def test_a_record_of_another_version_is_told(uploads: Uploads, small: Database, browse: Browse) -> None:
    swap(uploads, 0, version=2)
    text = browse(small).get(ONE).text
    assert "The record cannot be shown: " in text
    assert "record version 2, but this edgeseg reads 1" in text
    assert browse(small).get("/").status_code == 200


def test_an_item_without_an_image_has_its_maps(uploads: Uploads, sqlite: Database, browse: Browse) -> None:
    whole = uploads.add_with_maps(0)
    maps = [entry for entry in whole["blobs"] if entry["kind"] != "image"]
    uploads.announce({**whole, "form": "map", "blobs": maps}, START)
    assert ingest(str(uploads.folder), sqlite).ingested == 1
    page = browse(sqlite)
    assert "The vehicle sent the maps without the image." in page.get(ONE).text
    assert page.get(f"{ONE}/entropy").status_code == 200
    assert "image of item" in page.get(f"{ONE}/frame").text


def test_the_bucket_is_asked_only_for_keys_of_the_record(
    small: Database, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeseg.queue.places import Bucket

    asked: list[str] = []
    read = Bucket.read
    monkeypatch.setattr(Bucket, "read", lambda self, key, limit: asked.append(key) or read(self, key, limit))
    page = browse(small)
    page.get(f"{ONE}/frame", params={"key": "/etc/passwd", "bucket": "file:///etc"})
    digest = hashlib.sha256(png(seed=0)).hexdigest()
    assert asked == [record_key("car-0", item_id(0)), f"sha256/{digest[:2]}/{digest}.png"]
