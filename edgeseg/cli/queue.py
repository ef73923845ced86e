"""``edgeseg queue``: what vehicles uploaded, what of it is labeled next, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli import queue_page
from edgeseg.cli.common import DEFAULT_DB, Config, Db, Json, Overrides, print_json, print_table

app = typer.Typer(help="Take uploads in, choose what to label, take labels back.", no_args_is_help=True)
queue_page.register(app)
BudgetRegions = Annotated[int | None, typer.Option("--budget-regions", metavar="N")]
BudgetClicks = Annotated[int | None, typer.Option("--budget-clicks", metavar="N")]
BudgetFrames = Annotated[int | None, typer.Option("--budget-frames", metavar="N")]
PerVehicle = Annotated[int | None, typer.Option("--per-vehicle", help="Frames of one vehicle at most.")]
PerPlace = Annotated[int | None, typer.Option("--per-place", help="Frames of one place at most.")]
PerDrive = Annotated[int | None, typer.Option("--per-drive", help="Frames of one drive at most.")]
Diversity = Annotated[
    float | None, typer.Option("--diversity", help="0: by value alone; 1: by distance alone; default 0.5.")
]
Classes = Annotated[Path, typer.Option("--classes", metavar="FILE", help="classes.yaml: names of the train ids.")]


class Order(str, Enum):
    """Order of a list."""

    newest = "newest"
    value = "value"
    score = "score"
    chosen = "chosen"


@app.command()
def ingest(
    bucket: Annotated[str, typer.Argument(metavar="URL", help="Bucket or folder that edgeseg upload wrote.")],
    db: Db = DEFAULT_DB,
    relist: Annotated[bool, typer.Option("--relist", help="Go through all records, not only new arrivals.")] = False,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="That check thousands of records; default: one a core, 4.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take in what vehicles uploaded since the last time; what fails a check goes to quarantine."""
    from edgeseg.queue.checking import default_processes
    from edgeseg.queue.database import Database
    from edgeseg.queue.ingest import ingest as run

    with Database(db) as database:
        report = run(bucket, database, relist, processes or default_processes()).to_dict()
    _report(report, as_json)


@app.command("list")
def list_items(
    db: Db = DEFAULT_DB,
    state: Annotated[str | None, typer.Option("--state", help="Only items in this state.")] = None,
    vehicle: Annotated[str | None, typer.Option("--vehicle", metavar="ID")] = None,
    class_name: Annotated[str | None, typer.Option("--class", help="Of the most uncertain region.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Only items of this selection.")] = None,
    min_score: Annotated[float | None, typer.Option("--min-score")] = None,
    order: Annotated[Order, typer.Option("--order")] = Order.newest,
    limit: Annotated[int, typer.Option("--limit", help="Items on a page.")] = 50,
    offset: Annotated[int, typer.Option("--offset", help="Items to pass over.")] = 0,
    quarantine: Annotated[bool, typer.Option("--quarantine", help="List what failed a check, and why.")] = False,
    as_json: Json = False,
) -> None:
    """List items, page by page."""
    from edgeseg.queue.database import Database
    from edgeseg.queue.listing import ListSettings, list_items, list_quarantine

    settings = ListSettings(state, vehicle, class_name, batch, min_score, order.value, limit, offset)
    with Database(db) as database:
        rows = list_quarantine(database, limit, offset) if quarantine else list_items(settings, database)
    if as_json:
        print_json({"quarantine" if quarantine else "items": rows})
        return
    shown = ("key", "reason") if quarantine else ("id", "state", "vehicle", "class", "score", "batch")
    print_table(shown, [[row[name] for name in shown] for row in rows])


