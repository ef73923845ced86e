"""What every request passes before a page sees it: host, origin, session, form; and what every answer carries."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeseg.queue.page.hosts import is_known_host, is_own_origin, known_names
from edgeseg.queue.page.sessions import Session, Sessions
from edgeseg.queue.page.settings import PageSettings

LOGIN, STATIC = "/login", "/static/"
MAX_FORM_BYTES, MAX_FIELDS = 16 * 2**10, 30
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer a browser would send "null" as the Origin of the page's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """ASGI middleware; a handler finds ``session`` and, of a POST, the checked ``form`` in ``request.state``.

    Args:
        app: What is guarded.
        settings: Host and token.
        sessions: Sessions of the server.
    """

    def __init__(self, app: ASGIApp, settings: PageSettings, sessions: Sessions) -> None:
        self.app, self.settings, self.sessions = app, settings, sessions
        self.names = known_names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        request, cookie = Request(scope, receive), ""
        refused = self._refuse_stranger(request)
        if refused is None:
            session, cookie = self._session(request)
            refused = await self._admit(request, session)
        answer = self.app if refused is None else refused
        await answer(scope, receive, _with_headers(send, cookie_header(cookie_name(request), cookie) if cookie else ""))

    def _refuse_stranger(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not is_known_host(host, self.settings, self.names):
            told = f"This page does not answer to the name {host[:100]!r}; start it with --allowed-host to let it."
            return PlainTextResponse(told, 421)
        if request.method not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Only GET, HEAD and POST are known here.", 405)
        if request.method == "POST" and not is_own_origin(request.headers.get("origin"), host):
            return PlainTextResponse("This form was sent by another page; open the queue's own page.", 403)
        return None

    def _session(self, request: Request) -> tuple[Session | None, str]:
        """The request's session, and the secret of one that was begun by it."""
        session = self.sessions.find(request.cookies.get(cookie_name(request)))
        if session is not None or self.settings.token is not None or request.url.path.startswith(STATIC):
            return session, ""
        secret, session = self.sessions.start("page")
        return session, secret

    async def _admit(self, request: Request, session: Session | None) -> Response | None:
        """None where the request may go on; ``request.state`` is filled then."""
        path = request.url.path
        if session is None and path != LOGIN and not path.startswith(STATIC):
            if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                return RedirectResponse(LOGIN, 303)
            return PlainTextResponse("Sign in first.", 401)
        form = await _read_form(request) if request.method == "POST" else {}
        if form is None:
            return PlainTextResponse(f"A form of more than {MAX_FORM_BYTES} bytes is not taken.", 413)
        if request.method == "POST" and session is not None and not _same(form.get("csrf", ""), session.csrf):
            return PlainTextResponse("This form is of an earlier session; go back, reload the page, try again.", 403)
        request.state.session, request.state.form = session, form
        return None


def cookie_name(request: Request) -> str:
    """Name of the session's cookie: browsers keep those of all ports of a host together."""
    return f"edgeseg-queue-{request.url.port or 80}"


def cookie_header(name: str, secret: str) -> str:
    """Value of Set-Cookie: no script reads it, and no form of a foreign page carries it."""
    return f"{name}={secret}; Path=/; HttpOnly; SameSite=Lax"


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


async def _read_form(request: Request) -> Mapping[str, str] | None:
    """The form's fields; None where it is longer than any of this page's."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        return None


def _with_headers(send: Send, cookie: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
            if cookie:
                headers.append("Set-Cookie", cookie)
        await send(message)

    return sending
