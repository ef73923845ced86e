"""Regret of the policy on recorded drives: CamVid's sequences and the synthetic drive.

    python -m benchmarks.policy.run --camvid PATH/TO/camvid --model MODEL.onnx --traces DIR

Every drive is scored once by the model (``--strategy``, default superpixel); the traces stay in ``DIR``, and what is
there is not scored again. A sequence of CamVid's training split has one frame a second, its validation split 15; a
frame of the synthetic drive counts for a second. Each drive is replayed by policies that know nothing of it
beforehand. Keeps ``regret.json``, ``table.md`` and one timeline in ``benchmarks/results/policy``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.markdown import table
from edgeseg.deploy.machine import describe_machine
from edgeseg.deploy.runners import open_runner
from edgeseg.device.policy import Candidate, Form, PolicySettings
from edgeseg.device.policy.recording import record_drive
from edgeseg.device.policy.replay import replay
from edgeseg.device.policy.timeline import replay_page
from edgeseg.device.policy.trace import TraceWriter, read_trace
from edgeseg.files import write_atomic
from edgeseg.frames import open_source
from edgeseg.report.page import write_page

SHUFFLES = 20
TOLD = {
    "regret_shuffled": "in random order",
    "regret_informed": "informed",
    "regret_informed_shuffled": "informed, in random order",
}
"""What else is measured where choices are final → its name in the table."""
RESULTS = Path(__file__).parents[1] / "results" / "policy"
GOAL = 0.3
FORMS: tuple[Form, ...] = ("full", "crops", "map")
MB_PER_FRAME = 0.25
"""About what an item of CamVid's size takes, in full."""


def policies(rate_hz: float) -> dict[str, PolicySettings]:
    """Policies whose budgets are shares of a drive of so many frames a second."""
    hourly = 3600 * rate_hz
    base = PolicySettings(spacing_s=1 / rate_hz)
    tenth = f"{hourly / 10:g}/h"
    size = f"{hourly / 10 * MB_PER_FRAME:g}MB/h"
    return {
        "a tenth of the frames": replace(base, frames=tenth),
        "a twentieth": replace(base, frames=f"{hourly / 20:g}/h"),
        "a tenth, spaced by two frames": replace(base, frames=tenth, spacing_s=2 / rate_hz),
        "bytes of a tenth, any form": replace(base, bytes=size, forms=FORMS),
        "frames, bytes and regions": replace(base, frames=tenth, bytes=size, regions=f"{hourly * 3:g}/h", forms=FORMS),
        "a tenth, choices final": replace(base, frames=tenth, recall=False),
        "a twentieth, choices final": replace(base, frames=f"{hourly / 20:g}/h", recall=False),
    }


def drives(given: argparse.Namespace) -> dict[str, tuple[float, list[Candidate]]]:
    """Drives by name, each with its frames a second."""
    found: dict[str, tuple[float, list[Candidate]]] = {}
    train = _trace(given, "camvid-train", f"camvid:{given.camvid}#train")
    for sequence in dict.fromkeys(_sequence(candidate) for candidate in train):
        found[f"CamVid {sequence}"] = 1.0, _timed([c for c in train if _sequence(c) == sequence], 1.0)
    found["CamVid, these in one drive"] = 1.0, _timed(train, 1.0)
    found["CamVid 0016E5 (val), 15 Hz"] = 15.0, _timed(_trace(given, "camvid-val", f"camvid:{given.camvid}#val"), 15.0)
    synthetic = _trace(given, f"synthetic-{given.synthetic}", f"synthetic:{given.synthetic}#drive")
    found[f"synthetic, {given.synthetic} frames"] = 1.0, _timed(synthetic, 1.0)
    return found


def _sequence(candidate: Candidate) -> str:
    return candidate.frame.rsplit("/", 1)[-1].rsplit("_", 1)[0]


def _timed(candidates: Sequence[Candidate], rate_hz: float) -> list[Candidate]:
    return [replace(candidate, index=i, time_s=i / rate_hz) for i, candidate in enumerate(candidates)]


def _trace(given: argparse.Namespace, name: str, spec: str) -> list[Candidate]:
    path: Path = given.traces / f"{name}.jsonl"
    if not path.exists():
        writer = TraceWriter(path.with_suffix(".partial"))
        with open_runner(given.model) as runner:
            for candidate in record_drive(open_source(spec), runner, given.strategy, 1.0, superpixel_px=400):
                writer.add(candidate)
        writer.close()
        path.with_suffix(".partial").rename(path)
    return read_trace(path)


