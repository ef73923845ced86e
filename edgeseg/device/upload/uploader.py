"""The upload: workers that take items from the spool, most valuable first, until there is none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from edgeseg.bucket import REQUESTS, announced_key, parse_request
from edgeseg.device.spool import Spool, SpoolItem
from edgeseg.device.stopping import StopRequest
from edgeseg.device.upload.arrivals import Arrivals
from edgeseg.device.upload.destination import Destination, Refused
from edgeseg.device.upload.item import ItemSender, Outcome
from edgeseg.device.upload.pace import Answer, Backoff, Throttle
from edgeseg.device.upload.settings import UploadSettings, parse_rate
from edgeseg.device.upload.windows import Windows
from edgeseg.errors import DataError, SpoolError, StoreError
from edgeseg.progress import warn

LOCK_NAME = ".arrivals"


class Interrupted(Exception):
    """The upload was asked to end while it waited."""


@dataclass
class UploadReport:
    """What an upload did.

    Attributes:
        sent: Items that it brought.
        skipped: Items that need not be sent: those that this spool had uploaded before, and those whose record was
            there, since a concurrent upload, or one of the same drive, brought it.
        announced: Items whose record alone it brought.
        failed: Items that are left in the spool since they could not be brought.
        bytes: Bytes that were sent, repeated ones included.
        retries: Requests that failed and were repeated.
        interrupted: Whether it ended on a signal.
        problems: What failed and why, the first of them.
    """

    sent: int = 0
    skipped: int = 0
    announced: int = 0
    failed: int = 0
    bytes: int = 0
    retries: int = 0
    interrupted: bool = False
    problems: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return dict(vars(self))


def upload(settings: UploadSettings, spool: Spool, destination: Destination, stop: StopRequest) -> UploadReport:
    """Brings the spool's items to a destination; what it cannot bring stays in the spool.

    Args:
        settings: How.
        spool: From where.
        destination: To where.
        stop: Asks to end; requests under way are finished.

    Raises:
        OutputError: The spool cannot be written.
    """
    run = _Upload(settings, spool, destination, stop)
    while True:
        run.one_pass()
        if not settings.watch or stop.requested:
            break
        run.wait(settings.poll_s, ends_quietly=True)
    run.report.interrupted = stop.requested
    return run.report


class _Upload:
    """State of one upload."""

    def __init__(self, settings: UploadSettings, spool: Spool, destination: Destination, stop: StopRequest) -> None:
        self.settings = settings
        self.spool = spool
        self.destination = destination
        self.report = UploadReport(skipped=spool.info().uploaded)
        self._stop = stop
        self._refused: StoreError | None = None
        self._turn = threading.Lock()
        self._windows = Windows.parse(settings.windows)
        self._throttle = Throttle(parse_rate(settings.bandwidth) if settings.bandwidth else None)
        self._backoff = Backoff(settings.first_wait_s, settings.longest_wait_s, settings.seed)
        self._sender = ItemSender(
            destination, Arrivals(destination, spool.path / LOCK_NAME), self._persist, self._allow
        )
        self._held: list[str] = []

    def one_pass(self) -> None:
        """Tries every item that is there once more; a store that refuses ends it."""
        self._refused = None
        self.report.failed = 0
        whole = self.settings.blobs == "all"
        try:
            if whole:
                self._all("pending", self._sender.send)
                self._all("announced", self._send_announced)
            else:
                self._all("pending", self._sender.announce)
                self._requested()
        finally:
            for item_id in self._held:
                self.spool.release(item_id)
            self._held.clear()

    def wait(self, seconds: float, ends_quietly: bool = False) -> None:
        """Waits, or raises ``Interrupted`` when the upload is asked to end."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._ending:
            time.sleep(min(left, 0.1))
        if self._ending and not ends_quietly:
            raise Interrupted

    @property
    def _ending(self) -> bool:
        return self._stop.requested or self._refused is not None

    def _all(self, state: Any, deliver: Callable[[SpoolItem], Outcome]) -> None:
        """Delivers every item of a state, several at once."""

        def work() -> None:
            while not self._ending and (items := self.spool.claim(1, state)):
                self._deliver(items[0], deliver)

        with ThreadPoolExecutor(self.settings.parallel, "upload") as pool:
            for worker in [pool.submit(work) for _ in range(self.settings.parallel)]:
                worker.result()

    def _deliver(self, item: SpoolItem, deliver: Callable[[SpoolItem], Outcome]) -> None:
        try:
            outcome = deliver(item)
        except Interrupted:
            self._held.append(item.id)
            return
        except (StoreError, SpoolError) as error:
            self._fail(item, error)
            return
        if deliver == self._sender.announce:
            self.spool.mark_announced(item.id)
        else:
            self.spool.mark_uploaded(item.id, self.settings.keep)
        with self._turn:
            setattr(self.report, outcome, getattr(self.report, outcome) + 1)

    def _fail(self, item: SpoolItem, error: StoreError | SpoolError) -> None:
        """Keeps hold of an item until the end of the pass, so that this pass does not take it again."""
        with self._turn:
            self._held.append(item.id)
            self.report.failed += 1
            if isinstance(error, Refused) and self._refused is None:
                self._refused = error
            if len(self.report.problems) < 20 and str(error) not in self.report.problems:
                self.report.problems.append(str(error))
                warn(f"item {item.id[:12]} stays in the spool: {error}")

    def _send_announced(self, item: SpoolItem) -> Outcome:
        outcome = self._sender.send(item)
        key = announced_key(item.record.vehicle, item.id)
        self._persist(lambda: self.destination.delete(key))
        return outcome

    def _requested(self) -> None:
        """Sends what was asked for and is still here."""
        for key in self._requests():
            if self._ending:
                return
            item = self.spool.claim_item(parse_request(key)[1])
            if item is None:
                continue
            before = self.report.sent + self.report.skipped
            self._deliver(item, self._send_announced)
            if self.report.sent + self.report.skipped > before:
                self._persist(partial(self.destination.delete, key))

    def _requests(self) -> list[str]:
        def request() -> list[str]:
            return [key for folder in self.destination.folders(REQUESTS) for key in self.destination.keys(folder)]

        try:
            found = self._persist(request)
        except Interrupted:
            return []
        except StoreError as error:
            warn(f"what is asked for cannot be read: {error}")
            return []
        return [key for key in found if _is_request(key)]

    def _allow(self, size: int) -> None:
        """Waits for the bandwidth's turn, and counts the bytes."""
        self.wait(self._throttle.reserve(size))
        with self._turn:
            self.report.bytes += size

    def _persist(self, request: Callable[[], Answer]) -> Answer:
        """Repeats a request with growing, jittered waits while a window is open; raises the last failure."""
        for failures in range(1, self.settings.attempts + 1):
            while (closed_s := self._windows.wait_s(datetime.now())) > 0:
                self.wait(min(closed_s, 60.0))
            if self._ending:
                raise Interrupted
            try:
                return request()
            except Refused:
                raise
            except StoreError:
                if failures == self.settings.attempts:
                    raise
                with self._turn:
                    self.report.retries += 1
                self.wait(self._backoff.wait_s(failures))
        raise AssertionError("a request is tried at least once")


def _is_request(key: str) -> bool:
    try:
        parse_request(key)
    except DataError as error:
        warn(str(error))
        return False
    return True
