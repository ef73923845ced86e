"""Kills the writer of a cache with ``kill -9`` at random points, resumes it, and compares with a cache left in peace.

    python -m benchmarks.resume.kill --points 50

After every kill the build is resumed to its end. Then every file of the cache must have the bytes of the undisturbed
one, and the teachers must have seen no frame twice but the one that was under way. Half of the points keep the
teachers' probabilities on disk, half run the teachers twice; and one cache is killed again and again until it is done.
Keeps what was found in ``benchmarks/results/softlabels/resume.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from benchmarks.resume.teacher import TRACE
from edgeseg import datasets
from edgeseg.datasets.camvid import CLASS_MAP
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.softlabels import CacheInfo
from edgeseg.teachers import CacheSettings, build_cache
from edgeseg.teachers.loading import load_teachers
from edgeseg.teachers.teacher_set import TeacherSet

RESULTS = Path(__file__).parents[1] / "results" / "softlabels" / "resume.json"
FRAMES, HEIGHT, WIDTH = 12, 24, 32
TEACHERS = ("benchmarks.resume.teacher:first:3", "benchmarks.resume.teacher:second:5")


@dataclass(frozen=True)
class Writer:
    """A cache build in a process of its own, forked, so that a kill meets the writing and not the start of Python.

    Attributes:
        settings: Of the build.
        out: The cache.
    """

    settings: CacheSettings
    out: Path

    @property
    def trace(self) -> Path:
        """One line for each run of a teacher."""
        return self.out.with_suffix(".trace")

    def run(self, killed_after_s: float | None = None) -> bool:
        """Builds or resumes; returns whether it was killed before its end."""
        child = os.fork()
        if not child:
            self._build()
        if killed_after_s is not None:
            time.sleep(killed_after_s)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status) and killed_after_s is not None:
            return True
        if os.waitstatus_to_exitcode(status):
            raise SystemExit(f"the writer of {self.out} failed")
        return False

    def _build(self) -> None:
        os.environ[TRACE] = str(self.trace)
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            build_cache(self.settings, self.out, resume=True)
        except BaseException as error:
            print(f"{self.out}: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)

    def files(self) -> dict[str, bytes]:
        """Relative path → content."""
        found = (path for path in self.out.rglob("*") if path.is_file())
        return {path.relative_to(self.out).as_posix(): path.read_bytes() for path in found}

    def runs(self) -> Counter[str]:
        """Teacher and frame → how often the one saw the other."""
        return Counter(self.trace.read_text().splitlines()) if self.trace.exists() else Counter()

    def clear(self) -> None:
        """Removes cache and trace."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.trace.unlink(missing_ok=True)


def draw_data(folder: Path) -> CacheSettings:
    """Writes the frames and the teachers' classes; returns settings of a build."""
    rng = np.random.default_rng(0)
    for number in range(FRAMES):
        label = rng.integers(0, 12, (HEIGHT // 4, WIDTH // 4), np.uint8).repeat(4, 0).repeat(4, 1)
        image = (label[..., None] * 18 + rng.integers(0, 40, (HEIGHT, WIDTH, 3))).astype(np.uint8)
        for part, content in (("train", image), ("trainannot", label)):
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(folder / part / f"frame{number:02d}.png")
    classes = folder / "classes.yaml"
    preprocess = {"height": 16, "width": 24, "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
    classes.write_text(yaml.safe_dump({**CLASS_MAP.to_dict(), "preprocess": preprocess}))
    return CacheSettings(TEACHERS, f"camvid:{folder}#train", teacher_classes=(classes,), device="cpu")


def warm_up(settings: CacheSettings) -> None:
    """Imports here what the forked writers use, so that they spend their time on writing."""
    os.environ[TRACE] = os.devnull
    dataset = datasets.open(settings.data)
    datasets.require_usable(dataset)
    weights = ((1.0,) * dataset.class_map.num_classes,) * len(settings.teachers)
    info = CacheInfo(dataset.class_map, (), dataset.sample_ids, "", class_weights=weights)
    TeacherSet(load_teachers(settings, dataset.class_map, None)).mix(dataset, 0, info)


def kill_once(writer: Writer, whole: Writer, seconds: float, draw: random.Random) -> dict[str, Any]:
    """Kills one build at a random point, resumes it, and compares with the ``whole`` one, which took ``seconds``."""
    at = draw.uniform(0, seconds)
    while not writer.run(at):
        writer.clear()
        at = draw.uniform(0, at)
    before = sum(writer.runs().values())
    writer.run()
    return {"killed_after_s": round(at, 4), "teacher_runs_before": before, **compare(writer, whole)}


def kill_repeatedly(writer: Writer, whole: Writer, seconds: float, draw: random.Random) -> dict[str, Any]:
    """Kills one build again and again until it ends before the next kill."""
    kills = 0
    # A resumed build must load its teachers first, so a kill must leave it some time to get on.
    while writer.run(draw.uniform(0.2, 0.6) * seconds):
        kills += 1
    return {"kills": kills, **compare(writer, whole)}


def compare(writer: Writer, whole: Writer) -> dict[str, Any]:
    """Whether the files are the same, and the teachers' runs beyond those of the ``whole`` build."""
    extra = writer.runs() - whole.runs()
    return {
        "identical": writer.files() == whole.files(),
        "frames_run_again": len({line.split()[1] for line in extra}),
        "runs_again": sum(extra.values()),
        "runs_missing": sum((whole.runs() - writer.runs()).values()),
    }


def measure(points: int, seed: int, with_chains: bool, folder: Path) -> dict[str, Any]:
    """All kills: figures of every one, and what they come to."""
    draw, settings = random.Random(seed), draw_data(folder / "data")
    warm_up(settings)
    rows, chains = [], []
    for scratch, share in ((True, points - points // 2), (False, points // 2)):
        chosen = replace(settings, scratch=scratch)
        whole = Writer(chosen, folder / f"whole-{scratch}")
        start = time.perf_counter()
        whole.run()
        seconds = time.perf_counter() - start
        for number in range(share):
            writer = Writer(chosen, folder / f"killed-{scratch}-{number}")
            rows.append({"keeps_probabilities": scratch, **kill_once(writer, whole, seconds, draw)})
            writer.clear()
        if with_chains:
            chains.append(kill_repeatedly(Writer(chosen, folder / f"chain-{scratch}"), whole, seconds, draw))
    return {
        "points": len(rows),
        "identical": sum(row["identical"] for row in [*rows, *chains]) == len(rows) + len(chains),
        "most_frames_run_again": max(row["frames_run_again"] for row in rows),
        "frames": FRAMES,
        "teachers": len(TEACHERS),
        "rows": rows,
        "chains": chains,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=50, help="How many builds are killed.")
    parser.add_argument("--seed", type=int, default=0, help="Of the random points.")
    parser.add_argument("--without-chains", action="store_true", help="Leave out what is killed again and again.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="The JSON file.")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given.points, given.seed, not given.without_chains, Path(folder))
    command = f"python -m benchmarks.resume.kill --points {given.points} --seed {given.seed}"
    write_atomic(
        given.results, json.dumps({"command": command, "machine": describe_machine(), **found}, indent=1) + "\n"
    )
    print({key: value for key, value in found.items() if key not in ("rows", "chains")})
    sys.exit(not found["identical"] or found["most_frames_run_again"] > 1)


if __name__ == "__main__":
    main()
