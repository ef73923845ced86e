"""Kills writers of a spool with ``kill -9`` at random points and looks for what should not be.

    python -m benchmarks.spool.kill --points 240

A third of the turns is killed from outside at a random moment, a third kills itself at a random request to the disk,
a third has two writers at the same items, of which one or both are killed. Half of all turns run under a quota. What
writers acknowledged is kept outside of the spool, and after every kill, before anybody repairs anything:

- every item that was acknowledged is there whole, or was sent, or gave way to the quota, or was being removed;
- every item that is to be seen has its record and its blobs, with their checksums;
- no item whose upload was acknowledged is handed out again.

Keeps what was found in ``benchmarks/results/spool/kill.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.spool.writer import PUT, REMOVING, SENDING, UPLOADED, Work, start
from edgeseg.deploy.machine import describe_machine
from edgeseg.device.spool import Spool, SpoolReader
from edgeseg.device.spool.folder import MARKER
from edgeseg.device.spool.index import SpoolIndex
from edgeseg.files import write_atomic

RESULTS = Path(__file__).parents[1] / "results" / "spool" / "kill.json"
LONGEST_S = 0.25
QUOTA_BYTES = 600_000


@dataclass
class Findings:
    """What writers told, and what was found wrong.

    Attributes:
        told: Item ids by what was said of them.
        counts: How often each thing was said, and how the writers ended.
        lost, torn, twice: Ids of items that were acknowledged and are not there, are not whole, or were sent again.
    """

    told: dict[str, set[str]] = field(default_factory=lambda: {w: set() for w in (PUT, SENDING, UPLOADED, REMOVING)})
    counts: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)
    torn: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)

    def hear(self, lines: Iterable[str]) -> None:
        """Takes what a writer told, in order."""
        for line in lines:
            what, item_id = line.split()
            if what == SENDING and item_id in self.told[UPLOADED]:
                self.twice.add(item_id)
            self.told[what].add(item_id)
            self.counts[what] += 1

    def look(self, place: Path) -> None:
        """Holds what is there against what was told."""
        reader = SpoolReader(place)
        there = set(reader.ids())
        self.torn |= set(reader.verify().problems)
        states = _states(place)
        self.lost |= {i for i in self.told[PUT] - there - self.told[REMOVING] if not self._explained(i, states)}
        self.twice |= {i for i in self.told[UPLOADED] & there if states.get(i) == "pending"}

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        wrong = {"lost": sorted(self.lost), "torn": sorted(self.torn), "twice": sorted(self.twice)}
        return {"acknowledged": len(self.told[PUT]), **wrong, "counts": dict(self.counts)}

    def _explained(self, item_id: str, states: dict[str, str]) -> bool:
        state = states.get(item_id)
        # A kill between the two halves of a change leaves the item whole beside the others, to be brought back.
        return state == "evicted" or (state == "uploaded" and item_id in self.told[SENDING]) or state == "in between"


def run(points: int, spool: Path, quota: int | None, seed: int = 0) -> Findings:
    """Kills writers of one spool so many times.

    Args:
        points: Kills, or one more.
        spool: Its place, still empty.
        quota: Its quota in bytes, or None.
        seed: Of the moments.
    """
    chance, findings = random.Random(seed), Findings()
    killed = turn = 0
    while killed < points:
        killed += _turn(spool, quota, turn, chance, findings)
        if (spool / MARKER).exists():
            findings.look(spool)
        turn += 1
    with Spool(spool) as opened:
        findings.look(spool)
        findings.counts["leftovers"] += len(list((spool / "incoming").iterdir()))
        findings.counts["evicted"] += opened.info().evicted
    return findings


def _turn(spool: Path, quota: int | None, turn: int, chance: random.Random, findings: Findings) -> int:
    """Lets one or two writers work and kills them; the number of kills."""
    kind = turn % 3
    dies_at = chance.randrange(120) if kind == 1 else None
    works = [Work(spool, quota, turn * 10_000, seed, dies_at) for seed in range(turn, turn + (2 if kind == 2 else 1))]
    writers = [start(work) for work in works]
    if dies_at is None:
        time.sleep(chance.uniform(0, LONGEST_S))
        for child, _ in writers:
            os.kill(child, signal.SIGKILL)
            time.sleep(chance.uniform(0, LONGEST_S) if kind == 2 else 0)
    for child, pipe in writers:
        status = os.waitpid(child, 0)[1]
        findings.counts["ended by itself"] += not os.WIFSIGNALED(status)
        with os.fdopen(pipe) as told:
            findings.hear(line for line in told.read().split("\n") if line)
    findings.counts[("killed from outside", "killed at a request", "two writers")[kind]] += len(writers)
    return len(writers)


def _states(place: Path) -> dict[str, str]:
    """What the index says of each item; ``in between`` where its files wait to be brought back."""
    path = place / "index.sqlite"
    if not path.exists():
        return {}
    index = SpoolIndex(path, writable=False)
    try:
        there = {row.id: row.state if (place / "items" / row.id).exists() else "in between" for row in index.stored()}
        return {**there, **{i: row.state for i in index.gone_ids() if (row := index.row(i))}}
    finally:
        index.close()


def main(argv: list[str] | None = None) -> None:
    """Runs and keeps what was found; ends with exit code 1 where anything was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        found = {
            f"quota {quota}": run(given.points // 2, Path(folder) / str(quota), quota, given.seed)
            for quota in (None, QUOTA_BYTES)
        }
        seconds = time.perf_counter() - begin
    report = {
        "command": f"python -m benchmarks.spool.kill --points {given.points} --seed {given.seed}",
        "spools": {name: findings.to_dict() for name, findings in found.items()},
        "seconds": round(seconds, 1),
        "machine": describe_machine(),
    }
    write_atomic(given.results, json.dumps(report, indent=2) + "\n")
    print(json.dumps(report["spools"], indent=2))
    if any(findings.lost or findings.torn or findings.twice for findings in found.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
