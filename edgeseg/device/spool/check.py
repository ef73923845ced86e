"""Bringing index and folder to agree, checking a spool, and repairing it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg.device.spool.contents import problems, read_item
from edgeseg.device.spool.folder import SpoolFolder
from edgeseg.device.spool.index import SpoolIndex
from edgeseg.errors import SpoolError
from edgeseg.files import writing
from edgeseg.progress import warn


@dataclass(frozen=True)
class SpoolCheck:
    """Outcome of a check: the number of items, and one line for each problem."""

    items: int
    problems: tuple[str, ...]

    def summary(self) -> str:
        """One line for the terminal, and each problem."""
        state = f"{len(self.problems)} problems" if self.problems else "all whole"
        return "\n".join((f"{self.items} items, {state}", *self.problems))

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {"items": self.items, "problems": list(self.problems)}


@dataclass(frozen=True)
class SpoolRepair:
    """What a repair did.

    Attributes:
        items: Items that are there and whole.
        damaged: Ids of items moved to the spool's folder ``damaged``.
        held: Ids of damaged items that an upload holds, which were left.
        index_made_anew: Whether the index was damaged; what had become of earlier items is then forgotten.
    """

    items: int
    damaged: tuple[str, ...]
    held: tuple[str, ...]
    index_made_anew: bool

    def summary(self) -> str:
        """Lines for the terminal."""
        lines = [f"{self.items} items whole, {len(self.damaged)} damaged ones moved aside"]
        lines += [f"moved to damaged/: {item_id}" for item_id in self.damaged]
        lines += [f"damaged, but held by an upload: {item_id}" for item_id in self.held]
        return "\n".join(lines + (["the index was damaged and made anew"] if self.index_made_anew else []))

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {
            "items": self.items,
            "damaged": list(self.damaged),
            "held": list(self.held),
            "index_made_anew": self.index_made_anew,
        }


def check(folder: SpoolFolder) -> SpoolCheck:
    """Reads every item and holds its blobs against their checksums."""
    ids = folder.ids()
    return SpoolCheck(len(ids), tuple(problem for item_id in ids for problem in problems(folder.items / item_id)))


def open_index(folder: SpoolFolder, alone: bool) -> tuple[SpoolIndex, bool]:
    """Opens the index for writing; a damaged one is set aside and made anew.

    Args:
        folder: The spool.
        alone: Whether no other process has the spool open for writing.

    Returns:
        The index, brought to agree with the folder, and whether it was made anew.

    Raises:
        SpoolError: It is damaged, and others are at work with it.
        OutputError: It cannot be written.
    """
    try:
        index = SpoolIndex(folder.index, writable=True)
        if alone and (damage := index.damage()):
            index.close()
            raise sqlite3.DatabaseError(damage[0])
        reconcile(folder, index)
        return index, False
    except sqlite3.DatabaseError as error:
        if not alone:
            raise SpoolError(
                f"{folder.index}: is damaged ({error}); stop what writes there, then run: "
                f"edgeseg spool repair {folder.path}"
            ) from None
        warn(f"{folder.index}: is damaged ({error}); it is made anew from the items")
    _set_aside(folder.index)
    index = SpoolIndex(folder.index, writable=True)
    reconcile(folder, index)
    return index, True


def reconcile(folder: SpoolFolder, index: SpoolIndex) -> None:
    """Ends what killed writers began.

    An item and its row come and go within one transaction, so that whatever differs here is what
    a writer left that was killed in between:
    an item without a row is whole, and comes in; one that was on its way out, but whose row still
    says that it is there, comes back; one whose row says that it went, goes.
    """
    with index.transaction():
        stored = {row.id for row in index.stored()}
        gone = index.gone_ids()
        there = set(folder.ids())
        for item_id in sorted(there & gone):
            folder.take_out(item_id, folder.scratch(item_id, "gone"))
        for item_id in sorted(there - gone - stored):
            _adopt(folder, index, item_id)
        for item_id in sorted(stored - there):
            if not folder.bring_back(item_id):
                warn(f"{folder.items / item_id}: is gone, though nothing of edgeseg took it out")
                index.forget(item_id)


def sweep(folder: SpoolFolder) -> None:
    """Removes what killed writers left, where no writer is at work."""
    for leftover in folder.incoming.iterdir():
        folder.storage.remove_tree(leftover)
    with writing(folder.owners):
        for owner in folder.owners.iterdir():
            owner.unlink()


def repair(folder: SpoolFolder, index: SpoolIndex, index_made_anew: bool) -> SpoolRepair:
    """Moves damaged items aside; ``open_index`` did the rest.

    Raises:
        OutputError: The spool cannot be written.
    """
    bad = [item_id for item_id in folder.ids() if any(problems(folder.items / item_id))]
    held: list[str] = []
    with writing(folder.damaged):
        folder.damaged.mkdir(exist_ok=True) if bad else None
    for item_id in bad:
        with writing(folder.damaged), index.transaction():
            row = index.row(item_id)
            if row and row.lease:
                held.append(item_id)
                continue
            index.forget(item_id)
            folder.storage.rename(folder.items / item_id, _unused(folder.damaged / item_id))
    moved = tuple(item_id for item_id in bad if item_id not in held)
    return SpoolRepair(len(folder.ids()) - len(held), moved, tuple(held), index_made_anew)


def _adopt(folder: SpoolFolder, index: SpoolIndex, item_id: str) -> None:
    try:
        item = read_item(folder.items / item_id)
    except SpoolError as error:
        # Not a writer's doing: it stays for verify and repair to tell of.
        warn(str(error))
        return
    index.add(item_id, item.value, item.bytes)


def _set_aside(path: Path) -> None:
    with writing(path):
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.replace(_unused(path.with_name(f"{path.name}.damaged")))


def _unused(path: Path) -> Path:
    tries = (path.with_name(f"{path.name}.{n}") if n else path for n in range(1_000_000))
    return next(p for p in tries if not p.exists())
