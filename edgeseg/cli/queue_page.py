"""``edgeseg queue serve``: the queue in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli.common import DEFAULT_DB, Db


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(serve)


def serve(
    db: Db = DEFAULT_DB,
    host: Annotated[str, typer.Option("--host", help="Address; beyond this machine with a token only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="EDGESEG_QUEUE_TOKEN",
            show_envvar=True,
            help="What people must know to sign in; better set as a variable, since others see a command's words.",
        ),
    ] = None,
    allowed_hosts: Annotated[
        list[str] | None, typer.Option("--allowed-host", metavar="NAME", help="Name of a proxy in front; repeatable.")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option("--classes", metavar="FILE", help="classes.yaml: names and colours of the train ids.")
    ] = None,
    progress: Annotated[
        list[Path] | None,
        typer.Option("--progress", metavar="RUN", help="JSON of edgeseg active run, or its folder; repeatable."),
    ] = None,
) -> None:
    """Look at what came in and decide on it, in a browser; Ctrl-C ends it."""
    from edgeseg.progress import say
    from edgeseg.queue.database import Database
    from edgeseg.queue.page.server import serve as run
    from edgeseg.queue.page.settings import PageSettings

    settings = PageSettings(host, port, token, tuple(allowed_hosts or ()), classes, tuple(progress or ()))
    with Database(db) as database:
        run(settings, database, lambda address: say(f"the queue is at {address}; Ctrl-C ends it"))
