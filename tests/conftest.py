"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.upload.server import BUCKET, S3Server

DATA_VARIABLE = "EDGESEG_TEST_DATA"
PARTS = ("data/camvid", "data/cityscapes", "data/mapillary", "pretrained", "reference/networks")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of the real data; skips where the variable is unset, fails where the folder is incomplete."""
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        pytest.skip(f"{DATA_VARIABLE} is unset: the checks on real data did not run")
    root = Path(value)
    missing = [part for part in PARTS if not (root / part).exists()]
    if missing:
        pytest.fail(f"{DATA_VARIABLE}={root} lacks {', '.join(missing)}")
    return root


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the memory of checked files out of the home of whoever runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 and WebDAV server for the session; it starts in seconds."""
    with S3Server() as running:
        yield running


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """URL of an empty place on the server; credentials stand in the environment."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{tmp_path.name}"
