"""``edgeseg upload``: from the spool to where frames are labeled."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli.common import Config, Json, Overrides, print_json, print_table


class Blobs(str, Enum):
    """What is sent of an item."""

    all = "all"
    on_request = "on-request"


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command()(upload)


def upload(
    spool: Annotated[Path, typer.Argument(metavar="DIR", help="The spool.")],
    to: Annotated[str, typer.Option("--to", metavar="URL", help="s3://, gs://, az://, https://, or a folder.")],
    blobs: Annotated[
        Blobs | None, typer.Option("--blobs", help="all, or on-request: records first, files when asked for.")
    ] = None,
    bandwidth: Annotated[str | None, typer.Option("--bandwidth", help="Most bytes a second, such as 500KB/s.")] = None,
    window: Annotated[
        list[str] | None, typer.Option("--window", help="Time of the day to send in: 22:00-06:00; repeatable.")
    ] = None,
    parallel: Annotated[int | None, typer.Option("--parallel", help="Requests under way at once.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave uploaded items in the spool while there is room.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and send what comes in, until SIGTERM.")] = False,
    config: Config = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Send a spool's items, most valuable first; each arrives whole and once. Running it again goes on."""
    from edgeseg.config import resolve
    from edgeseg.device.spool import Spool
    from edgeseg.device.spool.reader import SpoolReader
    from edgeseg.device.stopping import stop_on_signals
    from edgeseg.device.upload import UploadSettings, open_destination
    from edgeseg.device.upload import upload as send

    options = {
        "blobs": blobs.value if blobs else None,
        "bandwidth": bandwidth,
        "windows": window,
        "parallel": parallel,
        "keep": keep or None,
        "watch": watch or None,
    }
    settings = resolve(UploadSettings, config, overrides or (), options)
    destination = open_destination(to, settings.timeout_s)
    # A mistyped folder must not become a new, empty spool.
    SpoolReader(spool)
    with Spool(spool) as items, stop_on_signals() as stop:
        report = send(settings, items, destination, stop)
    if as_json:
        print_json(report.to_dict())
    else:
        print_table(("key", "value"), list(report.to_dict().items()))
    if report.failed:
        raise typer.Exit(1)
