"""The page with a few items, as a client that keeps cookies sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from benchmarks.queue.fleet import Uploads
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.page.app import create_app
from edgeseg.queue.page.settings import PageSettings

BASE = "http://127.0.0.1:8765"


class Browser(TestClient):
    """A client that fills forms as a browser does."""

    def csrf(self, path: str = "/") -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def submit(self, path: str, origin: str | None = BASE, **fields: object) -> Any:
        headers = {} if origin is None else {"Origin": origin}
        return self.post(path, data={"csrf": self.csrf(), **fields}, headers=headers)


@pytest.fixture
def browse() -> Callable[..., Browser]:
    def opened(database: Database, **settings: object) -> Browser:
        return Browser(create_app(PageSettings(**settings), database), base_url=BASE)

    return opened


@pytest.fixture
def queue(uploads: Uploads, database: Database) -> Database:
    """Six items of three vehicles, on both kinds of database."""
    return fill(uploads, database, 6)


@pytest.fixture
def small(uploads: Uploads, sqlite: Database) -> Database:
    """Two items, for what does not depend on the kind of database."""
    return fill(uploads, sqlite, 2)


def fill(uploads: Uploads, database: Database, items: int) -> Database:
    for number in range(items):
        uploads.add_with_maps(number)
    ingest(str(uploads.folder), database)
    return database
