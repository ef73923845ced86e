"""What a list shows, as an address says it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlencode

from edgeseg.errors import ConfigError
from edgeseg.queue.listing import ListSettings
from edgeseg.queue.paging import Place, parse_place
from edgeseg.queue.tables import STATES

Order = Literal["value", "newest"]
ORDERS: tuple[Order, ...] = get_args(Order)
ANY = "any"
PAGE_SIZE = 25
_LONGEST = 200


@dataclass(frozen=True)
class Filters:
    """Which items a list shows, and from where.

    Attributes:
        state: Only those in this state, or ``"any"``.
        vehicle, class_name: Only this vehicle's, and those whose most uncertain region is of this class; "": all.
        min_score: Only those with at least this score; "": all.
        order: Most valuable or newest first.
        after, before: Place from which the page goes, at most one of the two; "" for the first page.
    """

    state: str = "flagged"
    vehicle: str = ""
    class_name: str = ""
    min_score: str = ""
    order: Order = "value"
    after: str = ""
    before: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filters:
        """Reads an address's query; what it does not say is as by default.

        Raises:
            ConfigError: A value is none that a filter can have.
        """
        texts = {name: query.get(name, "").strip() for name in ("state", "vehicle", "class", "min_score", "order")}
        for name, text in texts.items():
            if len(text) > _LONGEST:
                raise ConfigError(f"{name}: {len(text)} characters are more than any name has")
        order = next((order for order in ORDERS if order == (texts["order"] or cls.order)), None)
        if order is None:
            raise ConfigError(f"order {texts['order']!r} is unknown; orders: {', '.join(ORDERS)}")
        state = texts["state"] or cls.state
        if state not in (*STATES, ANY):
            raise ConfigError(f"state {state!r} is unknown; states: {', '.join(STATES)}, or {ANY}")
        filters = cls(state, texts["vehicle"], texts["class"], texts["min_score"], order)
        after, before = query.get("after", ""), query.get("before", "")
        filters._score()
        found = cls(**{**vars(filters), "after": after, "before": "" if after else before})
        found.places()
        return found

    def settings(self) -> ListSettings:
        """The list that they stand for."""
        return ListSettings(
            state=None if self.state == ANY else self.state,
            vehicle=self.vehicle or None,
            class_name=self.class_name or None,
            min_score=self._score(),
            order=self.order,
            limit=PAGE_SIZE,
        )

    def places(self) -> tuple[Place | None, Place | None]:
        """Places that the page follows and goes before."""
        after = parse_place(self.after, self.order) if self.after else None
        return after, parse_place(self.before, self.order) if self.before else None

    def query(self, **changes: str) -> str:
        """Text for an address; ``read`` is its inverse. A change other than of the place leads to the first page."""
        place = {} if changes else {"after": self.after, "before": self.before}
        values = {"state": self.state, "vehicle": self.vehicle, "class": self.class_name, "min_score": self.min_score}
        found = {**values, "order": self.order, **place, **changes}
        plain = {"state": Filters.state, "order": Filters.order}
        return urlencode({name: value for name, value in found.items() if value != plain.get(name, "")})

    @property
    def is_narrowed(self) -> bool:
        """Whether anything beside state and order is asked for."""
        return bool(self.vehicle or self.class_name or self.min_score)

    def _score(self) -> float | None:
        if not self.min_score:
            return None
        try:
            value = float(self.min_score)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ConfigError(f"the least score must be a number, got {self.min_score!r}")
        return value
