"""Rounds' trainings that a launcher starts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeseg import active
from edgeseg.active import ActiveSettings
from edgeseg.errors import ConfigError, TrainingError

Make = Callable[..., ActiveSettings]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1")


def test_trainings_run_in_the_processes_of_a_launcher(
    make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = active.run(make_settings("full"), tmp_path / "alone")
    two = active.run(make_settings("full", launcher=(*TORCHRUN, "--nproc-per-node", "2")), tmp_path / "two")
    assert [row.miou for row in two.rows] == pytest.approx([row.miou for row in alone.rows], abs=1e-3)


@pytest.mark.parametrize(
    ("launcher", "error", "message"),
    [
        (("no-such-launcher",), ConfigError, "launcher 'no-such-launcher' cannot be started"),
        (("false",), TrainingError, "'false' started ended with code 1; see its message above"),
    ],
)
def test_a_launcher_that_fails_is_told(
    make_settings: Make, tmp_path: Path, launcher: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        active.run(make_settings("full", launcher=launcher), tmp_path / "run")


def test_the_loop_itself_is_one_process(make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="run it without torchrun"):
        active.run(make_settings("full"), tmp_path / "run")
