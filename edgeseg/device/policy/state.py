"""What a policy remembers over restarts, in the spool it keeps frames in."""

from __future__ import annotations

import fcntl
import json
import os
import time
from itertools import count
from pathlib import Path

from edgeseg.device.policy.policy import Policy
from edgeseg.files import write_atomic, writing
from edgeseg.progress import warn

STATE_FORMAT = 1


class PolicyState:
    """One file of those under the spool's ``policy``; each process at work with the spool has its own.

    Args:
        spool: The spool's folder.
        stream: What scores depend on, such as model and strategy; of another stream the scores' sample is left out.

    Raises:
        OutputError: The folder cannot be written.
    """

    def __init__(self, spool: Path, stream: str) -> None:
        self._stream = stream
        folder = spool / "policy"
        with writing(folder):
            folder.mkdir(exist_ok=True)
            for number in count():
                self._path = folder / f"{number}.json"
                self._lock = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                try:
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    os.close(self._lock)

    def restore(self, policy: Policy) -> None:
        """Gives a policy what was remembered; a file that cannot be used is told and left out."""
        try:
            plain = json.loads(self._path.read_text())
            if plain["format"] != STATE_FORMAT:
                raise ValueError(f"format {plain['format']!r}")
            # A clock that was set back says nothing of how long it was: then no time went by.
            away_s = max(0.0, time.time() - float(plain["wall_time_s"]))
            policy.restore(plain["policy"], plain["stream"] == self._stream, away_s=away_s)
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            warn(f"{self._path}: cannot be used ({error}); the policy begins anew")

    def save(self, policy: Policy) -> None:
        """Remembers a policy.

        Raises:
            OutputError: The file cannot be written.
        """
        plain = {"format": STATE_FORMAT, "stream": self._stream, "wall_time_s": time.time(), "policy": policy.to_dict()}
        write_atomic(self._path, json.dumps(plain))

    def close(self) -> None:
        """Leaves the file to the next process."""
        os.close(self._lock)
