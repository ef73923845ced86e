"""Uploads over a bad line: what arrives of 2 000 items when one request of five fails and the upload is killed.

    python -m benchmarks.upload.run --items 2000 --failing 0.2 --kills 5

A SeaweedFS server on this machine, a proxy before it that drops, delays, cuts off and answers 500 or 503, and
``edgeseg upload`` in a process of its own, killed with ``kill -9`` at random moments and started again. Then every
object on the server is read past the proxy. Keeps what was found in ``benchmarks/results/upload/bad_line.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import obstore
from obstore.store import from_url

from benchmarks.common.items import plain_item
from benchmarks.upload.proxy import BadLine
from benchmarks.upload.server import BUCKET, S3Server
from edgeseg.bucket import parse_arrival, parse_record_key
from edgeseg.deploy.machine import describe_machine
from edgeseg.device.spool import Spool
from edgeseg.files import write_atomic
from edgeseg.progress import say, track
from edgeseg.records import Record, read_record

RESULTS = Path(__file__).parents[1] / "results" / "upload" / "bad_line.json"
KINDS = {"image": 24_000, "entropy": 6_000}
WAITS = ("first_wait_s=0.02", "longest_wait_s=0.5", "timeout_s=5")


def make_item(number: int) -> tuple[Record, dict[str, bytes]]:
    """An item that no other is like; its score is its number."""
    blobs = {kind: np.random.default_rng((number, size)).bytes(size) for kind, size in KINDS.items()}
    vehicle, frame_id = f"car-{number % 2}", f"frame_{number:06d}"
    return plain_item(number, blobs, vehicle=vehicle, drive="drive-1", frame_id=frame_id, model_digest="0" * 64), blobs


def upload(spool: Path, url: str, environment: dict[str, str], killed_after_s: float | None) -> dict[str, Any] | None:
    """One run of the command; its report, or None where it was killed before its end."""
    settings = [part for setting in WAITS for part in ("--set", setting)]
    process = subprocess.Popen(
        [sys.executable, "-m", "edgeseg", "upload", str(spool), "--to", url, "--json", *settings],
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        output, _ = process.communicate(timeout=killed_after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return dict(json.loads(output))


def check(found: dict[str, bytes], items: int) -> dict[str, int]:
    """Counts what is on the server, and what should not be as it is."""
    records = {key: read_record(text, key) for key, text in found.items() if key.startswith("records/")}
    numbers = Counter(record.frame_number for record in records.values())
    blobs = {blob.key: blob.digest for record in records.values() for blob in record.blobs}
    stored = {key for key in found if key.startswith("sha256/")}
    arrived = {parse_arrival(key)[:2] for key in found if key.startswith("arrivals/")}
    return {
        "records": len(records),
        "missing": len(set(range(items)) - set(numbers)),
        "twice": sum(count - 1 for count in numbers.values()),
        "blobs_missing": len(set(blobs) - stored),
        "blobs_of_no_record": len(stored - set(blobs)),
        "blobs_damaged": sum(hashlib.sha256(found[k]).hexdigest() != d for k, d in blobs.items() if k in found),
        "without_arrival": len({parse_record_key(key) for key in records} - arrived),
        "other_objects": len(found) - len(records) - len(stored) - sum(k.startswith("arrivals/") for k in found),
    }


def measure(items: int, failing: float, kills: int, seed: int) -> dict[str, Any]:
    """Uploads, kills, goes on, and checks."""
    draw = random.Random(seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        S3Server() as server,
        BadLine(server.port, failing, seed=seed) as line,
    ):
        spool = Path(folder) / "spool"
        with Spool(spool) as writer:
            for number in track(range(items), "filling the spool"):
                writer.put(*make_item(number))
        url, environment = f"s3://{BUCKET}/items", server.environment(line.port)
        start = time.perf_counter()
        killed = sum(upload(spool, url, environment, draw.uniform(1.5, 6.0)) is None for _ in range(kills))
        report = upload(spool, url, environment, None)
        seconds = time.perf_counter() - start
        os.environ.update(server.environment())
        store = from_url(url, client_options={"allow_http": True})
        keys = [entry["path"] for batch in obstore.list(store) for entry in batch]
        checked = check({key: bytes(obstore.get(store, key).bytes()) for key in keys}, items)
        with Spool(spool) as left:
            remaining = left.info().to_dict()
    requests = sum(line.counts.values())
    return {
        "killed": killed,
        "seconds": round(seconds, 1),
        "requests": requests,
        "failed_share": round(1 - (line.counts["ok"] + line.counts["delayed"]) / requests, 4),
        "requests_by_fate": dict(sorted(line.counts.items())),
        "last_run": report,
        "found_on_the_server": checked,
        "spool_afterwards": remaining,
    }


def main() -> None:
    """Parses, measures, keeps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--failing", type=float, default=0.2)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    settings = {"items": given.items, "failing": given.failing, "kills": given.kills, "seed": given.seed}
    options = " ".join(f"--{name} {value}" for name, value in settings.items())
    report = {
        "command": f"python -m benchmarks.upload.run {options}",
        "machine": describe_machine(),
        "settings": {**settings, "blob_bytes": KINDS, "waits": WAITS},
        **measure(**settings),
    }
    write_atomic(given.out, json.dumps(report, indent=1) + "\n")
    found = report["found_on_the_server"]
    say(f"{found['records']} of {given.items} arrived; missing {found['missing']}, twice {found['twice']}")


if __name__ == "__main__":
    main()
