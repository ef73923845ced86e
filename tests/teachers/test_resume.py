"""Builds that are killed at random points, by the program that does it on a larger scale."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_killed_builds_end_with_the_same_bytes_and_run_no_finished_frame_again(tmp_path: Path) -> None:
    results = tmp_path / "resume.json"
    program = ("-m", "benchmarks.resume.kill", "--points", "4", "--without-chains", "--results")
    command = [sys.executable, *program, results]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(results.read_text())
    assert found["points"] == 4 and found["identical"]
    assert found["most_frames_run_again"] <= 1, "the one that was under way"
