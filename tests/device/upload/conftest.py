"""A real S3 server for the session, and spools to upload from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.upload.proxy import BadLine
from benchmarks.upload.server import BUCKET, S3Server
from edgeseg.device.spool import Spool


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


@pytest.fixture
def s3(server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """URL of an empty place on the server; credentials stand in the environment."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture
def bad_line(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[BadLine]:
    """One request of five fails on the way to the server."""
    with BadLine(server.port, failing=0.2) as line:
        for name, value in server.environment(line.port).items():
            monkeypatch.setenv(name, value)
        yield line


@pytest.fixture
def fill(tmp_path: Path, make_item: Callable[..., object]) -> Callable[..., Path]:
    """Makes a spool of items and returns its folder."""

    def make(count: int, name: str = "spool") -> Path:
        with Spool(tmp_path / name) as spool:
            for number in range(count):
                spool.put(*make_item(number))  # type: ignore[misc]
        return tmp_path / name

    return make
