"""Where the results of a run lie, and the rows that are read from them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeseg import config
from edgeseg.active.round import RoundFolder
from edgeseg.active.settings import ActiveSettings
from edgeseg.active.world import World, open_world
from edgeseg.files import write_atomic

ROWS = "rows.json"


@dataclass(frozen=True)
class Row:
    """One strategy after one round.

    Attributes:
        strategy, seed, round: Which; round 0 is the model trained on P.
        frames: Frames of Q of which something was asked.
        queried_pixels, queried_share: Asked of Q, and their share of Q's pixels: the thesis's count.
        labeled_pixels, labeled_share: The same with P, which was labeled whole, and their share of all pixels.
        outside_pixels: Labels that the method was given outside of the budget; not among the others.
        clicks: Expected cost of what was asked of Q, as the vehicle's records count it.
        miou: On ``val``.
        iou: Class → IoU on ``val``.
        select_seconds: The selection took so long; None in round 0.
        select_seconds_a_frame: By frame that was left to choose from.
        selection: Further figures of what was asked; see ``oracle.Tally``.
        figures: What the method told.
        train_seconds: The training that gave the model took so long, from where it was last gone on with; None where
            it was not measured.
    """

    strategy: str
    seed: int
    round: int
    frames: int
    queried_pixels: int
    queried_share: float
    labeled_pixels: int
    labeled_share: float
    outside_pixels: int
    clicks: int
    miou: float | None
    iou: dict[str, float | None]
    select_seconds: float | None
    select_seconds_a_frame: float | None
    selection: dict[str, Any]
    figures: dict[str, float]
    train_seconds: float | None = None


@dataclass(frozen=True)
class ActiveReport:
    """What a run gave.

    Attributes:
        rows: By seed, strategy and round.
        settings: Plain settings.
        frames: Frames of P and of Q.
    """

    rows: tuple[Row, ...]
    settings: dict[str, Any]
    frames: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> ActiveReport:
        """Inverse of ``to_dict``."""
        return cls(tuple(Row(**row) for row in plain["rows"]), plain["settings"], plain["frames"])


@dataclass(frozen=True)
class Cell:
    """Files of one strategy of one seed.

    Attributes:
        out: Folder of the run.
        seed, strategy: Which.
    """

    out: Path
    seed: int
    strategy: str

    @property
    def folder(self) -> Path:
        """Its own; a strategy named by its class gets a name that a folder can have."""
        return self.out / f"seed-{self.seed}" / self.strategy.replace(":", "-").replace("/", "-")

    @property
    def prepared(self) -> Path:
        """What the method's preparation left."""
        return self.folder / "prepared"

    @property
    def preparation(self) -> Path:
        """Figures of the preparation, there when it is done."""
        return self.folder / "preparation.json"

    def round(self, number: int) -> Path:
        """Folder of a round."""
        return self.folder / f"round-{number}"

    def note(self, start: Path) -> None:
        """Notes where the first model lies."""
        write_atomic(self.folder / "start.json", json.dumps({"start": start.name}) + "\n")

    def beginning(self) -> Path:
        """Folder of the first model."""
        found: str = json.loads((self.folder / "start.json").read_text())["start"]
        return self.out / f"seed-{self.seed}" / found


def collect(settings: ActiveSettings, out: Path) -> ActiveReport:
    """Reads the rows of what is finished."""
    from_seeds, frames = [], {}
    for seed in settings.seeds:
        world = open_world(settings, out, seed)
        frames = {"P": len(world.initial), "Q": len(world.asked), "val": len(world.val)}
        for strategy in settings.strategies:
            from_seeds += _rows(world, Cell(world.out, seed, strategy), settings.rounds)
    return ActiveReport(tuple(from_seeds), config.to_plain(settings), frames)


def write_rows(report: ActiveReport, out: Path) -> None:
    """Writes ``rows.json``."""
    write_atomic(out / ROWS, json.dumps(report.to_dict(), indent=2) + "\n")


def _rows(world: World, cell: Cell, rounds: int) -> list[Row]:
    if not (cell.preparation.exists() and (cell.beginning() / "evaluation.json").exists()):
        return []
    outside = json.loads(cell.preparation.read_text())
    evaluation = json.loads((cell.beginning() / "evaluation.json").read_text())
    rows = [_row(world, cell, 0, [], evaluation, outside)]
    selections: list[dict[str, Any]] = []
    for number in range(1, rounds + 1):
        folder = RoundFolder(cell.round(number), number)
        if not folder.evaluation.exists():
            break
        selections.append(folder.selection())
        rows.append(_row(world, cell, number, selections, json.loads(folder.evaluation.read_text()), outside))
    return rows


def _row(
    world: World,
    cell: Cell,
    number: int,
    selections: list[dict[str, Any]],
    evaluation: dict[str, Any],
    outside: dict[str, Any],
) -> Row:
    queried = sum(selection["pixels"] for selection in selections)
    labeled = world.initial_pixels + queried
    last = selections[-1] if selections else {}
    seconds, scored = last.get("seconds"), last.get("frames_scored")
    told = ("void_share", "wrong_share", "wrong_cap", "wrong_of_cap", "error_rate", "classes")
    return Row(
        strategy=cell.strategy,
        seed=cell.seed,
        round=number,
        frames=len({frame for selection in selections for frame in selection["frames"]}),
        queried_pixels=queried,
        queried_share=queried / world.pool_pixels,
        labeled_pixels=labeled,
        labeled_share=labeled / (world.initial_pixels + world.pool_pixels),
        outside_pixels=outside["outside_pixels"],
        clicks=sum(selection["clicks"] for selection in selections),
        miou=evaluation["miou"],
        iou=evaluation["iou"],
        select_seconds=seconds,
        select_seconds_a_frame=seconds / scored if seconds is not None and scored else None,
        selection={name: last[name] for name in told if name in last},
        figures=last["figures"] if last else outside["figures"],
        train_seconds=evaluation.get("train_seconds"),
    )
