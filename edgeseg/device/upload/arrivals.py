"""Marks that records are there, with moments that rise, whatever the clock does and however many upload."""

from __future__ import annotations

import fcntl
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edgeseg.bucket import ARRIVALS, arrival_key, parse_arrival
from edgeseg.device.upload.destination import Destination
from edgeseg.device.upload.pace import Persist
from edgeseg.files import writing

STEP = timedelta(microseconds=1)


class Arrivals:
    """Puts the marks of one spool's items, one after the other.

    A reader asks for what came after the last mark that it saw; one that came to be behind it would be missed. So
    whoever puts a mark holds the spool's lock from choosing the moment until the mark is there.

    Args:
        destination: Where they are put.
        lock: File of the lock, beside the spool's items.
    """

    def __init__(self, destination: Destination, lock: Path) -> None:
        self._destination = destination
        self._lock = lock
        self._latest: dict[str, datetime] = {}

    def put(self, vehicle: str, item_id: str, persist: Persist) -> None:
        """Puts the mark of an item.

        Args:
            vehicle: The record's.
            item_id: The record's.
            persist: Repeats a request that fails.

        Raises:
            StoreError: The mark could not be put.
        """
        with writing(self._lock):
            handle = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            moment = max(datetime.now(timezone.utc), self._known(handle, vehicle, persist) + STEP)
            # Noted before it is put: a request whose answer was lost may still have left its mark.
            os.pwrite(handle, f"{moment.isoformat(timespec='microseconds')}\n".encode(), 0)
            key = arrival_key(vehicle, item_id, moment)
            persist(lambda: self._destination.create(key, b""))
            self._latest[vehicle] = moment
        finally:
            os.close(handle)

    def _known(self, handle: int, vehicle: str, persist: Persist) -> datetime:
        if vehicle not in self._latest:
            self._latest[vehicle] = persist(lambda: self._listed(vehicle))
        try:
            noted = datetime.fromisoformat(os.pread(handle, 64, 0).decode().strip())
        except ValueError:
            noted = self._latest[vehicle]
        return max(noted, self._latest[vehicle])

    def _listed(self, vehicle: str) -> datetime:
        """The moment of a vehicle's latest mark."""
        days = self._destination.folders(f"{ARRIVALS}/{vehicle}")
        marks = self._destination.keys(days[-1]) if days else []
        if not marks:
            return datetime.min.replace(tzinfo=timezone.utc)
        return parse_arrival(marks[-1]).moment
