"""Selected items → a labeling tool: only the chosen regions, with the model's prediction as a start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import or_, select

from edgeseg.classes import ClassMap
from edgeseg.errors import ConfigError, DataError, QueueError, UsageError
from edgeseg.progress import warn
from edgeseg.queue.database import Database
from edgeseg.queue.places import Bucket
from edgeseg.queue.states import lease, prolong, release_expired
from edgeseg.queue.tables import Choice, Event, Item
from edgeseg.queue.tools import cvat, folder, label_studio
from edgeseg.queue.tools.lint import check_classes, problems
from edgeseg.queue.tools.task import Task, read_task

Tool = Literal["label-studio", "cvat", "folder"]
TOOLS: tuple[Tool, ...] = ("label-studio", "cvat", "folder")


@dataclass(frozen=True)
class ExportSettings:
    """What is exported, to whom.

    Attributes:
        to: The tool.
        batch: Only items of this selection; None: all that are selected.
        owner: Who labels; what they got in this tool before is not written again.
        lease_days: After so many days what did not come back is free again.
        image_url: Beginning of the images' addresses in Label Studio, before ``ITEM_ID.png``.
        again: Also write what they got before and did not give back, with the same ids, and lease it anew.
    """

    to: Tool = "label-studio"
    batch: str | None = None
    owner: str = "labelers"
    lease_days: float = 14.0
    image_url: str | None = None
    again: bool = False

    def __post_init__(self) -> None:
        if self.to not in TOOLS:
            raise ConfigError(f"--to {self.to!r}: tools are {', '.join(TOOLS)}")
        if not 0 < self.lease_days <= 3650:
            raise ConfigError(f"lease_days must be above 0 and at most 3650, got {self.lease_days}")
        if not 1 <= len(self.owner) <= 200:
            raise ConfigError("owner must be a name of 1 to 200 characters")


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Attributes:
        exported: Items.
        regions: Regions asked for.
        refused: Items that the tool would reject, and why; they stay selected.
        known: Items left out because their owner got them in this tool before.
    """

    exported: int
    regions: int
    refused: dict[str, str] = field(default_factory=dict)
    known: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def export_items(settings: ExportSettings, classes: ClassMap, database: Database, out: Path) -> ExportReport:
    """Writes the tasks of selected items and leases them to their owner.

    A tool that imports each export gets each task once: what it got is left out of the next one.

    Args:
        settings: Which items, for which tool.
        classes: Meaning of the train ids.
        database: The queue.
        out: Folder for the tool's files; what is there is written over.

    Raises:
        UsageError: A class's name or colour is not fit for the tools, or there is nothing to write.
        QueueError: The bucket or the database cannot be reached, or another export took some of the same items
            meanwhile.
        OutputError: ``out`` cannot be written.
    """
    check_classes(classes)
    refused: dict[str, str] = {}
    found = _rows(settings, database)
    rows = [row for row in found if settings.again or not row.known]
    _tell_of_left_out(settings, found, len(rows))
    tasks = _sound_tasks(rows, classes, refused)
    write = {"cvat": cvat.write_tasks, "folder": folder.write_tasks}.get(settings.to)
    if write is not None:
        ids = write(tasks, classes, out)
    else:
        ids = label_studio.write_tasks(tasks, classes, out, settings.image_url)
    done = [row for row in rows if row.item_id in set(ids)]
    with database.write() as connection:
        duration, note = timedelta(days=settings.lease_days), _note(settings)
        free = [row.number for row in done if row.state == "selected"]
        if lost := len(free) - len(lease(connection, free, settings.owner, duration, note)):
            raise QueueError(
                f"{lost} of the {len(done)} items went out by another export meanwhile; import nothing of {out}, and "
                "export again: nothing was leased"
            )
        prolong(connection, [row.number for row in done if row.state == "exported"], settings.owner, duration, note)
    for item_id, reason in refused.items():
        warn(f"item {item_id} was left out: {reason}")
    regions = sum(len(row.region_indexes) for row in done)
    return ExportReport(len(done), regions, refused, len(found) - len(rows))


def _rows(settings: ExportSettings, database: Database) -> list[Any]:
    """Items that are selected, or out to the same owner, in the order of their selection.

    ``known`` says whether that owner got them in this tool before, as their history tells.
    """
    with database.write() as connection:
        release_expired(connection)
    mine = or_(Item.state == "selected", (Item.state == "exported") & (Item.lease_owner == settings.owner))
    before = (Event.item == Item.number, Event.after == "exported")
    told = (Event.actor == settings.owner, Event.note == _note(settings))
    known = select(Event.number).where(*before, *told).exists().label("known")
    columns = (Item.number, Item.item_id, Item.vehicle, Item.bucket, Item.state, Choice.region_indexes)
    chosen = select(*columns, known).join(Choice, Choice.item == Item.number).where(mine)
    if settings.batch is not None:
        chosen = chosen.where(Choice.batch == settings.batch)
    with database.read() as connection:
        return list(connection.execute(chosen.order_by(Choice.batch, Choice.position)).all())


def _tell_of_left_out(settings: ExportSettings, found: list[Any], left: int) -> None:
    where = f" in batch {settings.batch!r}" if settings.batch else ""
    if not found:
        raise UsageError(f"nothing is selected{where}; choose with edgeseg queue select")
    if not left:
        raise UsageError(
            f"nothing is selected{where} that {settings.owner} did not get in {settings.to} before; "
            f"--again writes those {len(found)} items once more"
        )
    back = sum(row.known and row.state == "selected" for row in found)
    if back and not settings.again:
        warn(
            f"{back} selected items were left out: {settings.owner} got them in {settings.to} before, and their lease "
            "ran out; --again leases them anew"
        )


def _note(settings: ExportSettings) -> str:
    """What an item's history says of its export."""
    return f"to {settings.to}"


def _sound_tasks(rows: list[Any], classes: ClassMap, refused: dict[str, str]) -> Iterator[Task]:
    buckets: dict[str, Bucket] = {}
    for row in rows:
        bucket = buckets.setdefault(row.bucket, Bucket(row.bucket))
        try:
            task = read_task(bucket, row.vehicle, row.item_id, tuple(row.region_indexes))
        except DataError as error:
            refused[row.item_id] = str(error)
            continue
        found = "; ".join(problems(task, classes))
        if found:
            refused[row.item_id] = found
        else:
            yield task