@app.command()
def select(
    db: Db = DEFAULT_DB,
    budget_regions: BudgetRegions = None,
    budget_clicks: BudgetClicks = None,
    budget_frames: BudgetFrames = None,
    per_vehicle: PerVehicle = None,
    per_place: PerPlace = None,
    per_drive: PerDrive = None,
    diversity: Diversity = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Name of this selection.")] = None,
    config: Config = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Choose across the fleet what to label next, under one budget."""
    from edgeseg.config import resolve
    from edgeseg.queue.database import Database
    from edgeseg.queue.selection import SelectSettings, select_items

    budgets = {"budget_regions": budget_regions, "budget_clicks": budget_clicks, "budget_frames": budget_frames}
    caps = {"per_vehicle": per_vehicle, "per_place": per_place, "per_drive": per_drive, "diversity": diversity}
    settings = resolve(SelectSettings, config, overrides or (), {**budgets, **caps, "batch": batch})
    with Database(db) as database:
        report = select_items(settings, database).to_dict()
    _report(report, as_json)


@app.command()
def request(
    bucket: Annotated[str, typer.Argument(metavar="URL", help="Where edgeseg upload --blobs on-request writes.")],
    db: Db = DEFAULT_DB,
    budget_regions: BudgetRegions = None,
    budget_clicks: BudgetClicks = None,
    budget_frames: BudgetFrames = None,
    per_vehicle: PerVehicle = None,
    per_place: PerPlace = None,
    per_drive: PerDrive = None,
    diversity: Diversity = None,
    config: Config = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Ask vehicles for the pictures of records that they sent ahead, under one budget.

    What is chosen, and how, is as in select; the next pass of a vehicle's upload brings it, and ingest takes it in.
    """
    from edgeseg.config import resolve
    from edgeseg.queue.database import Database
    from edgeseg.queue.requesting import request_blobs
    from edgeseg.queue.selection import SelectSettings

    budgets = {"budget_regions": budget_regions, "budget_clicks": budget_clicks, "budget_frames": budget_frames}
    caps = {"per_vehicle": per_vehicle, "per_place": per_place, "per_drive": per_drive, "diversity": diversity}
    settings = resolve(SelectSettings, config, overrides or (), {**budgets, **caps})
    with Database(db) as database:
        report = request_blobs(bucket, settings, database).to_dict()
    _report(report, as_json)


@app.command("export")
def export_items(
    tool: Annotated[str, typer.Option("--to", help="label-studio, cvat or folder.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the tool's files.")],
    classes: Classes,
    db: Db = DEFAULT_DB,
    batch: Annotated[str | None, typer.Option("--batch", help="Only items of this selection.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who labels.")] = None,
    lease_days: Annotated[float | None, typer.Option("--lease-days", help="Then it is free again.")] = None,
    image_url: Annotated[
        str | None, typer.Option("--image-url", help="Beginning of the images' addresses in Label Studio.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what the tool got before and still has.")] = False,
    as_json: Json = False,
) -> None:
    """Write the selected regions as tasks of a labeling tool, with the model's prediction as a start.

    Each task is written once for a tool and an owner, so that every export can be imported there as it is.
    """
    from edgeseg.config import resolve
    from edgeseg.datasets.folder import read_classes
    from edgeseg.queue.database import Database
    from edgeseg.queue.exporting import ExportSettings
    from edgeseg.queue.exporting import export_items as run

    options = {"to": tool, "batch": batch, "owner": owner, "lease_days": lease_days, "image_url": image_url}
    options["again"] = again
    settings = resolve(ExportSettings, None, (), options)
    with Database(db) as database:
        report = run(settings, read_classes(classes), database, out).to_dict()
    _report(report, as_json)


@app.command("import")
def import_labels(
    path: Annotated[Path, typer.Argument(metavar="EXPORT", help="What the labeling tool exported.")],
    tool: Annotated[str, typer.Option("--from", help="label-studio, cvat or folder.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Dataset, read as labeled:DIR.")],
    classes: Classes,
    db: Db = DEFAULT_DB,
    rest: Annotated[
        str | None, typer.Option("--rest", help="What nobody labeled becomes: ignore (default) or prediction.")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option("--min-confidence", help="From which the prediction counts, 0 to 1.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take finished labels back and merge them into a dataset."""
    from edgeseg.config import resolve
    from edgeseg.datasets.folder import read_classes
    from edgeseg.queue.database import Database
    from edgeseg.queue.importing import ImportSettings
    from edgeseg.queue.importing import import_labels as run

    options = {"source": tool, "rest": rest, "min_confidence": min_confidence}
    settings = resolve(ImportSettings, None, (), options)
    with Database(db) as database:
        report = run(settings, path, read_classes(classes), database, out).to_dict()
    _report(report, as_json)


@app.command()
def move(
    items: Annotated[list[str], typer.Argument(metavar="ITEM...", help="Item ids.")],
    state: Annotated[str, typer.Option("--to", help="rejected, flagged, selected, ...")],
    db: Db = DEFAULT_DB,
    note: Annotated[str, typer.Option("--note", help="Why, for the items' history.")] = "",
    as_json: Json = False,
) -> None:
    """Move items to another state by hand, such as to rejected, or back to flagged."""
    from edgeseg.queue.database import Database
    from edgeseg.queue.states import change_state

    with Database(db) as database:
        report = {"moved": change_state(database, items, state, "command line", note)}
    _report(report, as_json)


@app.command()
def history(item: Annotated[str, typer.Argument(metavar="ITEM")], db: Db = DEFAULT_DB, as_json: Json = False) -> None:
    """Show what happened to an item."""
    from edgeseg.queue.database import Database
    from edgeseg.queue.states import history as read

    with Database(db) as database:
        rows = [{**row, "at": row["at"].isoformat()} for row in read(database, item)]
    if as_json:
        print_json({"history": rows})
    else:
        print_table(("at", "before", "after", "actor", "note"), [list(row.values()) for row in rows])


@app.command()
def stats(db: Db = DEFAULT_DB, as_json: Json = False) -> None:
    """Count what the queue holds, how old it is, and how fast it moves."""
    from edgeseg.queue.database import Database
    from edgeseg.queue.stats import queue_stats

    with Database(db) as database:
        report = queue_stats(database).to_dict()
    _report(report, as_json)


def _report(report: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        print_json(dict(report))
    else:
        print_table(("key", "value"), list(report.items()))
