"""A process that works with a spool until it is killed, and acknowledges what it did over a pipe."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.items import plain_item
from edgeseg.device.spool import Spool, SpoolLimits, Storage
from edgeseg.errors import SpoolFull
from edgeseg.records import Record

PUT, SENDING, UPLOADED, REMOVING = "put", "sending", "uploaded", "removing"
"""Acknowledged after it was done: ``put``, ``uploaded``. Told before it is begun: ``sending``, ``removing``."""


@dataclass(frozen=True)
class Work:
    """What a writer does.

    Attributes:
        spool: The folder.
        quota_bytes: Of the spool, None for none.
        first: Number of its first item; writers of one turn share it, and meet at the same items.
        seed: Of what it does in which order, and of the items' sizes.
        dies_at: Number of the request to the disk at which it kills itself, None to be killed from outside.
    """

    spool: Path
    quota_bytes: int | None
    first: int
    seed: int
    dies_at: int | None


class DyingStorage(Storage):
    """Ends the process, as a kill does, at its n-th request; a file that is being written then is half there."""

    def __init__(self, dies_at: int) -> None:
        self._left = dies_at

    def _ask(self) -> None:
        self._left -= 1
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, path: Path, content: bytes) -> None:
        if self._left == 0:
            path.write_bytes(content[: len(content) // 2])
        self._ask()
        super().write(path, content)

    def rename(self, old: Path, new: Path) -> None:
        self._ask()
        super().rename(old, new)

    def sync_folder(self, path: Path) -> None:
        self._ask()
        super().sync_folder(path)

    def remove_tree(self, path: Path) -> None:
        self._ask()
        super().remove_tree(path)


def make_item(number: int) -> tuple[Record, dict[str, bytes]]:
    """Item ``number``: random bytes of a random length; its value is random too."""
    draw = np.random.default_rng(number)
    content = {kind: draw.bytes(int(draw.integers(500, 40_000))) for kind in ("image", "classes")}
    value = float(draw.random())
    scores = [{"name": "random", "value": value, "unit": ""}]
    return plain_item(number, content, source="kills", scores=scores), content


def start(work: Work) -> tuple[int, int]:
    """Forks a writer; its process id, and the pipe on which it acknowledges."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            _write_until_killed(work, lambda what, item_id: os.write(writing, f"{what} {item_id}\n".encode()))
        finally:
            os._exit(1)
    os.close(writing)
    return child, reading


def _write_until_killed(work: Work, tell: Callable[[str, str], object]) -> None:
    chance = random.Random(work.seed)
    storage = Storage() if work.dies_at is None else DyingStorage(work.dies_at)
    with Spool(work.spool, SpoolLimits(work.quota_bytes), storage) as spool:
        for number in range(work.first, 1 << 40):
            record, blobs = make_item(number)
            with suppress(SpoolFull):
                spool.put(record, blobs)
                tell(PUT, record.item_id)
            if chance.random() < 0.4:
                _upload(spool, tell)
            if chance.random() < 0.15:
                tell(REMOVING, record.item_id)
                spool.remove(record.item_id)


def _upload(spool: Spool, tell: Callable[[str, str], object]) -> None:
    for item in spool.claim():
        for blob in item.record.blobs:
            item.read_blob(blob.kind)
        tell(SENDING, item.id)
        spool.mark_uploaded(item.id)
        tell(UPLOADED, item.id)
