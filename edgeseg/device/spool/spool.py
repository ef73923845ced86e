"""Putting items in, handing them to an upload, and taking out what must give way."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from edgeseg.device.spool import check, owners
from edgeseg.device.spool.change import Change, changing
from edgeseg.device.spool.check import SpoolRepair
from edgeseg.device.spool.contents import RECORD_FILE, SpoolItem, State, blob_file, read_item, value_of
from edgeseg.device.spool.folder import SpoolFolder
from edgeseg.device.spool.index import Row, SpoolIndex
from edgeseg.device.spool.limits import SpoolLimits
from edgeseg.device.spool.owners import Owner
from edgeseg.device.spool.reader import Answer, SpoolReader
from edgeseg.device.spool.storage import Storage
from edgeseg.errors import SpoolError, SpoolFull
from edgeseg.files import writing
from edgeseg.progress import warn
from edgeseg.records import Record


class Spool(SpoolReader):
    """A folder of flagged frames, made where it is missing, open for writing.

    Several processes, and several threads of each, may write to one.

    Args:
        path: The folder.
        limits: How much of the disk it may take.
        storage: The disk.

    Raises:
        OutputError: It cannot be made or written, or it holds other things.
        SpoolError: It is of a newer format, or its index is damaged while others write.
    """

    def __init__(self, path: Path, limits: SpoolLimits | None = None, storage: Storage | None = None) -> None:
        self.limits = limits or SpoolLimits()
        self._disk = storage or Storage()
        folder = SpoolFolder(path, self._disk)
        folder.make()
        super().__init__(path)
        self._folder = folder
        self._owner: Owner | None = None
        self._closed = False
        alone = folder.enter()
        try:
            self._index, self._index_made_anew = check.open_index(folder, alone)
            if alone:
                check.sweep(folder)
                folder.share()
        except BaseException:
            folder.leave()
            raise

    def put(self, record: Record, blobs: Mapping[str, bytes]) -> bool:
        """Takes one item; when this returns it survives a power cut.

        Args:
            record: What it says; its blobs name their digests. Its score named ``value``, or else its
                first one, says what it is worth.
            blobs: Content by kind, one for each of the record's blobs.

        Returns:
            Whether it is new; False where the spool has it, or had it and it was uploaded.

        Raises:
            SpoolFull: The limits leave no room, and nothing that may give way is worth less.
            OutputError: It cannot be written (full disk, read-only). Nothing of it is left behind.
        """
        size = len(record.to_json().encode()) + sum(map(len, blobs.values()))
        partial = self._folder.scratch(record.item_id, "new")
        try:
            while not self._is_known(record.item_id):
                self._make_room(record, size)
                if not partial.exists():
                    self._write(partial, record, blobs)
                if self._publish(partial, record, size):
                    return True
        finally:
            self._disk.remove_tree(partial)
        return False

    def remove(self, item_id: str) -> bool:
        """Takes an item out for good; at no moment is half of it to be seen.

        Returns:
            Whether it is out; False where an upload holds it, or has already taken it.

        Raises:
            OutputError: It cannot be removed.
        """
        return not self.remove_all((item_id,))

    def remove_all(self, item_ids: Iterable[str]) -> set[str]:
        """Takes items out for good, all of them or none.

        Returns:
            Those that cannot be taken out, since an upload holds or has taken them, or they gave way before; none of
            the others is out then.

        Raises:
            OutputError: They cannot be removed; none is out.
        """
        wanted = set(item_ids)
        with self._changing() as change:
            self._end_leases()
            staying = {item_id for item_id in wanted if not self._may_go(item_id)}
            for item_id in () if staying else wanted:
                self._index.forget(item_id)
                change.take_out(item_id)
        return staying

    def claim(self, most: int = 1, state: State = "pending") -> builtins.list[SpoolItem]:
        """Hands items to an upload, highest value first; nobody else gets or evicts them meanwhile.

        Args:
            most: At most so many.
            state: ``pending``, or ``announced`` for those whose record alone was uploaded.

        Returns:
            Items that are this spool object's until ``release``, ``mark_announced`` or ``mark_uploaded``.
            ``close``, or the end of the process, gives back those that are left.

        Raises:
            OutputError: The index cannot be written.
        """
        taken: builtins.list[SpoolItem] = []
        with self._changing():
            self._end_leases()
            while len(taken) < most and (rows := self._index.free_of(state, most - len(taken))):
                taken += [item for row in rows if (item := self._take(row))]
        return taken

    def claim_item(self, item_id: str) -> SpoolItem | None:
        """Hands out one item by its id, such as one whose blobs were asked for; None where it is not to be had.

        Raises:
            OutputError: The index cannot be written.
        """
        with self._changing():
            self._end_leases()
            row = self._index.row(item_id)
            return self._take(row) if row is not None and self._may_go(item_id) else None

    def release(self, item_id: str) -> None:
        """Gives an item back as it was; another upload may try it.

        Raises:
            SpoolError: This spool object does not hold it.
        """
        with self._index.transaction():
            self._require_held(item_id)
            self._index.set_lease(item_id, None)

    def mark_announced(self, item_id: str) -> None:
        """Notes that an item's record was uploaded and its blobs wait until they are asked for; gives it back.

        Raises:
            SpoolError: This spool object does not hold it.
        """
        with self._index.transaction():
            self._require_held(item_id)
            self._index.set_state(item_id, "announced", stored=True)

    def mark_uploaded(self, item_id: str, keep: bool = False) -> None:
        """Notes that an item was uploaded whole; it is never handed out nor taken in again.

        Args:
            item_id: Which one.
            keep: Leave its files here; they are the first to give way.

        Raises:
            SpoolError: This spool object does not hold it.
            OutputError: The spool cannot be written; the item is then handed out again.
        """
        with self._changing() as change:
            self._require_held(item_id)
            self._index.set_state(item_id, "uploaded", stored=keep)
            if not keep:
                change.take_out(item_id)

    def repair(self) -> SpoolRepair:
        """Moves damaged items aside; opening the spool did the rest.

        Raises:
            OutputError: The spool cannot be written.
        """
        return check.repair(self._folder, self._index, self._index_made_anew)

    def close(self) -> None:
        """Gives back what it holds, and lets go of the folder."""
        if self._owner is not None:
            self._owner.close()
            self._owner = None
        self._index.close()
        self._folder.leave()
        self._closed = True

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, question: Callable[[SpoolIndex], Answer]) -> Answer | None:
        return super()._ask(question) if self._closed else question(self._index)

    def _changing(self) -> AbstractContextManager[Change]:
        return changing(self._folder, self._index)

    def _may_go(self, item_id: str) -> bool:
        row = self._index.row(item_id)
        return row is not None and row.stored and row.lease is None and row.state != "uploaded"

    def _is_known(self, item_id: str) -> bool:
        row = self._index.row(item_id)
        return row is not None and (row.stored or row.state == "uploaded")

    def _write(self, partial: Path, record: Record, blobs: Mapping[str, bytes]) -> None:
        with writing(partial):
            self._disk.make_folder(partial)
            for kind, content in blobs.items():
                self._disk.write(partial / blob_file(kind), content)
            self._disk.write(partial / RECORD_FILE, record.to_json().encode())
            self._disk.sync_folder(partial)

    def _publish(self, partial: Path, record: Record, size: int) -> bool:
        """Brings a written item in; False where another process has meanwhile brought it in, or taken the room."""
        with self._changing() as change:
            if self._is_known(record.item_id) or self.limits.over_quota(self._index.bytes(), size) > 0:
                return False
            change.bring_in(partial, record.item_id)
            self._index.add(record.item_id, value_of(record), size)
        return True

    def _make_room(self, record: Record, size: int) -> None:
        if self.limits == SpoolLimits():
            return
        with self._changing() as change:
            self._end_leases()
            over = self.limits.over_quota(self._index.bytes(), size)
            short = self.limits.short_of_disk(self._disk.free_bytes(self.path), size)
            for row in self._victims(max(over, short), record):
                self._index.set_state(row.id, "evicted", stored=False)
                change.take_out(row.id)

    def _victims(self, excess: int, record: Record) -> builtins.list[Row]:
        """Items of least worth that together have so many bytes."""
        value, found = value_of(record), builtins.list[Row]()
        for row in self._index.least_worth() if excess > 0 else ():
            if row.state != "uploaded" and row.value >= value:
                break
            found.append(row)
            excess -= row.bytes
            if excess <= 0:
                break
        if excess > 0:
            raise SpoolFull(
                f"{self.path}: frame {record.frame_id} of value {value:.4g} finds no room: what may give way is worth "
                "as much or is being uploaded; upload, or raise the quota or lower the minimum of free disk"
            )
        return found

    def _take(self, row: Row) -> SpoolItem | None:
        """Gives an item to this object; one that cannot be read is left for ``verify`` and ``repair`` to tell of."""
        try:
            if row.id not in self:
                self._folder.bring_back(row.id)
            item = read_item(self._folder.items / row.id, row.state)
        except SpoolError as error:
            warn(str(error))
            self._index.forget(row.id)
            return None
        self._owner = self._owner or Owner(self._folder.owners)
        self._index.set_lease(row.id, self._owner.token)
        return item

    def _end_leases(self) -> None:
        self._index.end_leases(owners.gone(self._folder.owners, self._index.lease_owners()))

    def _require_held(self, item_id: str) -> None:
        row = self._index.row(item_id)
        if self._owner is None or row is None or row.lease != self._owner.token:
            raise SpoolError(f"{self.path}: item {item_id} is not held by this upload; claim it first")
