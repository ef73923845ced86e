"""Selected items → a labeling tool: only the chosen regions, with the model's prediction as a start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import or_, select, update

from edgeseg.classes import ClassMap
from edgeseg.errors import ConfigError, DataError, UsageError
from edgeseg.progress import warn
from edgeseg.queue.database import Database
from edgeseg.queue.places import Bucket
from edgeseg.queue.states import lease, release_expired
from edgeseg.queue.tables import Choice, Item
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
        owner: Who labels; exporting again for the same one gives the same tasks.
        lease_days: After so many days what did not come back is free again.
        image_url: Beginning of the images' addresses in Label Studio, before ``ITEM_ID.png``.
    """

    to: Tool = "label-studio"
    batch: str | None = None
    owner: str = "labelers"
    lease_days: float = 14.0
    image_url: str | None = None

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
    """

    exported: int
    regions: int
    refused: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def export_items(settings: ExportSettings, classes: ClassMap, database: Database, out: Path) -> ExportReport:
    """Writes the tasks of selected items and leases them to their owner.

    Args:
        settings: Which items, for which tool.
        classes: Meaning of the train ids.
        database: The queue.
        out: Folder for the tool's files; what is there is written over.

    Raises:
        UsageError: A class's name or colour is not fit for the tools.
        QueueError: The bucket or the database cannot be reached.
        OutputError: ``out`` cannot be written.
    """
    check_classes(classes)
    refused: dict[str, str] = {}
    rows = _rows(settings, database)
    if not rows:
        raise UsageError(f"nothing is selected{f' in batch {settings.batch!r}' if settings.batch else ''}; "
                         "choose with edgeseg queue select")  # fmt: skip
    tasks = _sound_tasks(rows, classes, refused)
    write = {"cvat": cvat.write_tasks, "folder": folder.write_tasks}.get(settings.to)
    if write is not None:
        ids = write(tasks, classes, out)
    else:
        ids = label_studio.write_tasks(tasks, classes, out, settings.image_url)
    done = [row for row in rows if row.item_id in set(ids)]
    with database.write() as connection:
        until = timedelta(days=settings.lease_days)
        fresh = [row.number for row in done if row.state == "selected"]
        lease(connection, fresh, settings.owner, until, f"to {settings.to}")
        again = [row.number for row in done if row.state == "exported"]
        prolonged = update(Item).where(Item.number.in_(again), Item.state == "exported")
        connection.execute(prolonged.values(lease_until=datetime.now(timezone.utc) + until))
    for item_id, reason in refused.items():
        warn(f"item {item_id} was left out: {reason}")
    return ExportReport(len(done), sum(len(row.region_indexes) for row in done), refused)


def _rows(settings: ExportSettings, database: Database) -> list[Any]:
    """Items that are selected, or out to the same owner, in the order of their selection."""
    with database.write() as connection:
        release_expired(connection)
    mine = or_(Item.state == "selected", (Item.state == "exported") & (Item.lease_owner == settings.owner))
    columns = (Item.number, Item.item_id, Item.vehicle, Item.bucket, Item.state, Choice.region_indexes)
    chosen = select(*columns).join(Choice, Choice.item == Item.number).where(mine)
    if settings.batch is not None:
        chosen = chosen.where(Choice.batch == settings.batch)
    with database.read() as connection:
        return list(connection.execute(chosen.order_by(Choice.batch, Choice.position)).all())


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
