"""Reading a bucket that vehicles upload to: an object store by URL, or a folder; both through obstore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from edgeseg.errors import QueueError
from edgeseg.stores import failures, is_url, obstore, open_store, reason

AT_ONCE = 32
"""Requests under way at the same time; obstore lets other threads run while it waits."""


class Bucket:
    """A bucket, or a folder of the same layout.

    Args:
        where: URL (``s3://``, ``gs://``, ``az://``, ``https://``, ``file://``) or path of a folder.

    Attributes:
        name: What the queue remembers it by: its URL.

    Raises:
        ConfigError: The URL holds a password or token.
        StoreError: The URL names no store.
        QueueError: The folder is missing.
        MissingDependencyError: obstore is not installed.
    """

    def __init__(self, where: str) -> None:
        if not is_url(where):
            folder = Path(where).expanduser().resolve()
            if not folder.is_dir():
                raise QueueError(f"{where}: no such folder; name the bucket or folder that edgeseg upload writes to")
            where = folder.as_uri()
        self.name = where.rstrip("/")
        self._obstore, self._store = obstore(), open_store(self.name)

    def folders(self, prefix: str) -> list[str]:
        """Names one level below a prefix, sorted."""
        with self._telling(prefix):
            found = self._obstore.list_with_delimiter(self._store, prefix)
        return sorted(path.rpartition("/")[2] for path in found["common_prefixes"])

    def keys(self, prefix: str, after: str | None = None) -> list[str]:
        """Keys below a prefix, sorted.

        Args:
            prefix: Whole path segments.
            after: Only keys that sort behind this one; a store does not even list the others.
        """
        with self._telling(prefix):
            listed = self._obstore.list(self._store, prefix, offset=after, chunk_size=1000)
            return sorted(entry["path"] for batch in listed for entry in batch)

    def read(self, key: str, limit: int) -> bytes | None:
        """The first ``limit`` + 1 bytes of an object, fewer where it is shorter; None where it is not there."""
        try:
            return bytes(self._obstore.get_range(self._store, key, start=0, end=limit + 1))
        except FileNotFoundError:
            return None
        except failures() as error:
            # Only now: a context entered for each of millions of objects takes a third of the time of reading them.
            with self._telling(key):
                # A range of an empty object is refused.
                refused = isinstance(error, self._obstore.exceptions.GenericError)
                if refused and not self._obstore.head(self._store, key)["size"]:
                    return b""
                raise error

    def put_empty(self, key: str) -> None:
        """Puts an empty object, where there may be one already."""
        with self._telling(key, "written"):
            self._obstore.put(self._store, key, b"", use_multipart=False)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Reads many objects at once."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bucket") as threads:
            yield Reader(self, threads)

    @contextmanager
    def _telling(self, what: str, done: str = "read") -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except failures() as error:
            raise QueueError(
                f"{self.name}/{what}: cannot be {done} ({reason(error)}); check the address, the rights and the network"
            ) from None


class Reader:
    """Reads many objects of a bucket at once."""

    def __init__(self, bucket: Bucket, threads: ThreadPoolExecutor) -> None:
        self._bucket, self._threads = bucket, threads

    def read(self, keys: Sequence[str], limit: int) -> list[bytes | None]:
        """``Bucket.read`` for each key, in their order."""
        size = max(1, len(keys) // AT_ONCE)
        parts = [keys[begin : begin + size] for begin in range(0, len(keys), size)]
        read = self._threads.map(lambda part: [self._bucket.read(key, limit) for key in part], parts)
        return [content for part in read for content in part]
