"""Response times of the queue's page with many items, on SQLite and PostgreSQL.

    python -m benchmarks.queue.page WORK --database sqlite|postgresql --records 100000

The rows are those of ``benchmarks.queue.run``, one in ten in another state than flagged, and one item has its record
and pictures in a folder. The page runs as ``edgeseg queue serve`` runs it and is asked over HTTP, one request after the
other. Results: ``benchmarks/results/queue``.
"""

from __future__ import annotations

import argparse
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
from sqlalchemy import func, select, update

from benchmarks.queue.fleet import Uploads, item_id
from benchmarks.queue.run import RESULTS, fill, opened_url
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.progress import say
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.page.server import address, listen, make_server
from edgeseg.queue.page.settings import PageSettings
from edgeseg.queue.tables import STATES, Item

FRAME, REPEATS, PAGES = (1024, 2048), 20, 200
GOAL_P95_MS = 200.0


def prepare(work: Path, kind: str, database: Database, records: int) -> None:
    """Fills the queue; a tenth of it moves on to the other states."""
    if fill(database, records, time.monotonic() + 1200) < records:
        raise SystemExit("the queue could not be filled in time; call again to go on")
    uploads = Uploads(work / f"page-{kind}")
    uploads.add_with_maps(0, FRAME)
    ingest(str(uploads.folder), database)
    with database.write() as connection:
        for position, state in enumerate(STATES[1:]):
            # Called again it must not write all of them anew: a server would be measured while it cleans up.
            part = (Item.number % 50 == position) & (Item.bucket == "file:///bulk") & (Item.state == "flagged")
            connection.execute(update(Item).where(part).values(state=state))


def views(client: httpx.Client) -> dict[str, list[str]]:
    """Addresses to be asked, by what they show."""
    deep = "/"
    for _ in range(PAGES):
        after = re.search(r'id="page-after" href="([^"]+)"', client.get(deep).text)
        assert after is not None
        deep = after[1].replace("&amp;", "&")
    item = f"/items/{item_id(0)}"
    return {
        "list, most valuable first": ["/"],
        f"list, page {PAGES}": [deep],
        "list, newest first": ["/?state=any&order=newest"],
        "list, one vehicle": ["/?vehicle=car-007"],
        "list, one class and least score": ["/?class=rider&min_score=6"],
        "list, a filter that nothing fits": ["/?state=any&min_score=1000"],
        "list, one state": [f"/?state={state}" for state in STATES[1:]],
        "item": [item],
        "frame 1024x2048": [f"{item}/frame"],
        "prediction 1024x2048": [f"{item}/prediction"],
        "entropy 1024x2048": [f"{item}/entropy"],
        "thumbnail": [f"{item}/thumb"],
        "progress": ["/progress"],
    }


def measure(client: httpx.Client) -> dict[str, dict[str, float]]:
    """Milliseconds until each view's answer is there as a whole, and of a decision with its way to the next item."""
    found = {}
    for name, paths in views(client).items():
        client.get(paths[0])
        found[name] = _spread([_timed_ms(client, path) for _ in range(REPEATS) for path in paths])
    found["decision and next item"] = _spread([_decide_ms(client) for _ in range(REPEATS)])
    return found


def _timed_ms(client: httpx.Client, path: str) -> float:
    begin = time.perf_counter()
    client.get(path).raise_for_status()
    return 1000 * (time.perf_counter() - begin)


def _decide_ms(client: httpx.Client) -> float:
    """Rejects the first item of the list."""
    page = client.get("/").text
    path, csrf = re.search(r'action="(/items/\w+)"', page), re.search(r'name="csrf" value="([^"]+)"', page)
    assert path is not None
    assert csrf is not None
    form = {"csrf": csrf[1], "action": "reject", "seen_state": "flagged", "seen_priority": "0", "from": "item"}
    begin = time.perf_counter()
    client.post(path[1], data=form, headers={"Origin": str(client.base_url).rstrip("/")}).raise_for_status()
    return 1000 * (time.perf_counter() - begin)


@contextmanager
def served(database: Database) -> Iterator[httpx.Client]:
    """A client of the page on a free port."""
    settings = PageSettings(port=0)
    listening, server = listen(settings), make_server(settings, database)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=address(settings, listening), follow_redirects=True, timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(10)


def _spread(times: list[float]) -> dict[str, float]:
    return {"p50_ms": round(float(np.percentile(times, 50)), 1), "p95_ms": round(float(np.percentile(times, 95)), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), required=True)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--fill-only", action="store_true", help="stop before anything is measured")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    with opened_url(given.work, given.database) as url, Database(url) as database:
        prepare(given.work, given.database, database, given.records)
        if given.fill_only:
            return
        with served(database) as client:
            found = measure(client)
        with database.read() as connection:
            items = connection.scalar(select(func.count()).select_from(Item))
    report: dict[str, Any] = {"database": given.database, "items": items, "goal_p95_ms": GOAL_P95_MS, "views": found}
    report["machine"] = describe_machine()
    report["command"] = f"python -m benchmarks.queue.page WORK --database {given.database} --records {given.records}"
    write_atomic(RESULTS / f"page-{given.database}-{given.records}.json", json.dumps(report, indent=2) + "\n")
    for name, times in found.items():
        say(f"{name}: p50 {times['p50_ms']} ms, p95 {times['p95_ms']} ms")


if __name__ == "__main__":
    main()
