"""Sessions of browsers: a secret in a cookie, another one in every form, and what can be taken back."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from edgeseg.queue.review import Change

MOST = 1000
"""Sessions at a time; the one that was used longest ago makes room."""
IDLE_S = 12 * 3600.0
UNDO_STEPS = 50


class Notice(NamedTuple):
    """What a page says once, at its top.

    Attributes:
        kind: ``done``, or ``problem`` where nothing was changed.
        text: In words.
        can_undo: Whether it is offered to take it back.
    """

    kind: Literal["done", "problem"]
    text: str
    can_undo: bool = False


@dataclass
class Session:
    """One browser.

    Attributes:
        actor: Who it is in the items' history.
        csrf: What its forms must send, which no foreign page can read.
        changes: Its decisions, the latest last.
        notice: What its next page says.
    """

    actor: str
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=UNDO_STEPS))
    notice: Notice | None = None
    used_s: float = field(default_factory=time.monotonic)

    def take_notice(self) -> Notice | None:
        """The notice, which is then gone."""
        notice, self.notice = self.notice, None
        return notice


class Sessions:
    """All sessions, in memory: whoever restarts the server ends them."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, actor: str) -> tuple[str, Session]:
        """A new session and the secret that names it."""
        secret, session = secrets.token_urlsafe(32), Session(actor)
        with self._lock:
            self._sessions[secret] = session
            while len(self._sessions) > MOST:
                self._sessions.popitem(last=False)
        return secret, session

    def find(self, secret: str | None) -> Session | None:
        """The session that a cookie names; None where there is none, or it lay idle too long."""
        with self._lock:
            session = self._sessions.get(secret or "")
            if session is None or time.monotonic() - session.used_s > IDLE_S:
                return None
            self._sessions.move_to_end(secret or "")
            session.used_s = time.monotonic()
            return session

    def end(self, secret: str | None) -> None:
        """Forgets a session."""
        with self._lock:
            self._sessions.pop(secret or "", None)
