"""The one family of errors; the command line turns each into one message and an exit code.

    EdgesegError            exit code 1
    ├── UsageError          exit code 2: the command's words do not fit together
    ├── ConfigError         exit code 2: a setting that cannot be used
    ├── DataError           a dataset, frame or label that cannot be used
    ├── ModelError          a checkpoint, published file or exported model that cannot be used
    ├── CacheError          a soft-label cache that is broken or does not fit
    ├── ClusterError        a cluster of machines that cannot be reached or lost its workers
    ├── SpoolError          a spool that is broken
    │   └── SpoolFull       an item that finds no room, since all that is there is worth as much
    ├── StoreError          an object store that cannot be reached, or refuses
    ├── QueueError          a labeling queue that is broken, or an item that is not where it was left
    │   └── ConflictError   an item that someone else changed meanwhile
    ├── TrainingError       a training that cannot go on
    ├── OutputError         something that cannot be written
    ├── AlreadyTold         another process of the same run failed first, and told why
    └── MissingDependencyError   an optional package that is not installed

Every message says what was wrong, where (file, option, sample id), the value received, and the cure.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import ClassVar


class EdgesegError(Exception):
    """Base of all errors that a user can mend."""

    exit_code: ClassVar[int] = 1


class UsageError(EdgesegError):
    """The command's words do not fit together."""

    exit_code: ClassVar[int] = 2


class ConfigError(EdgesegError):
    """A setting is missing, unknown or out of range."""

    exit_code: ClassVar[int] = 2


class DataError(EdgesegError):
    """A dataset, frame or label cannot be used."""


class ModelError(EdgesegError):
    """A checkpoint, published file or exported model cannot be used."""


class CacheError(EdgesegError):
    """A soft-label cache is broken or does not fit what it is asked for."""


class ClusterError(EdgesegError):
    """A cluster of machines cannot be reached, or lost its workers."""


class SpoolError(EdgesegError):
    """A spool is broken."""


class SpoolFull(SpoolError):
    """An item finds no room: nothing that may give way is worth less."""


class StoreError(EdgesegError):
    """An object store cannot be reached, or refuses what is asked of it."""


class QueueError(EdgesegError):
    """A labeling queue is broken, or one of its items is not where it was left."""


class ConflictError(QueueError):
    """Someone else changed an item between the look at it and the decision on it; nothing was changed."""


class TrainingError(EdgesegError):
    """A training cannot go on."""


class OutputError(EdgesegError):
    """A result cannot be written."""


class AlreadyTold(EdgesegError):
    """Another process of the same run failed first, and told why; this one need not."""


class MissingDependencyError(EdgesegError):
    """An optional package is not installed."""


def require(module: str, extra: str) -> ModuleType:
    """Imports an optional module.

    Args:
        module: Dotted name, such as ``"onnxruntime"``.
        extra: The extra of this package that brings it, such as ``"cpu"``.

    Raises:
        MissingDependencyError: The module's package is not installed; the message gives the command.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise MissingDependencyError(
            f"{module.split('.')[0]} is not installed; install it with: pip install 'edgeseg[{extra}]'"
        ) from None
