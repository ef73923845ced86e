"""A disk that fails on request."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeseg.device.spool import Spool, Storage


class FailingStorage(Storage):
    """Counts what is asked of it, and refuses the n-th request; a refused write leaves half a file.

    Attributes:
        requests: What was asked, by name.
        fail_at: Number of the request that fails, None for none.
        forever: Whether all later ones fail too.
        free: What it says is free, None for the truth.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.fail_at: int | None = None
        self.forever = False
        self.error = errno.ENOSPC
        self.free: int | None = None

    def _ask(self, name: str) -> None:
        number = len(self.requests)
        self.requests.append(name)
        if self.fail_at is not None and (number == self.fail_at or (self.forever and number > self.fail_at)):
            raise OSError(self.error, "injected fault")

    def write(self, path: Path, content: bytes) -> None:
        try:
            self._ask("write")
        except OSError:
            path.write_bytes(content[: len(content) // 2])
            raise
        super().write(path, content)

    def make_folder(self, path: Path) -> None:
        self._ask("make_folder")
        super().make_folder(path)

    def rename(self, old: Path, new: Path) -> None:
        self._ask("rename")
        super().rename(old, new)

    def sync_folder(self, path: Path) -> None:
        self._ask("sync_folder")
        super().sync_folder(path)

    def remove_tree(self, path: Path) -> None:
        super().remove_tree(path)

    def free_bytes(self, path: Path) -> int:
        return super().free_bytes(path) if self.free is None else self.free


@pytest.fixture
def storage() -> FailingStorage:
    return FailingStorage()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool") as opened:
        yield opened


@pytest.fixture
def leftovers() -> Callable[[Spool], list[str]]:
    """Names of what lies under a spool's ``incoming``."""
    return lambda spool: [p.name for p in (spool.path / "incoming").iterdir()]
