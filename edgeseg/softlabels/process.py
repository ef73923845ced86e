"""Which process holds something, so that another one can tell whether it still runs."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process, known beyond its machine.

    Attributes:
        host: Name of its machine, for people.
        pid: Its number there.
        machine: This boot of the kernel, and the numbers' namespace; "" where the kernel does not tell.
        started: Ticks from the boot to its start, so that another process with the same number is not taken for it.
    """

    host: str
    pid: int
    machine: str
    started: str

    @classmethod
    def this(cls) -> Process:
        """The one that asks."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _machine(), _started(pid))

    def is_dead(self) -> bool:
        """Whether it is known to have ended; False for a process of another machine or container."""
        if not self.machine or not self.started or self.machine != _machine():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # it is another user's
        # Where the kernel hides other users' processes, nothing is known.
        return _started(self.pid) not in ("", self.started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Ticks, ``ended`` for a process that only its parent's wait keeps, "" where nothing is told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if fields[0] in "ZX" else fields[19]
