"""A policy at work: what it keeps goes into the spool, what it gives up goes out of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeseg.device.items import Kept
from edgeseg.device.policy.candidate import Candidate
from edgeseg.device.policy.policy import POLICY_NAME, POLICY_VERSION, Decision, Policy
from edgeseg.device.policy.roll import Item, Roll
from edgeseg.device.policy.settings import PolicySettings
from edgeseg.device.policy.state import PolicyState
from edgeseg.device.policy.triggers import Trigger, open_triggers
from edgeseg.device.spool import Spool
from edgeseg.errors import ConfigError, SpoolFull
from edgeseg.progress import say, warn

SAVED_EVERY_S = 10.0
MakeItem = Callable[[Kept], Item]
"""Encodes a frame, and says what it is: made only for what is kept."""


@dataclass(frozen=True)
class Seen:
    """A frame that waits for its decision."""

    candidate: Candidate
    make: MakeItem


class StreamKeeper:
    """Spools what a policy keeps.

    Args:
        settings: The policy.
        spool: Where frames are kept.
        stream: What scores depend on, such as model and strategy.
        seed: Of what the policy draws.

    Attributes:
        kept: Frames of this run that are in the spool.
        known: Of these, how many had been there before.
        refused: Frames that found no room in the spool.
        items: Item ids by frame, of what is kept.

    Raises:
        ConfigError: A trigger cannot be opened.
        OutputError: The spool cannot be written.
    """

    policy = POLICY_NAME

    def __init__(self, settings: PolicySettings, spool: Spool, stream: str, seed: int = 0) -> None:
        self._settings = settings
        self._spool = spool
        self._seed = seed
        self._policy = Policy(settings, seed, self._take_out)
        self._time_s = 0.0
        self._triggers: list[Trigger] = open_triggers(settings.triggers)
        self._roll = Roll(settings.pre_roll_s, settings.roll_every_s, settings.roll_bytes)
        self._state = PolicyState(Path(spool.path), stream)
        self._state.restore(self._policy)
        self._waiting: dict[str, Seen] = {}
        self._asked_until_s = self._asked_s = float("-inf")
        self._saved_s = time.monotonic()
        self._new: set[str] = set()
        self.refused = 0
        self.items: dict[str, str] = {}

    @property
    def version(self) -> str:
        """That of the code, and of the settings in force."""
        return f"{POLICY_VERSION}-{self._settings.digest}"

    @property
    def kept(self) -> int:
        """Frames of this run that are in the spool."""
        return len(self.items)

    @property
    def known(self) -> int:
        """Of these, how many had been there before."""
        return len(set(self.items.values()) - self._new)

    def offer(self, seen: Seen) -> list[str]:
        """Takes the next frame; ids of the items that thereby came in.

        Raises:
            OutputError: The spool cannot be written.
        """
        reason = next((told for trigger in self._triggers if (told := trigger.poll())), None)
        self._time_s = time_s = seen.candidate.time_s
        if reason is not None:
            return self._keep_asked(seen, reason)
        if time_s <= self._asked_until_s and time_s >= self._asked_s + self._settings.roll_every_s:
            return self._keep_after(seen)
        if self._roll.wants(time_s):
            worth = max(seen.candidate.score, 0.0)
            self._roll.add(seen.candidate, seen.make(Kept(seen.candidate.asked.form, worth, "pre-roll")))
        self._waiting[seen.candidate.frame] = seen
        return self._apply(self._policy.offer(seen.candidate))

    def adopt(self, settings: PolicySettings) -> list[str]:
        """Decides by another policy from now on; what waits is decided on by the old one.

        What was spent and seen counts on; the stream's sample where the new one has the same budgets and forms.

        Returns:
            Ids of the items that thereby came in.

        Raises:
            ConfigError: A trigger cannot be opened; the old policy goes on.
            OutputError: The spool cannot be written.
        """
        self._open_triggers(settings)
        came = self._apply(self._policy.finish())
        old, before = self._policy, self._settings
        same = (settings.forms, settings.budgets().named().keys()) == (before.forms, before.budgets().named().keys())
        self._policy, self._settings = Policy(settings, self._seed, self._take_out), settings
        self._policy.restore(old.to_dict(), same, self._time_s)
        self._roll = Roll(settings.pre_roll_s, settings.roll_every_s, settings.roll_bytes)
        return came

    def finish(self) -> list[str]:
        """Decides on what is left at the end of a drive.

        Raises:
            OutputError: The spool cannot be written.
        """
        came = self._apply(self._policy.finish())
        self._state.save(self._policy)
        return came

    def close(self) -> None:
        """Stops listening to triggers."""
        for trigger in self._triggers:
            trigger.close()
        self._state.close()

    def _open_triggers(self, settings: PolicySettings) -> None:
        # The old ones first: two cannot listen to one signal.
        for trigger in self._triggers:
            trigger.close()
        try:
            self._triggers = open_triggers(settings.triggers)
        except ConfigError:
            self._triggers = open_triggers(self._settings.triggers)
            raise

    def _keep_asked(self, seen: Seen, reason: str) -> list[str]:
        decisions = self._policy.keep(seen.candidate)
        if not decisions[-1].kept:
            warn(f"frame {seen.candidate.frame} is asked for ({reason}), but left out: the budget is spent")
            return []
        say(f"frame {seen.candidate.frame} is asked for: {reason}")
        self._asked_s = seen.candidate.time_s
        self._asked_until_s = self._asked_s + self._settings.post_roll_s
        came = self._apply(decisions, seen, reason)
        return self._keep_before(self._asked_s) + came

    def _keep_before(self, time_s: float) -> list[str]:
        """Keeps the frames before the one asked for, the newest first, as far as the budgets go."""
        rolled, came = self._roll.take(time_s), []
        while rolled:
            candidate, item = rolled[-1]
            if candidate.frame in self.items:  # by the policy's own choice, which has paid for it
                self._policy.settle(candidate.frame)
            elif self._policy.keep(candidate)[-1].kept:
                came.append(self._put(candidate.frame, item))
            else:
                say(f"the budget is spent: {len(rolled)} frame(s) of the pre-roll are left out")
                break
            rolled.pop()
        return [item_id for item_id in came if item_id]

    def _keep_after(self, seen: Seen) -> list[str]:
        """Keeps a frame after the one asked for, and is done with these once the budgets do not have it."""
        self._asked_s = seen.candidate.time_s
        decisions = self._policy.keep(seen.candidate)
        if not decisions[-1].kept:
            say(f"the budget is spent: the post-roll ends before frame {seen.candidate.frame}")
            self._asked_until_s = float("-inf")
        return self._apply(decisions, seen, "post-roll")

    def _apply(self, decisions: list[Decision], asked: Seen | None = None, reason: str = "") -> list[str]:
        came = []
        # Of one that was kept and displaced by the same step only the latter counts: it never came in.
        for frame, decision in {decision.candidate.frame: decision for decision in decisions}.items():
            seen = asked or self._waiting.pop(frame, None)
            if decision.form is not None and seen is not None:
                item_id = self._put(frame, seen.make(Kept(decision.form, decision.worth, reason[:40])))
                came += [item_id] if item_id else []
        if came and time.monotonic() - self._saved_s > SAVED_EVERY_S:
            self._state.save(self._policy)
            self._saved_s = time.monotonic()
        return came

    def _put(self, frame: str, item: Item) -> str | None:
        record, blobs = item
        try:
            if self._spool.put(record, blobs):
                self._new.add(record.item_id)
        except SpoolFull:
            self.refused += 1
            self._policy.withdraw(frame)
            return None
        self.items[frame] = record.item_id
        return record.item_id

    def _take_out(self, frames: Sequence[str]) -> Collection[str]:
        """Takes frames out of the spool, all or none, and tells which have to stay."""
        ids = {frame: self.items[frame] for frame in frames if frame in self.items}
        # What an earlier run had spooled is not this run's to take out; nor is what an upload holds or has taken.
        staying = {i for i in ids.values() if i not in self._new} or self._spool.remove_all(ids.values())
        if not staying:
            self._new.difference_update(ids.values())
            for frame in ids:
                del self.items[frame]
        return [frame for frame, item_id in ids.items() if item_id in staying]
