"""The vehicle for twenty minutes: camera, scoring, spool and upload at once, on the synthetic drive.

    python -m benchmarks.soak.run --minutes 20 --rate 5

``edgeseg score`` takes a recorded drive at camera rate and keeps every frame that it has time for, ``edgeseg upload
--watch`` sends the spool over a line on which one request of ten fails, to a SeaweedFS server on this machine. Midway
the model's file is replaced, once by another model and once by a broken one, and the upload is killed and started
again. At the end both are asked to end, what is left is sent, and every item that the agent's log says it kept is
looked for on the server. Writes ``soak.json`` and a report page, ``soak.html``, to ``benchmarks/results/agent/``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import obstore
from obstore.store import from_url

from benchmarks.soak.material import network, video
from benchmarks.soak.page import write_soak_page
from benchmarks.soak.process import LOOKS_EVERY_S, Watched, frame_times, memory_figures
from benchmarks.upload.proxy import BadLine
from benchmarks.upload.run import check
from benchmarks.upload.server import BUCKET, S3Server
from edgeseg.deploy.machine import describe_machine
from edgeseg.device.spool.reader import SpoolReader
from edgeseg.files import write_atomic
from edgeseg.progress import say

RESULTS = Path(__file__).parents[1] / "results" / "agent"


@dataclass(frozen=True)
class Soak:
    """Settings.

    Attributes:
        minutes: How long frames come.
        rate: Frames a second.
        frame: (H, W) of the camera.
        network: (h, w) of the network.
        failing: Share of requests that fail.
    """

    minutes: float
    rate: float
    frame: tuple[int, int] = (256, 512)
    network: tuple[int, int] = (128, 256)
    failing: float = 0.1


class Events:
    """What happens under way, each at a share of the time: model swaps, and an upload that is killed."""

    def __init__(self, model: Path, other: Path, upload: Watched) -> None:
        self._left = [
            (0.3, lambda: _replace(model, other.read_bytes())),
            (0.5, lambda: _replace(model, b"not a model")),
            (0.7, lambda: _kill(upload)),
        ]

    def at(self, share: float) -> None:
        """Lets what is due happen."""
        while self._left and share >= self._left[0][0]:
            self._left.pop(0)[1]()


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)


def _kill(watched: Watched) -> None:
    assert watched.process is not None
    watched.process.kill()
    watched.process.wait()
    watched.start()


def soak(settings: Soak, work: Path) -> dict[str, Any]:
    """Runs both for the time, and looks for everything that was kept."""
    work.mkdir(parents=True, exist_ok=True)
    for old in (*work.glob("agent.log*"), work / "spool"):
        shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink(missing_ok=True)
    other = network(work, *settings.network, seed=1)
    model = work / "model.onnx"
    shutil.copyfile(network(work, *settings.network), model)
    drive = video(work, *settings.frame, round(settings.minutes * 60 * settings.rate))
    with S3Server() as server, BadLine(server.port, settings.failing) as line:
        return _soak(settings, work, (model, other, drive), server, line)


def _soak(
    settings: Soak, work: Path, files: tuple[Path, Path, Path], server: S3Server, line: BadLine
) -> dict[str, Any]:
    model, other, drive = files
    log, spool, url = work / "agent.log", work / "spool", f"s3://{BUCKET}/soak"
    options = ["--strategy", "superpixel", "--rate", str(settings.rate), "--log", str(log), "--json"]
    agent = Watched(["score", str(drive), "--model", str(model), "--spool", str(spool), *options], work / "score.json")
    patient = ["--watch", "--set", "poll_s=1", "--set", "first_wait_s=0.1", "--set", "longest_wait_s=5", "--json"]
    upload = Watched(["upload", str(spool), "--to", url, *patient], work / "upload.json", server.environment(line.port))
    agent.start()
    while not (spool / "spool.json").exists() and agent.look():
        time.sleep(LOOKS_EVERY_S)
    upload.start()
    start, events = time.monotonic(), Events(model, other, upload)
    while agent.look():
        upload.look()
        events.at((time.monotonic() - start) / (60 * settings.minutes))
        time.sleep(LOOKS_EVERY_S)
    scored = agent.report()
    line.failing = 0.0
    _drain(spool, upload)
    sent = upload.end()
    os.environ.update(server.environment())
    store = from_url(url, client_options={"allow_http": True})
    found = {
        entry["path"]: bytes(obstore.get(store, entry["path"]).bytes())
        for batch in obstore.list(store)
        for entry in batch
    }
    return _figures(settings, agent, upload, log, {"scored": scored, "sent": sent, "found": found, "spool": spool})


def _drain(spool: Path, upload: Watched) -> None:
    give_up = time.monotonic() + 300
    while SpoolReader(spool).info().pending and time.monotonic() < give_up:
        upload.look()
        time.sleep(LOOKS_EVERY_S)


def _figures(settings: Soak, agent: Watched, upload: Watched, log: Path, seen: dict[str, Any]) -> dict[str, Any]:
    lines = [
        json.loads(text) for path in sorted(log.parent.glob("agent.log*")) for text in path.read_text().splitlines()
    ]
    frames = [line for line in lines if line["event"] == "frame"]
    kept = {line["item_id"] for line in frames if line["item_id"]}
    arrived = {key.rsplit("/", 1)[1][:64] for key in seen["found"] if key.startswith("records/")}
    total = np.array([line["total_ms"] for line in frames])
    done = frame_times(log)
    return {
        "settings": asdict(settings),
        "frames": seen["scored"]["frames"],
        "late": seen["scored"]["late"],
        "kept": len(kept),
        "lost": len(kept - arrived),
        "arrived_unasked": len(arrived - kept),
        "server": {k: n for k, n in check(seen["found"], 0).items() if k not in ("missing",)},
        "spool_afterwards": SpoolReader(seen["spool"]).info().to_dict(),
        "model_swaps": seen["scored"]["model_swaps"],
        "models_refused": sum("cannot run, so the old one stays" in line.get("text", "") for line in lines),
        "latency_ms": {f"p{p}": round(float(np.percentile(total, p)), 1) for p in (50, 90, 99)},
        "agent_memory": memory_figures(agent.samples, done),
        "upload_most_mb": round(max(mb for _, mb in upload.samples), 1),
        "last_upload": {key: seen["sent"][key] for key in ("sent", "skipped", "failed", "retries", "bytes")},
        "samples": {
            "agent_mb": _thinned(agent.samples),
            "upload_mb": _thinned(upload.samples),
            "frames_a_minute": _a_minute(done),
        },
    }


def _thinned(samples: list[tuple[float, float]], most: int = 400) -> list[tuple[float, float]]:
    start, step = samples[0][0], -(-len(samples) // most)
    return [(round(at - start, 1), round(mb, 1)) for at, mb in samples[::step]]


def _a_minute(done: list[float]) -> list[int]:
    minutes = ((np.array(done) - done[0]) // 60).astype(int)
    return [int(count) for count in np.bincount(minutes)]


def main() -> None:
    """Soaks, and writes results and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=float, default=5)
    parser.add_argument("--work", type=Path, default=Path("runs/soak"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    figures = soak(Soak(given.minutes, given.rate), given.work)
    command = f"python -m benchmarks.soak.run --minutes {given.minutes:g} --rate {given.rate:g}"
    report = {"command": command, "machine": describe_machine(), **figures}
    given.out.mkdir(parents=True, exist_ok=True)
    write_atomic(given.out / "soak.json", json.dumps(report, indent=1) + "\n")
    write_soak_page(report, given.out / "soak.html")
    memory = figures["agent_memory"]
    say(
        f"{figures['frames']} frames, {figures['kept']} kept, {figures['lost']} lost; "
        f"memory {memory['second_tenth_mb']} to {memory['last_tenth_mb']} MB"
    )


if __name__ == "__main__":
    main()
