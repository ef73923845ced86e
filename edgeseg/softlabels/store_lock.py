"""The lock of a cache's one writer in an object store: an object that its holder renews, taken over from the dead.

The object names the process that holds it and changes with each renewal. All but its creation is a compare-and-swap:
it is replaced only if it still is what was seen, by etag or version, so of several that want it one gets it. A holder
that could not renew it for ``TRUSTED_S`` renews it before it writes again, and learns there if it was taken over. What
it had sent off before comes to an end, by the library's own bounds, before ``STALE_S``.

How old a lock is tells the store's clock, so the machines' own may differ.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

from edgeseg.errors import CacheError, OutputError
from edgeseg.progress import say
from edgeseg.softlabels.process import Process
from edgeseg.stores import failing_as, failures, obstore, open_store

LOCK_NAME: Final = ".lock"
RENEWAL_S: Final = 30.0
"""From one renewal to the next."""
TRUSTED_S: Final = 60.0
"""Age of the last renewal up to which a holder writes without another."""
STALE_S: Final = 300.0
"""Age from which a lock may be taken over: ``TRUSTED_S``, and the 210 s for which a request may be repeated."""
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps


@dataclass(frozen=True)
class _Found:
    """A lock as it stands: its version, its age by the store's clock, what it says of its holder (None: nothing)."""

    version: dict[str, str]
    changed: datetime
    token: str = ""
    renewed: bool = False
    holder: Process | None = None


class StoreLock:
    """The lock, held from when it is made until ``release``, or until another writer takes it over.

    A store that has no compare-and-swap keeps a lock that is never renewed and never taken over.

    Args:
        url: The cache.

    Raises:
        CacheError: Another process holds it, and may be alive; or the store cannot keep a lock.
        OutputError: The store cannot be written.
    """

    def __init__(self, url: str) -> None:
        self._url, self._store = url, open_store(url)
        self._token, self._renewals = uuid.uuid4().hex, 0
        self._process = Process.this()
        self._version: dict[str, str] = {}
        self._renewed_s = 0.0
        self._is_lost = False
        self._one_at_a_time, self._released = threading.Lock(), threading.Event()
        with self._writing():
            self._swaps, now = self._try_store()
            self._take(now)
        if self._swaps:
            threading.Thread(target=self._keep, name=f"lock of {url}", daemon=True).start()

    def require(self) -> None:
        """Makes sure that this writer still holds it; called before each write.

        Raises:
            CacheError: Another writer took it over.
            OutputError: It is to be renewed, and the store does not answer.
        """
        with self._one_at_a_time, self._writing():
            if self._swaps and not self._is_lost and _now_s() - self._renewed_s > TRUSTED_S:
                self._renew()
        if self._is_lost:
            raise CacheError(
                f"{self._url}: another process took this cache over, since this one gave no sign of life for minutes; "
                "wait for it, then go on with --resume"
            )

    def release(self) -> None:
        """Lets another writer in.

        Raises:
            OutputError: The store does not answer; the lock is taken over in ``STALE_S``.
        """
        self._released.set()
        with self._one_at_a_time, self._writing(), suppress(FileNotFoundError):
            if self._swaps and not self._is_lost:
                self._renew()  # nobody takes it over between this and its end
            if not self._is_lost:
                obstore().delete(self._store, LOCK_NAME)

    def _take(self, now: datetime) -> None:
        while not self._create():
            try:
                found = self._look()
            except FileNotFoundError:  # released between the two
                continue
            age_s = max(0.0, (now - found.changed).total_seconds())
            if not self._is_free(found, age_s):
                raise CacheError(f"{self._url}: another process is writing this cache{_cure(self._url, found, age_s)}")
            if self._put(found.version):
                say(f"{self._url}: taken over from {found.holder}, which was killed")
                return

    def _create(self) -> bool:
        try:
            return self._put("create")
        except NotImplementedError:
            raise CacheError(
                f"{self._url}: a cache can be read there, but not written, since this kind of store keeps no lock; "
                "write it to a folder, or to s3://, gs:// or az://"
            ) from None

    def _is_free(self, found: _Found, age_s: float) -> bool:
        if not self._swaps or not found.renewed or found.holder is None:
            return False
        return age_s > STALE_S or found.holder.is_dead()

    def _keep(self) -> None:
        while not self._is_lost and not self._released.wait(RENEWAL_S):
            with self._one_at_a_time, suppress(*failures()):
                if not self._released.is_set():
                    self._renew()

    def _renew(self) -> None:
        self._is_lost = not self._put(self._version)

    def _put(self, mode: Literal["create"] | dict[str, str]) -> bool:
        """Puts the lock, if there is none (``create``) or if it is of a version; whether it was."""
        self._renewals += 1
        said = {"token": self._token, "renewals": self._renewals, "renewed": self._swaps, **asdict(self._process)}
        begun_s, known = _now_s(), obstore().exceptions
        try:
            put = obstore().put(self._store, LOCK_NAME, json.dumps(said).encode(), mode=mode)
        except (known.AlreadyExistsError, known.PreconditionError, FileNotFoundError):
            return self._put_before()
        self._version, self._renewed_s = _version(put), begun_s
        return True

    def _put_before(self) -> bool:
        """Whether the lock is this one's own, put by a request whose answer was lost; it is put once more."""
        try:
            found = self._look()
        except FileNotFoundError:
            return False
        if found.token != self._token:
            return False
        return self._put(found.version) if self._swaps else True

    def _look(self) -> _Found:
        got = obstore().get(self._store, LOCK_NAME)
        version, changed = _version(got.meta), got.meta["last_modified"]
        try:
            said = json.loads(bytes(got.bytes()))
            token, renewed, _ = said.pop("token"), said.pop("renewed"), said.pop("renewals")
            return _Found(version, changed, token, renewed, Process(**said))
        except (ValueError, TypeError, KeyError, AttributeError):
            return _Found(version, changed)

    def _try_store(self) -> tuple[bool, datetime]:
        """Whether the store has compare-and-swap, and what its clock says; by an object that goes again."""
        key, put = f"{LOCK_NAME}-{self._token}", obstore().put
        try:
            old = _version(put(self._store, key, b"1"))
            put(self._store, key, b"2")
            now = obstore().head(self._store, key)["last_modified"]
            try:
                with suppress(NotImplementedError):
                    put(self._store, key, b"3", mode=old)
            except obstore().exceptions.PreconditionError:
                return True, now
            return False, now
        finally:
            with suppress(FileNotFoundError):
                obstore().delete(self._store, key)

    def _writing(self) -> AbstractContextManager[None]:
        return failing_as(OutputError, f"cannot write {self._url}/{LOCK_NAME}", "check the store's rights and space")


def _cure(url: str, found: _Found, age_s: float) -> str:
    if not found.renewed:
        return f", or was killed; wait for it, or delete {url}/{LOCK_NAME} where none is running"
    return (
        f" ({found.holder}, last heard of {age_s:.0f} s ago); wait for it. If it was killed, the same command takes "
        f"the cache over in {max(1.0, STALE_S - age_s):.0f} s"
    )


def _version(meta: Any) -> dict[str, str]:
    return {name: meta[name] for name in ("e_tag", "version") if meta[name] is not None}


def _now_s() -> float:
    return time.clock_gettime(_CLOCK)
