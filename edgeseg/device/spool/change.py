"""Moving items and changing their rows as one: both, or neither."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgeseg.device.spool.folder import SpoolFolder
from edgeseg.device.spool.index import SpoolIndex
from edgeseg.errors import OutputError
from edgeseg.files import writing


class Change:
    """Items that come and go within one transaction of the index."""

    def __init__(self, folder: SpoolFolder, index: SpoolIndex) -> None:
        self._folder = folder
        self._index = index
        self._in: list[tuple[str, Path]] = []
        self._out: list[tuple[str, Path]] = []

    def bring_in(self, partial: Path, item_id: str) -> None:
        """Moves a written item to its place; what a killed writer left there goes first."""
        if self._folder.has(item_id):
            self.take_out(item_id)
        self._in.append((item_id, partial))
        self._folder.storage.rename(partial, self._folder.items / item_id)
        self._folder.storage.sync_folder(self._folder.items)

    def take_out(self, item_id: str) -> None:
        """Moves an item out of sight, if it is there."""
        if not self._folder.has(item_id) and not self._folder.bring_back(item_id):
            return
        gone = self._folder.scratch(item_id, "gone")
        self._out.append((item_id, gone))
        self._folder.take_out(item_id, gone)

    def finish(self) -> None:
        """Removes what was taken out."""
        for _, gone in self._out:
            self._folder.storage.remove_tree(gone)

    def undo(self) -> None:
        """Moves everything back, as far as the disk allows; reconciling, when a writer next opens, does the rest."""
        with suppress(OutputError, OSError), self._index.transaction():
            for item_id, partial in self._in:
                row = self._index.row(item_id)
                if row is None or not row.stored:
                    self._try_move(self._folder.items / item_id, partial)
            for item_id, gone in self._out:
                self._try_move(gone, self._folder.items / item_id)

    def _try_move(self, old: Path, new: Path) -> None:
        with suppress(OSError):
            self._folder.storage.rename(old, new)


@contextmanager
def changing(folder: SpoolFolder, index: SpoolIndex) -> Iterator[Change]:
    """A transaction of folder and index.

    Raises:
        OutputError: The spool cannot be written; nothing has changed.
    """
    change = Change(folder, index)
    try:
        with writing(folder.path), index.transaction():
            yield change
    except BaseException:
        change.undo()
        raise
    change.finish()
