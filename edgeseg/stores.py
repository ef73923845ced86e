"""Object stores by URL, through obstore: s3://, gs://, az://, https:// and memory://.

Who may write there is found by the providers' own means (environment, instance or workload identity); no secret is
taken from a URL, and none comes into a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from edgeseg.errors import ConfigError, EdgesegError, StoreError, require

EXTRA: Final = "vehicle"
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
SECRET_NAMES: Final = re.compile(r"SECRET|TOKEN|PASSWORD|ACCOUNT_KEY|ACCESS_KEY|SAS_KEY|CONNECTION_STRING")
SECRET_PARAMETERS: Final = re.compile(r"((?:sig|signature|x-amz-[a-z-]+|token|key|password)=)[^&\s\"']+", re.IGNORECASE)
USER_INFO: Final = re.compile(r"(?<=://)[^/@\s]+@")


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path."""
    return "://" in text


def folder_or_url(where: Path | str) -> Path | str:
    """A folder as a path, a URL as the text that it is: a path would drop one of its slashes."""
    return where if isinstance(where, str) and is_url(where) else Path(where)


def obstore() -> Any:
    """The library.

    Raises:
        MissingDependencyError: It is not installed.
    """
    return require("obstore", EXTRA)


@lru_cache(maxsize=64)
def open_store(url: str, timeout_s: float | None = None, retries: int | None = None) -> Any:
    """The store of a URL; the same object for the same URL, since each memory:// store is a store of its own.

    Args:
        url: Where; its path becomes a prefix of every key.
        timeout_s: Longest time for one request; None for the library's.
        retries: How often the library itself repeats a failed request; None for its own habit.

    Raises:
        ConfigError: The URL holds a password or token.
        StoreError: The URL names no store, or what the provider needs is not set.
        MissingDependencyError: obstore is not installed.
    """
    _refuse_secrets(url)
    store = require("obstore.store", EXTRA)
    client: dict[str, Any] = {"allow_http": True} if _may_be_plain(url) else {}
    options: dict[str, Any] = {}
    if timeout_s is not None:
        client["timeout"] = timedelta(seconds=timeout_s)
    if retries is not None:
        options["retry_config"] = {"max_retries": retries, "retry_timeout": timedelta(minutes=3)}
    if url.startswith("memory:"):
        return _memory(url)
    try:
        return store.from_url(url, client_options=client or None, **options)
    except Exception as error:
        raise StoreError(
            f"{url}: is no object store that can be used ({reason(error)}); write a path, or s3://, gs://, az:// "
            "and a path, and set what the provider needs"
        ) from None


@lru_cache(maxsize=64)
def _memory(url: str) -> Any:
    return require("obstore.store", EXTRA).MemoryStore()


def failures() -> tuple[type[Exception], ...]:
    """What a store raises when a request fails."""
    return (obstore().exceptions.BaseError, OSError)


@contextmanager
def failing_as(kind: type[EdgesegError], what: str, cure: str) -> Iterator[None]:
    """Turns a store's failure into an error of the family; that an object is missing passes as it is.

    Args:
        kind: The error.
        what: What could not be done, with the URL.
        cure: What to do.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except failures() as error:
        raise kind(f"{what}: {reason(error)}; {cure}") from None


def reason(error: BaseException) -> str:
    """A store's error in one line, without the library's inner structure and without secrets."""
    return without_secrets(" ".join(str(error).split("\n\nDebug source")[0].split()))


def without_secrets(text: str) -> str:
    """A text in which no password, token or signature stands: of URLs, and of this process's environment."""
    text = USER_INFO.sub("", SECRET_PARAMETERS.sub(r"\1…", text))
    for name, value in os.environ.items():
        if len(value) >= 8 and SECRET_NAMES.search(name.upper()):
            text = text.replace(value, "…")
    return text


def _refuse_secrets(url: str) -> None:
    parts = urlsplit(url)
    if parts.password is not None or parts.query or (parts.username and not parts.scheme.startswith("abfs")):
        raise ConfigError(
            f"{without_secrets(url.split('?')[0])}: a URL with a user, password or query is not taken, since it would "
            "show them in logs; give credentials by the provider's own means, such as its environment variables"
        )


def _may_be_plain(url: str) -> bool:
    """Whether unencrypted HTTP may be used: on this machine, or where the user's environment says so."""
    if any(os.environ.get(f"{provider}_ALLOW_HTTP", "").lower() in ("1", "true") for provider in ("AWS", "AZURE")):
        return True
    return url.startswith("http://") and urlsplit(url).hostname in LOOPBACK
