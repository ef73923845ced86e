"""What every page needs, made once when the server starts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import HTMLResponse

from edgeseg.classes import ClassMap, voc_color
from edgeseg.datasets.folder import read_classes
from edgeseg.queue.choices import REGIONS_PER_FRAME
from edgeseg.queue.database import Database
from edgeseg.queue.page.pictures import Pictures
from edgeseg.queue.page.sessions import Session, Sessions
from edgeseg.queue.page.settings import PageSettings
from edgeseg.queue.page.store import Store
from edgeseg.queue.review import MAX_PRIORITY, OPEN
from edgeseg.queue.tables import STATES


class Context:
    """The server's parts.

    Args:
        settings: How it is served.
        database: The queue.

    Raises:
        DataError: The file of classes cannot be used.
    """

    def __init__(self, settings: PageSettings, database: Database) -> None:
        self.settings, self.database, self.sessions = settings, database, Sessions()
        self.classes = read_classes(settings.classes) if settings.classes is not None else None
        self.store = Store(database)
        self.pictures = Pictures(self.store, _palette(self.classes))
        self._templates = _environment()

    def page(self, request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """Renders a page; whatever stands in a record is escaped on the way."""
        session: Session | None = getattr(request.state, "session", None)
        common = {
            "path": request.url.path,
            "csrf": session.csrf if session else "",
            "notice": session.take_notice() if session else None,
            "can_sign_out": session is not None and self.settings.token is not None,
        }
        return HTMLResponse(self._templates.get_template(template).render(common | dict(values)), status)


def context_of(request: Request) -> Context:
    """The server's parts, of a request's application."""
    found: Context = request.app.state.context
    return found


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("edgeseg.queue.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["age"] = age
    found.filters["moment"] = moment
    found.filters["grouped"] = lambda number: f"{number:,}".replace(",", "\u202f")
    found.globals |= {"STATES": STATES, "OPEN": OPEN, "MAX_PRIORITY": MAX_PRIORITY, "REGIONS": REGIONS_PER_FRAME}
    return found


def moment(at: datetime | str | None) -> str:
    """A time to the second in UTC."""
    if at is None:
        return "unknown"
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def age(at: datetime | str) -> str:
    """How long ago something was, in its largest unit."""
    at = datetime.fromisoformat(at) if isinstance(at, str) else at
    seconds = (datetime.now(timezone.utc) - at).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def _palette(classes: ClassMap | None) -> NDArray[np.uint8]:
    if classes is not None:
        return classes.palette
    return np.array([voc_color((number + 1) % 256) for number in range(256)], np.uint8)
