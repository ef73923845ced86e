"""A bad line to the S3 server, and spools to upload from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.upload.proxy import BadLine
from benchmarks.upload.server import S3Server
from edgeseg.device.spool import Spool


@pytest.fixture
def bad_line(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[BadLine]:
    """One request of five fails on the way to the server."""
    with BadLine(s3_server.port, failing=0.2) as line:
        for name, value in s3_server.environment(line.port).items():
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
