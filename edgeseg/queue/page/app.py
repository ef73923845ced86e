"""The page as an ASGI application."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from edgeseg.errors import EdgesegError
from edgeseg.queue.database import Database
from edgeseg.queue.page import deciding, looking
from edgeseg.queue.page.context import Context, context_of
from edgeseg.queue.page.guard import Guard
from edgeseg.queue.page.settings import PageSettings


def create_app(settings: PageSettings, database: Database) -> Starlette:
    """Makes the application.

    Args:
        settings: Who may use it.
        database: The queue; it stays the caller's to close.

    Raises:
        DataError: The file of classes cannot be used.
    """
    context = Context(settings, database)
    routes = [
        Route("/", looking.items),
        Route("/items/{item_id}", looking.item, methods=["GET"]),
        Route("/items/{item_id}", deciding.act, methods=["POST"]),
        Route("/items/{item_id}/{name}", looking.picture),
        Route("/progress", looking.progress),
        Route("/quarantine", looking.quarantine),
        Route("/undo", deciding.take_back, methods=["POST"]),
        Route("/login", deciding.sign_in_form, methods=["GET"]),
        Route("/login", deciding.sign_in, methods=["POST"]),
        Route("/logout", deciding.sign_out, methods=["POST"]),
        Mount("/static", StaticFiles(directory=Path(__file__).with_name("static"))),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, settings=settings, sessions=context.sessions)],
        exception_handlers={HTTPException: _refused, EdgesegError: _failed},
    )
    app.state.context = context
    return app


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return context_of(request).page(request, "problem.html", {"problem": error.detail}, error.status_code)


def _failed(request: Request, error: Exception) -> Response:
    status = 400 if getattr(error, "exit_code", 1) == 2 else 503
    return context_of(request).page(request, "problem.html", {"problem": str(error)}, status)
