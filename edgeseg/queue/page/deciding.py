"""Forms: decisions on items, taking them back, signing in and out. Each answers with the way to the next page."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Mapping
from typing import get_args
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edgeseg.errors import ConfigError, QueueError
from edgeseg.queue.page.context import Context, context_of
from edgeseg.queue.page.filters import Filters
from edgeseg.queue.page.guard import LOGIN, cookie_header, cookie_name
from edgeseg.queue.page.sessions import Notice, Session
from edgeseg.queue.page.store import Row
from edgeseg.queue.paging import neighbours
from edgeseg.queue.review import Action, Change, decide, prioritize, undo

_DONE = {"selected": "Accepted", "rejected": "Rejected", "flagged": "Given back"}
_NUMBER = re.compile(r"-?[0-9]{1,3}")
WRONG_TOKEN_S = 0.3
"""How long an answer to a wrong token takes, so that guessing does."""


def act(request: Request) -> Response:
    """One decision on one item."""
    context, form, session = _parts(request)
    filters, row = _filters(form), context.store.row(request.path_params["item_id"])
    if row is None:
        raise HTTPException(404, "There is no such item in this queue.")
    # Where it goes on is asked for first: a decision may take the item out of the list.
    _, after = neighbours(filters.settings(), context.database, row.number)
    try:
        change = _decided(context, row, form, session.actor)
    except QueueError as error:
        session.notice = Notice("problem", str(error))
        return _see(filters, form, row.item_id)
    session.changes.append(change)
    session.notice = Notice("done", _told(change, row), can_undo=True)
    if isinstance(change.after, int):
        after = row.item_id
    return _see(filters, form, after)


def take_back(request: Request) -> Response:
    """The session's latest decision, undone."""
    context, form, session = _parts(request)
    filters = _filters(form)
    try:
        change = session.changes.pop()
    except IndexError:
        session.notice = Notice("problem", "There is nothing to take back.")
        return _see(filters, form, None)
    try:
        undo(context.database, change, session.actor)
        session.notice = Notice("done", f"Taken back: it is {_named(change.before)} again.", bool(session.changes))
    except QueueError as error:
        session.notice = Notice("problem", f"Cannot be taken back: {error}")
    return _see(filters, form, change.item_id)


def sign_in_form(request: Request) -> Response:
    """Asks for the token."""
    return context_of(request).page(request, "login.html", {"problem": None})


async def sign_in(request: Request) -> Response:
    """Begins a session for whoever knows the token."""
    context, form = context_of(request), request.state.form
    wanted = context.settings.token
    if wanted is None:
        return RedirectResponse("/", 303)
    if not hmac.compare_digest(form.get("token", "").encode(), wanted.encode()):
        await asyncio.sleep(WRONG_TOKEN_S)
        told = {"problem": "This is not the token that the server was started with."}
        return context.page(request, "login.html", told, 403)
    name = " ".join("".join(c if c.isprintable() else " " for c in form.get("name", "")).split())[:60]
    secret, _ = context.sessions.start(f"page: {name}" if name else "page")
    answer = RedirectResponse("/", 303)
    answer.headers["Set-Cookie"] = cookie_header(cookie_name(request), secret)
    return answer


def sign_out(request: Request) -> Response:
    """Ends the session."""
    context_of(request).sessions.end(request.cookies.get(cookie_name(request)))
    return RedirectResponse(LOGIN, 303)


def _parts(request: Request) -> tuple[Context, Mapping[str, str], Session]:
    return context_of(request), request.state.form, request.state.session


def _filters(form: Mapping[str, str]) -> Filters:
    return Filters.read(dict(parse_qsl(form.get("query", ""), max_num_fields=20)))


def _decided(context: Context, row: Row, form: Mapping[str, str], actor: str) -> Change:
    wanted, seen = form.get("action", ""), form.get("seen_state", "")
    action: Action | None = next((action for action in get_args(Action) if action == wanted), None)
    if action is not None:
        return decide(context.database, row.item_id, action, seen, actor)
    now = _number(form, "seen_priority")
    steps = {"raise": now + 1, "lower": now - 1}
    if wanted not in (*steps, "set"):
        raise ConfigError(f"action {wanted[:40]!r} is unknown")
    priority = steps[wanted] if wanted in steps else _number(form, "priority")
    return prioritize(context.database, row.item_id, priority, now, actor)


def _number(form: Mapping[str, str], name: str) -> int:
    text = form.get(name, "").strip().replace("\u2212", "-")
    if _NUMBER.fullmatch(text) is None:
        raise QueueError(f"{name.removeprefix('seen_')} must be a whole number, got {text[:20]!r}")
    return int(text)


def _told(change: Change, row: Row) -> str:
    what = f"{row.vehicle}, {row.frame_id}"
    if isinstance(change.after, int):
        return f"Priority {change.after}: {what}."
    return f"{_DONE[change.after]}: {what}."


def _named(before: str | int) -> str:
    return before if isinstance(before, str) else f"of priority {before}"


def _see(filters: Filters, form: Mapping[str, str], item_id: str | None) -> Response:
    """The way back to where the form was sent from, with the item to look at next."""
    query = filters.query()
    if form.get("from") == "item" and item_id is not None:
        return RedirectResponse(f"/items/{item_id}?{query}", 303)
    return RedirectResponse(f"/?{query}" + (f"#i-{item_id}" if item_id is not None else ""), 303)
