"""The spool's index: a SQLite database in WAL mode, one row an item."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeseg.device.spool.contents import State
from edgeseg.errors import OutputError

BUSY_S = 60.0
"""How long one process waits for another's transaction, each of which takes milliseconds."""
REMEMBERED = 1_000_000
"""So many of the latest items that are no longer here are remembered, so that none is sent twice."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    value REAL NOT NULL,
    bytes INTEGER NOT NULL,
    state TEXT NOT NULL,
    stored INTEGER NOT NULL,
    lease TEXT
);
CREATE INDEX IF NOT EXISTS by_state ON items (stored, state, value);
CREATE INDEX IF NOT EXISTS by_value ON items (stored, value, sequence DESC);
CREATE INDEX IF NOT EXISTS by_lease ON items (lease) WHERE lease IS NOT NULL;
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, count INTEGER NOT NULL);
INSERT OR IGNORE INTO totals VALUES ('uploaded', 0), ('evicted', 0);
"""


@dataclass(frozen=True)
class SpoolInfo:
    """Counts of a spool.

    Attributes:
        items, bytes: What is there now.
        pending: Items that wait for upload, those whose record alone was uploaded included.
        uploaded: Items that were ever uploaded whole.
        evicted: Items that gave way before they were uploaded.
        leased: Items that an upload holds now.
    """

    items: int
    bytes: int
    pending: int
    uploaded: int
    evicted: int
    leased: int = 0

    def to_dict(self) -> dict[str, int]:
        """Plain form for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Row:
    """What the index says of an item; ``stored`` is whether its files are there."""

    id: str
    value: float
    bytes: int
    state: State
    stored: bool
    lease: str | None


class SpoolIndex:
    """The database. Threads may share one; processes open their own.

    Args:
        path: Its file.
        writable: Make it where it is missing; otherwise it is only read.

    Raises:
        OutputError: It cannot be made or written.
        sqlite3.DatabaseError: It is damaged.
    """

    def __init__(self, path: Path, writable: bool) -> None:
        self.path = path
        self._turn = threading.RLock()
        with failing_as_output(path):
            self._connection = sqlite3.connect(
                self._address(writable), uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            if writable:
                self._prepare()

    def _address(self, writable: bool) -> str:
        address = self.path.resolve().as_uri()
        if writable:
            return address
        # A reader of a disk that cannot be written has no way to join a log; where there is none it needs no way.
        logged = self.path.with_name(self.path.name + "-wal").exists()
        return f"{address}?mode=ro" + ("" if logged else "&immutable=1")

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        # Of an agent that runs for months: pages beyond these are the kernel's to keep, not ours to grow by.
        self._connection.execute("PRAGMA cache_size = -512")
        with self.transaction():
            for statement in SCHEMA.split(";"):
                self._connection.execute(statement)
            self._connection.execute(
                "DELETE FROM items WHERE NOT stored AND sequence < (SELECT max(sequence) FROM items) - ?", (REMEMBERED,)
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or none of it; one process at a time. When it ends well it survives a power cut.

        Raises:
            OutputError: The disk is full or cannot be written.
        """
        with self._turn, failing_as_output(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def row(self, item_id: str) -> Row | None:
        """The item's row."""
        return next(self._rows("WHERE id = ?", (item_id,)), None)

    def stored(self) -> list[Row]:
        """Rows of all items whose files should be there."""
        return list(self._rows("WHERE stored ORDER BY sequence"))

    def gone_ids(self) -> set[str]:
        """Ids of the items whose files should not be there."""
        with self._turn:
            return {row[0] for row in self._connection.execute("SELECT id FROM items WHERE NOT stored")}

    def bytes(self) -> int:
        """Bytes of all items that are there."""
        with self._turn:
            return int(self._connection.execute("SELECT coalesce(sum(bytes), 0) FROM items WHERE stored").fetchone()[0])

    def add(self, item_id: str, value: float, size: int) -> None:
        """Enters an item that waits for upload, in the place of what the index said of it before."""
        self._connection.execute("DELETE FROM items WHERE id = ?", (item_id,))
        self._connection.execute(
            "INSERT INTO items (id, value, bytes, state, stored) VALUES (?, ?, ?, 'pending', 1)",
            (item_id, value, size),
        )

    def forget(self, item_id: str) -> None:
        """Leaves an item out."""
        self._connection.execute("DELETE FROM items WHERE id = ?", (item_id,))

    def set_state(self, item_id: str, state: State, stored: bool) -> None:
        """Says what became of an item, and ends its lease; one that was uploaded stays so."""
        changed = self._connection.execute(
            "UPDATE items SET state = ? WHERE id = ? AND state NOT IN ('uploaded', ?)", (state, item_id, state)
        ).rowcount
        self._connection.execute("UPDATE items SET stored = ?, lease = NULL WHERE id = ?", (stored, item_id))
        self._connection.execute("UPDATE totals SET count = count + ? WHERE name = ?", (changed, state))

    def set_lease(self, item_id: str, owner: str | None) -> None:
        """Gives an item to an owner, or back."""
        self._connection.execute("UPDATE items SET lease = ? WHERE id = ?", (owner, item_id))

    def lease_owners(self) -> list[str]:
        """All that hold items."""
        found = self._connection.execute("SELECT DISTINCT lease FROM items WHERE lease IS NOT NULL")
        return [row[0] for row in found]

    def end_leases(self, owners: Iterable[str]) -> None:
        """Takes all items back from owners that have ended."""
        self._connection.executemany("UPDATE items SET lease = NULL WHERE lease = ?", [(o,) for o in owners])

    def free_of(self, state: State, most: int) -> list[Row]:
        """Rows of items in this state that nobody holds, highest value first, of equal ones the earliest."""
        where = "WHERE stored = 1 AND state = ? AND lease IS NULL ORDER BY value DESC, sequence LIMIT ?"
        return list(self._rows(where, (state, most)))

    def least_worth(self) -> Iterator[Row]:
        """Rows of items that may give way: first the uploaded ones, then by rising value; none that is held."""
        for kind in ("state = 'uploaded'", "state != 'uploaded'"):
            yield from self._rows(f"WHERE stored = 1 AND {kind} AND lease IS NULL ORDER BY value, sequence DESC")

    def info(self) -> SpoolInfo:
        """Counts."""
        with self._turn:
            counts = self._connection.execute(
                "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(state != 'uploaded'), 0),"
                " count(lease) FROM items WHERE stored"
            ).fetchone()
            totals = dict(self._connection.execute("SELECT name, count FROM totals"))
        return SpoolInfo(counts[0], counts[1], counts[2], totals["uploaded"], totals["evicted"], counts[3])

    def damage(self) -> list[str]:
        """What SQLite finds wrong with its own file; empty where all is well."""
        with self._turn:
            found = [row[0] for row in self._connection.execute("PRAGMA quick_check")]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Closes the file; the last writer that closes leaves no log behind."""
        self._connection.close()

    def _rows(self, where: str, values: Sequence[object] = ()) -> Iterator[Row]:
        with self._turn:
            found = self._connection.execute(
                f"SELECT id, value, bytes, state, stored, lease FROM items {where}", tuple(values)
            )
            for row in found:
                yield Row(row[0], row[1], row[2], row[3], bool(row[4]), row[5])


@contextmanager
def failing_as_output(path: Path) -> Iterator[None]:
    """Turns what a disk refuses into an ``OutputError``; damage stays what it is."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OutputError(
            f"cannot write {path}: {error}; check that the folder exists, is writable and has space"
        ) from error
