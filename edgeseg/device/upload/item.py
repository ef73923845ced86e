"""One item's way: its blobs, then its record, then the mark that it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edgeseg.bucket import announced_key, record_key
from edgeseg.device.spool import SpoolItem
from edgeseg.device.upload.arrivals import Arrivals
from edgeseg.device.upload.destination import Destination
from edgeseg.device.upload.pace import Persist

Outcome = Literal["sent", "skipped", "announced"]


@dataclass(frozen=True)
class ItemSender:
    """Sends items to one place.

    Attributes:
        destination: The place.
        arrivals: The marks there.
        persist: Repeats a request that fails.
        allow: Waits until so many bytes may go; they are counted as sent.
    """

    destination: Destination
    arrivals: Arrivals
    persist: Persist
    allow: Callable[[int], None]

    def send(self, item: SpoolItem) -> Outcome:
        """Sends an item whole.

        Returns:
            ``"sent"``, or ``"skipped"`` where its record was there.

        Raises:
            StoreError: The store failed too often, or refused.
            SpoolError: One of the item's files is damaged.
        """
        key = record_key(item.record.vehicle, item.id)
        text = item.record.to_json().encode()
        is_new = not self.persist(lambda: self.destination.size(key) is not None)
        if is_new:
            for blob in item.record.blobs:
                self._put_blob(blob.key, item.read_blob(blob.kind))
            is_new = self._put(key, text)
        # Again where it was there: an upload that ended between record and mark leaves none.
        self.arrivals.put(item.record.vehicle, item.id, self.persist)
        return "sent" if is_new else "skipped"

    def announce(self, item: SpoolItem) -> Outcome:
        """Sends an item's record alone, for somebody to ask for its blobs.

        Raises:
            StoreError: The store failed too often, or refused.
        """
        is_new = self._put(announced_key(item.record.vehicle, item.id), item.record.to_json().encode())
        return "announced" if is_new else "skipped"

    def _put_blob(self, key: str, content: bytes) -> None:
        """Puts a blob; one of another length under its key is damaged, and replaced."""
        if not self._put(key, content) and not self.persist(lambda: self.destination.size(key) == len(content)):
            self.allow(len(content))
            self.persist(lambda: self.destination.replace(key, content))

    def _put(self, key: str, content: bytes) -> bool:
        """Puts an object where there is none; True where this upload brought it."""
        failed = False

        def request() -> bool:
            nonlocal failed
            # A request whose answer was lost may have been heeded: then the object is this upload's.
            if failed and self.destination.size(key) == len(content):
                return True
            failed = True
            self.allow(len(content))
            return self.destination.create(key, content)

        return self.persist(request)
