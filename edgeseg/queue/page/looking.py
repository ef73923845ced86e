"""Pages that only show."""

from __future__ import annotations

from typing import cast, get_args

from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from edgeseg.errors import DataError, QueueError, StoreError
from edgeseg.queue.choices import REGIONS_PER_FRAME
from edgeseg.queue.classes import class_names
from edgeseg.queue.listing import list_quarantine
from edgeseg.queue.page.chart import miou_chart
from edgeseg.queue.page.context import Context, context_of
from edgeseg.queue.page.filters import PAGE_SIZE, Filters
from edgeseg.queue.page.overlay import legend, outlines
from edgeseg.queue.page.pictures import KINDS, MEDIA_TYPES, Kind
from edgeseg.queue.page.progress import by_strategy, read_rounds, spent
from edgeseg.queue.page.store import Row
from edgeseg.queue.paging import neighbours, read_page
from edgeseg.queue.states import count_states, history
from edgeseg.queue.stats import queue_stats
from edgeseg.queue.tables import Item

MAX_VEHICLES = 500
"""Names that the filter proposes; any other can be typed."""
PICTURE_AGE_S = 3600


def items(request: Request) -> Response:
    """The list."""
    context, filters = context_of(request), Filters.read(request.query_params)
    after, before = filters.places()
    page = read_page(filters.settings(), context.database, after, before)
    with context.database.read() as connection:
        counts, names = count_states(connection), sorted(class_names(connection).values())
        vehicles = list(connection.scalars(select(Item.vehicle).distinct().order_by(Item.vehicle).limit(MAX_VEHICLES)))
    known = {"counts": counts, "class_names": names, "vehicles": vehicles}
    return context.page(request, "items.html", {"filters": filters, "page": page, **known})


def item(request: Request) -> Response:
    """One item."""
    context, filters = context_of(request), Filters.read(request.query_params)
    row = _row(context, request)
    before, after = neighbours(filters.settings(), context.database, row.number)
    shown = {"row": row, "filters": filters, "before": before, "after": after, **_content(context, row)}
    return context.page(request, "item.html", {**shown, "history": history(context.database, row.item_id)})


def picture(request: Request) -> Response:
    """A picture of an item; where there is none, the reason in words."""
    context, name = context_of(request), request.path_params["name"]
    kind = cast(Kind, name) if name in get_args(Kind) else None
    if kind is None:
        raise HTTPException(404, f"There is no such picture; there are: {', '.join(KINDS)}.")
    row = _row(context, request)
    try:
        content = context.pictures.make(row, kind)
    except (DataError, QueueError, StoreError) as error:
        return PlainTextResponse(str(error), 422)
    headers = {"Cache-Control": f"private, max-age={PICTURE_AGE_S}"}
    return Response(content, media_type=MEDIA_TYPES[kind], headers=headers)


def progress(request: Request) -> Response:
    """How the loop gets on."""
    context = context_of(request)
    rounds, problems = read_rounds(context.settings.progress)
    strategies = by_strategy(rounds)
    shown = {
        "stats": queue_stats(context.database),
        "spent": spent(context.database),
        "strategies": strategies,
        "chart": miou_chart(strategies) if strategies else None,
        "problems": problems,
        "is_asked": bool(context.settings.progress),
    }
    return context.page(request, "progress.html", shown)


def quarantine(request: Request) -> Response:
    """What failed a check, and why."""
    context = context_of(request)
    text = request.query_params.get("page", "1")
    number = int(text) if text.isascii() and text.isdecimal() and 0 < int(text[:7]) == int(text) else 1
    rows = list_quarantine(context.database, PAGE_SIZE + 1, (number - 1) * PAGE_SIZE)
    shown = {"rows": rows[:PAGE_SIZE], "number": number, "has_more": len(rows) > PAGE_SIZE}
    return context.page(request, "quarantine.html", shown)


def _row(context: Context, request: Request) -> Row:
    row = context.store.row(request.path_params["item_id"])
    if row is None:
        raise HTTPException(404, "There is no such item in this queue.")
    return row


def _content(context: Context, row: Row) -> dict[str, object]:
    """What the record holds, or why it cannot be shown."""
    try:
        record = context.store.record(row)
    except (DataError, QueueError, StoreError) as error:
        return {"record": None, "problem": str(error), "outlines": [], "legend": [], "kinds": ()}
    # As soon as it is flagged again, what was once asked for says nothing.
    asked = row.regions if row.state != "flagged" and row.regions is not None else range(REGIONS_PER_FRAME)
    found = {"outlines": outlines(record, asked), "legend": legend(record, context.classes)}
    return {"record": record, "problem": None, "kinds": tuple(blob.kind for blob in record.blobs), **found}
