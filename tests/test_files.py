from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgeseg.errors import OutputError
from edgeseg.files import locked


def test_folder_is_kept_until_the_end_and_nothing_stays(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with locked(folder, "busy"):
        with pytest.raises(OutputError, match="busy"), locked(folder, "busy"):
            pass
        (folder / "result").write_text("")
    with locked(folder, "busy"):
        pass
    assert [path.name for path in folder.iterdir()] == ["result"]


def test_folder_that_was_made_for_nothing_is_removed_again(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "new", "busy"):
        raise ZeroDivisionError
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    with locked(tmp_path / "old", "busy"):
        pass
    assert (tmp_path / "old").exists()


def test_child_of_a_killed_process_does_not_keep_the_folder(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
from edgeseg.files import locked
with locked(Path({str(tmp_path)!r}), "busy"):
    if os.fork():
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
    os._exit(0)
"""
    root = Path(__file__).parents[1]
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, cwd=root) as process:
        assert process.wait(60) == -signal.SIGKILL
        assert (tmp_path / ".lock").exists()
        with locked(tmp_path, "busy"):
            pass


def test_lock_file_of_a_killed_process_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("")
    with locked(tmp_path, "busy"):
        pass


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"), locked(tmp_path / "file" / "run", "busy"):
        pass
