"""Where an upload goes: a local folder, or an object store by URL. Keys are relative paths with slashes."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from edgeseg import stores
from edgeseg.errors import OutputError, StoreError
from edgeseg.files import writing


class Refused(StoreError):
    """The store says no, and will say so again: rights, or a bucket that is not there."""


class Destination(Protocol):
    """What an upload needs of the place where it goes.

    Attributes:
        name: Path or URL, for messages.
    """

    name: str

    def size(self, key: str) -> int | None:
        """Bytes of an object; None where it is not there. Raises ``StoreError``."""

    def create(self, key: str, content: bytes) -> bool:
        """Puts an object whole or not at all, and says whether it was new. Raises ``StoreError``."""

    def replace(self, key: str, content: bytes) -> None:
        """Puts an object in the place of one that is damaged. Raises ``StoreError``."""

    def keys(self, prefix: str) -> list[str]:
        """Keys of the objects right below a prefix, in order. Raises ``StoreError``."""

    def folders(self, prefix: str) -> list[str]:
        """Prefixes right below a prefix, in order. Raises ``StoreError``."""

    def delete(self, key: str) -> None:
        """Removes an object, if it is there. Raises ``StoreError``."""


def open_destination(where: str, timeout_s: float) -> Destination:
    """The destination that a path or URL names.

    Args:
        where: A folder, file://, s3://, gs://, az://, https:// or memory://.
        timeout_s: Longest time for one request.

    Raises:
        StoreError: The URL names no store, or what the provider needs is not set.
        ConfigError: The URL holds a password or token.
        MissingDependencyError: It is a URL, and obstore is not installed.
    """
    if not stores.is_url(where):
        return FolderDestination(Path(where))
    if where.startswith("file://"):
        return FolderDestination(Path(unquote(urlsplit(where).path)))
    return StoreDestination(where.rstrip("/"), timeout_s)


class FolderDestination:
    """A local folder, such as a disk that is carried out of the vehicle; what is there survives a power cut."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = str(folder)

    def size(self, key: str) -> int | None:  # noqa: D102
        try:
            return (self.folder / key).stat().st_size
        except FileNotFoundError:
            return None

    def create(self, key: str, content: bytes) -> bool:  # noqa: D102
        path = self.folder / key
        if path.exists():
            return False
        partial = self._written(path, content)
        try:
            # Unlike a rename, a link never takes the place of a file that another upload has just put there.
            os.link(partial, path)
        except FileExistsError:
            return False
        except OSError:
            self._rename(partial, path)  # a file system without links, as memory sticks have
        finally:
            partial.unlink(missing_ok=True)
        _sync_folder(path.parent)
        return True

    def replace(self, key: str, content: bytes) -> None:  # noqa: D102
        path = self.folder / key
        self._rename(self._written(path, content), path)

    def keys(self, prefix: str) -> list[str]:  # noqa: D102
        found = (path for path in (self.folder / prefix).glob("*") if path.is_file() and path.name[0] != ".")
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def folders(self, prefix: str) -> list[str]:  # noqa: D102
        found = (path for path in (self.folder / prefix).glob("*") if path.is_dir())
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def delete(self, key: str) -> None:  # noqa: D102
        with _as_store_error(self.name):
            (self.folder / key).unlink(missing_ok=True)

    def _written(self, path: Path, content: bytes) -> Path:
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
        try:
            with _as_store_error(self.name):
                path.parent.mkdir(parents=True, exist_ok=True)
                with partial.open("wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        return partial

    def _rename(self, partial: Path, path: Path) -> None:
        with _as_store_error(self.name):
            partial.replace(path)
            _sync_folder(path.parent)


class StoreDestination:
    """An object store. A plain WebDAV server knows no conditional put: there, what is there is asked first."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.name = url
        self._store = stores.open_store(url, timeout_s, 0)

    def size(self, key: str) -> int | None:  # noqa: D102
        try:
            with _asking(self.name, key):
                return int(stores.obstore().head(self._store, key)["size"])
        except FileNotFoundError:
            return None

    def create(self, key: str, content: bytes) -> bool:  # noqa: D102
        try:
            with _asking(self.name, key):
                stores.obstore().put(self._store, key, content, mode="create", use_multipart=False)
        except NotImplementedError:
            if self.size(key) is not None:
                return False
            self.replace(key, content)
        except FileExistsError:
            return False
        except FileNotFoundError:
            raise Refused(f"{self.name}: is not there; make the bucket or container first") from None
        return True

    def replace(self, key: str, content: bytes) -> None:  # noqa: D102
        with _asking(self.name, key):
            stores.obstore().put(self._store, key, content, use_multipart=False)

    def keys(self, prefix: str) -> list[str]:  # noqa: D102
        with _asking(self.name, prefix):
            return sorted(_from(prefix, entry["path"]) for entry in self._listed(prefix)["objects"])

    def folders(self, prefix: str) -> list[str]:  # noqa: D102
        with _asking(self.name, prefix):
            found = (_from(prefix, path) for path in self._listed(prefix)["common_prefixes"])
            return sorted(path for path in found if path != prefix)

    def delete(self, key: str) -> None:  # noqa: D102
        with suppress(FileNotFoundError), _asking(self.name, key):
            stores.obstore().delete(self._store, key)

    def _listed(self, prefix: str) -> Any:
        return stores.obstore().list_with_delimiter(self._store, prefix)


def _from(prefix: str, path: str) -> str:
    """A path from the prefix on: of a WebDAV server, obstore lists paths from the server's root."""
    return path[max(0, path.find(prefix)) :]


class _asking:
    """Turns a store's failure into a ``StoreError``; what the caller must tell apart passes as a builtin error."""

    PASSING: Final = (FileNotFoundError, NotImplementedError)

    def __init__(self, where: str, key: str) -> None:
        self._what = f"{where}/{key}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, self.PASSING) or not isinstance(error, stores.failures()):
            return
        known = stores.obstore().exceptions
        if isinstance(error, known.AlreadyExistsError | known.PreconditionError):
            raise FileExistsError(self._what) from None
        if isinstance(error, known.PermissionDeniedError | known.UnauthenticatedError | PermissionError):
            raise Refused(f"{self._what}: {stores.reason(error)}; check the vehicle's credentials and rights") from None
        raise StoreError(f"{self._what}: {stores.reason(error)}") from None


class _as_store_error:
    """Turns a failed write to a folder into a ``StoreError``."""

    def __init__(self, where: str) -> None:
        self._writing = writing(where)

    def __enter__(self) -> None:
        self._writing.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._writing.__exit__(kind, error, None)
        except OutputError as failed:
            raise StoreError(str(failed)) from None


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
