"""The loop's process killed with ``kill -9`` again and again: at the end stand the rows of an undisturbed run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from edgeseg import active, config
from edgeseg.active import ActiveReport, ActiveSettings
from tests.active.untimed import untimed
from tests.killing import kill_when

MOMENTS = ("start/train/state.pt", "superpixel/round-1/answers", "superpixel/round-1/train/state.pt",
           "superpixel/round-2/data/masks")  # fmt: skip


def test_loop_killed_by_sigkill_resumes_to_the_same_rows(
    make_settings: Callable[..., ActiveSettings], tmp_path: Path
) -> None:
    settings = make_settings("superpixel", rounds=2, epochs=3)
    whole = active.run(settings, tmp_path / "whole")
    config.write(settings, tmp_path / "settings.yaml")
    killed = tmp_path / "killed"
    command = ["-m", "edgeseg", "active", "run", "--config", str(tmp_path / "settings.yaml"), "--out", str(killed)]
    for moment in MOMENTS:
        kill_when(lambda path=killed / "seed-0" / moment: path.exists(), [*command, "--resume"])  # type: ignore[misc]
        assert not (killed / "rows.json").exists()
    assert untimed(active.run(settings, killed, resume=True)) == untimed(whole)
    assert untimed(_kept(killed)) == untimed(_kept(tmp_path / "whole"))
    assert not [path for path in killed.rglob(".*") if path.is_file()]


def _kept(run: Path) -> ActiveReport:
    return ActiveReport.from_dict(json.loads((run / "rows.json").read_text()))