def _row(drive: str, name: str, rate_hz: float, candidates: list[Candidate]) -> dict[str, Any]:
    settings = policies(rate_hz)[name]
    found = replay(candidates, settings)
    row = {"drive": drive, "policy": name, **found.report.to_dict()}
    if not settings.recall:
        count = max(1, round(found.report.allowed["frames"]))
        mixed = [np.random.default_rng(seed).permutation(found.worth) for seed in range(SHUFFLES)]
        row["regret_shuffled"] = _shuffled(candidates, settings)
        row["regret_informed"] = _informed(found.worth, count)
        row["regret_informed_shuffled"] = statistics.mean(_informed(worth, count) for worth in mixed)
    return row


def _shuffled(candidates: list[Candidate], settings: PolicySettings) -> float:
    """Mean regret on the drive's frames in random order: what is left of it comes from a drive that changes."""
    found = []
    for seed in range(SHUFFLES):
        order = np.random.default_rng(seed).permutation(len(candidates))
        times = [candidate.time_s for candidate in candidates]
        mixed = [replace(candidates[i], index=k, time_s=times[k]) for k, i in enumerate(order)]
        found.append(replay(mixed, settings).report.regret)
    return statistics.mean(regret for regret in found if regret is not None)


def _informed(worth: NDArray[np.float64], count: int) -> float:
    """Regret of a rule that knows the drive's length and all its scores, but not when which comes.

    With b frames left to keep of n to come, it keeps what is among the best b / n of all: no rule that must learn
    either can be expected to do better.
    """
    rising = np.sort(worth)
    total, left = 0.0, count
    for place, value in enumerate(worth):
        to_come = len(worth) - place
        if left and value >= rising[min(len(rising) - 1, int((1 - left / to_come) * len(rising)))]:
            total, left = total + value, left - 1
    best = float(rising[len(rising) - count :].sum())
    return (best - total) / (best - count * float(worth.mean()))


def main(argv: list[str] | None = None) -> None:
    """Runs, and keeps what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camvid", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--model-is", default="the ENet authors' Cityscapes network, exported at 360x480")
    parser.add_argument("--strategy", default="superpixel")
    parser.add_argument("--synthetic", type=int, default=200)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(argv)
    found = drives(given)
    rows = [_row(drive, name, rate, frames) for drive, (rate, frames) in found.items() for name in policies(rate)]
    report = {
        "command": "python -m benchmarks.policy.run --camvid PATH --model MODEL.onnx --traces DIR",
        "model": given.model_is,
        "strategy": given.strategy,
        "goal": GOAL,
        "rows": rows,
        "machine": describe_machine(),
    }
    write_atomic(given.results / "regret.json", json.dumps(report, indent=2) + "\n")
    write_atomic(given.results / "table.md", _markdown(rows, given))
    rate, frames = found["CamVid, these in one drive"]
    shown = replay(frames, policies(rate)["a tenth of the frames"])
    write_page(replay_page("CamVid's training sequences as one drive", frames, shown), given.results / "timeline.html")


def _markdown(rows: list[dict[str, Any]], given: argparse.Namespace) -> str:
    names = list(dict.fromkeys(row["policy"] for row in rows))
    lines = []
    for drive in dict.fromkeys(row["drive"] for row in rows):
        regrets = {row["policy"]: row["regret"] for row in rows if row["drive"] == drive}
        lines.append([drive, *("–" if regrets[name] is None else f"{regrets[name]:.3f}" for name in names)])
    for key, told in TOLD.items():
        values = [[r[key] for r in rows if r["policy"] == name and r.get(key) is not None] for name in names]
        lines.append([f"mean, {told}", *(f"{statistics.mean(v):.3f}" if v else "–" for v in values)])
    means = [[r["regret"] for r in rows if r["policy"] == name and r["regret"] is not None] for name in names]
    lines.append(["mean", *(f"{statistics.mean(values):.3f}" for values in means)])
    head = (
        "# Regret of the policy\n\n"
        "(best in hindsight − policy) / (best − random): 0 is as good as hindsight, 1 as good as chance; "
        f"the goal is {GOAL}. Scored by {given.model_is}, strategy {given.strategy}.\n\n"
    )
    tail = (
        "\nHindsight chooses greedily under the same budgets, spacing and duplicates; with bytes and forms that is no "
        "optimum, so that a regret may be below 0. `choices final`: nothing that was kept gives way later. "
        f"`in random order`: the same frames, shuffled ({SHUFFLES} times). `informed`: a rule that knows the drive's "
        "length and all its scores beforehand, but not when which comes.\n"
    )
    return head + table(("drive", *names), lines) + tail


if __name__ == "__main__":
    main()
