"""The page with a few items, as a client that keeps cookies sees it."""

from __future__ import annotations

import re
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from benchmarks.queue.fleet import Plain, Uploads, blob, png
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.page.app import create_app
from edgeseg.queue.page.settings import PageSettings

FRAME = (48, 64)
BASE = "http://127.0.0.1:8765"


def encoded(image: np.ndarray) -> bytes:
    done, content = cv2.imencode(".png", image)
    assert done
    return content.tobytes()


def maps() -> dict[str, bytes]:
    """Class map in two halves and a corner that the model did not see; entropy that rises from left to right."""
    classes = np.zeros(FRAME, np.uint8)
    classes[:, 32:], classes[:8, :8] = 3, 255
    entropy = np.tile(np.linspace(0, 255, FRAME[1]).astype(np.uint8), (FRAME[0], 1))
    return {"classes": encoded(classes), "entropy": encoded(entropy)}


def add(uploads: Uploads, number: int, **changes: object) -> Plain:
    """An upload with all its pictures."""
    files = {"image": png(*FRAME, seed=number), **maps()}
    for content in files.values():
        uploads.put(blob("image", content)["key"], content)
    blobs = [blob(kind, content) for kind, content in files.items()]
    return uploads.add(number, picture=files["image"], **{"blobs": blobs, **changes})


class Browser(TestClient):
    """A client that fills forms as a browser does."""

    def csrf(self, path: str = "/") -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def send(self, path: str, origin: str | None = BASE, **fields: object) -> object:
        headers = {} if origin is None else {"Origin": origin}
        return self.post(path, data={"csrf": self.csrf(), **fields}, headers=headers)


@pytest.fixture
def browse() -> Callable[..., Browser]:
    def opened(database: Database, **settings: object) -> Browser:
        return Browser(create_app(PageSettings(**settings), database), base_url=BASE, raise_server_exceptions=True)

    return opened


@pytest.fixture
def queue(uploads: Uploads, database: Database) -> Database:
    """Six items of three vehicles, on both kinds of database."""
    for number in range(6):
        add(uploads, number)
    ingest(str(uploads.folder), database)
    return database


@pytest.fixture
def small(uploads: Uploads, sqlite: Database) -> Database:
    """Two items, for what does not depend on the kind of database."""
    for number in range(2):
        add(uploads, number)
    ingest(str(uploads.folder), sqlite)
    return sqlite
