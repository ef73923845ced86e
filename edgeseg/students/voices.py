"""One message where several processes fail, since the failure of one makes all others fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from torch import distributed
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from edgeseg.errors import AlreadyTold, EdgesegError, TrainingError
from edgeseg.students.distribution import processes_expected

_ANSWER = timedelta(seconds=10)


@contextmanager
def one_voice() -> Iterator[None]:
    """Lets the first process that fails raise its error; in a process alone it does nothing.

    Raises:
        AlreadyTold: Another process failed before.
        TrainingError: Another process ended without a word, as one that is killed does.
    """
    try:
        yield
    except Exception as error:
        if processes_expected() == 1:
            raise
        if not _first_to_fail():
            raise AlreadyTold("another process of this training failed, and tells why") from error
        if _is_broken_connection(error):
            raise TrainingError(
                f"another process of this training ended ({str(error).splitlines()[0]}); see the launcher's report "
                "of it, and whether its machine had memory left, then go on by --resume"
            ) from error
        raise


def leads() -> bool:
    """Whether this process is the one that reports the result."""
    return os.environ.get("RANK", "0") == "0"


def _first_to_fail() -> bool:
    """Asks the launcher's store, which outlives the processes; whoever cannot ask speaks."""
    key = f"edgeseg/failed/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    try:
        store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False, timeout=_ANSWER)
        return bool(store.add(key, 1) == 1)
    except (RuntimeError, KeyError):
        return True


def _is_broken_connection(error: Exception) -> bool:
    if isinstance(error, EdgesegError) or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, distributed.DistError) or "gloo" in str(error)
