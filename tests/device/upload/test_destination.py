"""One contract for every place: objects come whole, once, and are listed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pytest

from benchmarks.upload.server import S3Server
from edgeseg.device.upload import Destination, open_destination
from edgeseg.device.upload.destination import FolderDestination, Refused
from edgeseg.errors import ConfigError, MissingDependencyError, StoreError


@pytest.fixture(params=["folder", "file", "memory", "s3", "webdav"])
def place(request: pytest.FixtureRequest, tmp_path: Path, s3_server: S3Server) -> Destination:
    urls: dict[str, Callable[[], str]] = {
        "folder": lambda: str(tmp_path / "disk"),
        "file": lambda: f"file://{tmp_path}/a%20disk",
        "memory": lambda: f"memory://{tmp_path.name}",
        "s3": lambda: str(request.getfixturevalue("s3")),
        "webdav": lambda: f"http://127.0.0.1:{s3_server.webdav_port}/{tmp_path.name}",
    }
    return open_destination(urls[request.param](), timeout_s=10)


def test_object_is_created_once(place: Destination) -> None:
    assert place.size("a/b.png") is None
    assert place.create("a/b.png", b"123") and place.size("a/b.png") == 3
    assert not place.create("a/b.png", b"45678") and place.size("a/b.png") == 3
    place.replace("a/b.png", b"45678")
    assert place.size("a/b.png") == 5
    place.delete("a/b.png")
    place.delete("a/b.png")
    assert place.size("a/b.png") is None


def test_objects_are_listed(place: Destination) -> None:
    assert place.keys("marks/v1") == [] and place.folders("marks") == []
    for key in ("marks/v1/b", "marks/v1/a", "marks/v1/deep/c", "marks/v2/d"):
        place.create(key, b"")
    assert place.keys("marks/v1") == ["marks/v1/a", "marks/v1/b"]
    assert place.folders("marks") == ["marks/v1", "marks/v2"]
    assert place.folders("marks/v1") == ["marks/v1/deep"]


def test_folder_holds_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place = open_destination(str(tmp_path / "disk"), 1)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot write .*No space left on device"):
        place.create("a/b", b"123")
    monkeypatch.undo()
    assert not [path for path in (tmp_path / "disk").rglob("*") if path.is_file()]


def test_folder_without_links_takes_objects_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*names: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    place = FolderDestination(tmp_path)
    assert place.create("a/b", b"123") and not place.create("a/b", b"45")
    assert (tmp_path / "a" / "b").read_bytes() == b"123" and place.keys("a") == ["a/b"]


def test_wrong_credentials_are_refused_at_once_and_never_told(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-value")
    with pytest.raises(Refused, match=r"check the vehicle's credentials") as error:
        open_destination(f"{s3}/other", 5).create("a", b"1")
    assert "another-secret-value" not in str(error.value)


def test_bucket_that_is_not_there_is_told(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*args: Any, **options: Any) -> None:
        raise FileNotFoundError("NoSuchBucket")

    monkeypatch.setattr(obstore, "put", absent)
    with pytest.raises(Refused, match="make the bucket"):
        open_destination(f"{s3}/absent", 5).create("a", b"1")


def test_server_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch, s3: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"s3://.*/gone/a: .*"):
        open_destination(f"{s3}/gone", 5).create("a", b"1")


@pytest.mark.parametrize("url", ["https://user:pass1234@host/x", "s3://bucket/x?sig=abcdefgh", "https://token@host/x"])
def test_url_with_credentials_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="by the provider's own means") as error:
        open_destination(url, 5)
    assert not any(secret in str(error.value) for secret in ("pass1234", "abcdefgh", "token@"))


def test_store_that_is_none_is_told() -> None:
    with pytest.raises(StoreError, match="nowhere://x: is no object store"):
        open_destination("nowhere://x", 5)


def test_missing_library_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'edgeseg\[vehicle\]'"):
        open_destination("s3://bucket/missing", 5)
