"""Looking into a spool, without the right to write."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from edgeseg.device.spool import check
from edgeseg.device.spool.check import SpoolCheck
from edgeseg.device.spool.contents import SpoolItem, State, read_item
from edgeseg.device.spool.folder import SpoolFolder
from edgeseg.device.spool.index import SpoolIndex, SpoolInfo
from edgeseg.device.spool.storage import Storage
from edgeseg.errors import OutputError, SpoolError
from edgeseg.progress import warn

Answer = TypeVar("Answer")


class SpoolReader:
    """A spool to be read; writers may be at work in it.

    Args:
        path: The folder.

    Raises:
        SpoolError: It is not there, no spool, or of a newer format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = SpoolFolder(path, Storage())
        self._folder.require()

    def __contains__(self, item_id: str) -> bool:
        return self._folder.has(item_id)

    def ids(self) -> tuple[str, ...]:
        """Ids of all items, in order."""
        return self._folder.ids()

    def item(self, item_id: str) -> SpoolItem:
        """Reads one item's record.

        Raises:
            SpoolError: It is not there, or its record is damaged.
        """
        return read_item(self._folder.items / item_id)

    def list(self) -> Sequence[SpoolItem]:
        """All items whose record is whole, highest value first; of others a warning is told."""
        return sorted(self._items(), key=lambda item: (-item.value, item.id))

    def info(self) -> SpoolInfo:
        """Counts items, bytes, and what became of them."""
        counted = self._ask(SpoolIndex.info)
        if counted is not None:
            return counted
        sizes = [item.bytes for item in self._items()]
        return SpoolInfo(len(sizes), sum(sizes), len(sizes), 0, 0)

    def verify(self) -> SpoolCheck:
        """Reads every item and holds its blobs against their checksums."""
        return check.check(self._folder)

    def _items(self) -> Iterator[SpoolItem]:
        states = self._states()
        for item_id in self.ids():
            try:
                yield read_item(self._folder.items / item_id, states.get(item_id, "pending"))
            except SpoolError as error:
                # A writer may have taken it out since the folder was listed.
                if item_id in self:
                    warn(str(error))

    def _states(self) -> dict[str, State]:
        return {row.id: row.state for row in self._ask(SpoolIndex.stored) or ()}

    def _ask(self, question: Callable[[SpoolIndex], Answer]) -> Answer | None:
        """What the index says; None where there is none yet, or it cannot be read."""
        if not self._folder.index.exists():
            return None
        try:
            index = SpoolIndex(self._folder.index, writable=False)
            try:
                return question(index)
            finally:
                index.close()
        except (sqlite3.Error, OutputError) as error:
            warn(f"{self._folder.index}: cannot be read ({error}); what became of the items is not known")
            return None
