"""How the loop gets on: labels spent, and the mIoU of each round as ``edgeseg active run`` wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func, select

from edgeseg.queue.database import Database
from edgeseg.queue.tables import STATES, Choice, Item

MAX_FILE_BYTES, MAX_FILES = 16 * 2**20, 20


class Round(BaseModel):
    """One round of one run.

    Attributes:
        strategy: What chose.
        seed: Of the run.
        round: From 0, which is before anything was chosen.
        labeled_share: Share of the pool's pixels that are labeled, 0 to 1.
        clicks: What they cost; None where it was not counted.
        miou: 0 to 1.
    """

    model_config = ConfigDict(frozen=True)

    strategy: Annotated[str, Field(max_length=200)]
    seed: int
    round: Annotated[int, Field(ge=0)]
    labeled_share: Annotated[float, Field(ge=0, le=1)]
    clicks: float | None = None
    miou: Annotated[float, Field(ge=0, le=1)]


class _Report(BaseModel):
    rows: list[Round]


@dataclass(frozen=True)
class Point:
    """One strategy after one round: means over the seeds, and the mIoU's range."""

    round: int
    labeled_share: float
    clicks: float | None
    miou: float
    lowest: float
    highest: float
    seeds: int


@dataclass(frozen=True)
class Spent:
    """What was asked for of the items in one state: their number, and the clicks of the regions asked for."""

    state: str
    items: int
    clicks: int


def spent(database: Database) -> list[Spent]:
    """Labels that were chosen, by the state that they are in."""
    sums = func.coalesce(func.sum(Choice.clicks), 0)
    query = select(Item.state, func.count(), sums).join(Choice, Choice.item == Item.number).group_by(Item.state)
    with database.read() as connection:
        found = {state: (items, int(clicks)) for state, items, clicks in connection.execute(query)}
    return [Spent(state, *found.get(state, (0, 0))) for state in STATES if state not in ("flagged", "rejected")]


def read_rounds(places: Sequence[Path]) -> tuple[list[Round], list[str]]:
    """Rounds of all runs, and for each file that cannot be used a line that says why.

    Args:
        places: Files, or folders whose JSON files with ``rows`` are taken.
    """
    rounds: list[Round] = []
    problems: list[str] = []
    for place in places:
        files = sorted(place.glob("*.json"))[:MAX_FILES] if place.is_dir() else [place]
        found = [_read(path, place.is_dir(), problems) for path in files]
        if not any(found) and place.is_dir():
            problems.append(f"{place}: holds no JSON file with rows, as edgeseg active run writes it, yet")
        rounds += [row for rows in found for row in rows]
    return rounds, problems


def by_strategy(rounds: Iterable[Round]) -> dict[str, list[Point]]:
    """Means over the seeds of each strategy's rounds, in their order."""
    groups: dict[str, dict[int, list[Round]]] = {}
    for row in rounds:
        groups.setdefault(row.strategy, {}).setdefault(row.round, []).append(row)
    return {name: [_point(number, rows) for number, rows in sorted(of.items())] for name, of in sorted(groups.items())}


def _point(number: int, rows: list[Round]) -> Point:
    mious, clicks = [row.miou for row in rows], [row.clicks for row in rows if row.clicks is not None]
    return Point(
        round=number,
        labeled_share=fmean(row.labeled_share for row in rows),
        clicks=fmean(clicks) if clicks else None,
        miou=fmean(mious),
        lowest=min(mious),
        highest=max(mious),
        seeds=len(rows),
    )


def _read(path: Path, others_may_lie_there: bool, problems: list[str]) -> list[Round]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"is larger than {MAX_FILE_BYTES} bytes")
        plain: Any = json.loads(content)
        if others_may_lie_there and not (isinstance(plain, dict) and "rows" in plain):
            return []
        return _Report.model_validate(plain).rows
    except OSError as error:
        problems.append(f"{path}: {error.strerror}; is the run's place right?")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        problems.append(f"{path}: is no report of edgeseg active run ({where}: {first['msg']})")
    except (ValueError, RecursionError) as error:
        problems.append(f"{path}: is no report of edgeseg active run ({error})")
    return []
