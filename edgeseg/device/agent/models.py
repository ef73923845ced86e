"""The model that runs: on the list of those that may, and swapped when its file is replaced."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.deploy.runners.base import Runner
from edgeseg.device.agent.watched import WatchedFile
from edgeseg.errors import ConfigError, EdgesegError, ModelError
from edgeseg.files import digest_file
from edgeseg.progress import say, warn

DIGEST = re.compile(r"[0-9a-f]{64}")


class AllowedModels:
    """The models that may run, by SHA-256 of their files.

    Args:
        digests: None for any.
    """

    def __init__(self, digests: frozenset[str] | None) -> None:
        self._digests = digests

    @classmethod
    def parse(cls, texts: Sequence[str]) -> AllowedModels:
        """Reads digests, and files that hold one a line (as ``sha256sum`` writes them; # begins a comment).

        Raises:
            ConfigError: A text is neither, or a line holds something else.
        """
        if not texts:
            return cls(None)
        return cls(frozenset(digest for text in texts for digest in _digests(text)))

    def check(self, path: Path) -> None:
        """Asks whether a file may run, before anything of it is loaded.

        Raises:
            ModelError: It may not, or is not there.
        """
        if self._digests is None:
            return
        try:
            digest = digest_file(path)
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
        if digest not in self._digests:
            raise ModelError(f"{path}: its SHA-256 {digest} is not on the list of models that may run (--allow-models)")


def _digests(text: str) -> list[str]:
    if DIGEST.fullmatch(text.lower()):
        return [text.lower()]
    try:
        lines = Path(text).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"--allow-models {text!r}: is neither a SHA-256 nor a file of them, one a line") from None
    words = [line.split("#")[0].split() for line in lines]
    found = [line[0].lower() for line in words if line]
    bad = [word for word in found if not DIGEST.fullmatch(word)]
    if bad:
        raise ConfigError(f"{text}: {bad[0][:80]!r} is no SHA-256 of 64 hexadecimal digits")
    return found


class ModelSlot:
    """A runner that gives way to a new one when the model's file is replaced.

    The new one is opened and tried beside the old one, in a thread of its own, and takes its place between two
    frames; one that fails is told and counted, and the old one stays.

    Args:
        path: The model's file.
        open_model: Opens it.

    Attributes:
        checks: Each raises where a runner does not fit the task.
        runner: The one that runs.
        swaps, refused: How often a new one came, and did not.
    """

    def __init__(self, path: Path, open_model: Callable[[Path], Runner]) -> None:
        self.swaps = self.refused = 0
        self._path = path
        self._open = open_model
        self.checks: Sequence[Callable[[Runner], object]] = ()
        self._watched = WatchedFile(path)
        self.runner = open_model(path)
        self._next: Runner | None = None
        self._opening: threading.Thread | None = None

    def between_frames(self, image: NDArray[np.uint8]) -> bool:
        """Swaps where a new model is ready, and begins to open one where the file is new.

        Args:
            image: The last frame (H, W, 3) uint8, on which a new model is tried.

        Returns:
            Whether another model runs from now on.
        """
        if self._opening is None and self._watched.has_changed():
            self._opening = threading.Thread(target=self._try, args=(image,), name="model-swap", daemon=True)
            self._opening.start()
        if self._opening is None or self._opening.is_alive():
            return False
        self._opening = None
        return self._take()

    def close(self) -> None:
        """Frees the models."""
        if self._opening is not None:
            self._opening.join()
            if self._next is not None:
                self._next.close()
        self.runner.close()

    def _take(self) -> bool:
        if self._next is None:
            self.refused += 1
            return False
        old, self.runner, self._next = self.runner, self._next, None
        old.close()
        _give_memory_back()
        self.swaps += 1
        say(f"{self._path}: the new model {self.runner.digest[:12]} runs from now on")
        return True

    def _try(self, image: NDArray[np.uint8]) -> None:
        new: Runner | None = None
        try:
            new = self._open(self._path)
            for check in self.checks:
                check(new)
            new.infer(image)
            self._next = new
        except Exception as error:  # a runtime may raise anything; the vehicle goes on
            if new is not None:
                new.close()
            what = str(error) if isinstance(error, EdgesegError) else repr(error)
            warn(f"{self._path}: was replaced by a model that cannot run, so the old one stays: {what}")


def _give_memory_back() -> None:
    """Returns to the system what the C library keeps of a closed model, tens of MB a swap."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
