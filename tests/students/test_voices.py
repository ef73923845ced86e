"""What one process does; ``test_distributed`` has two."""

from __future__ import annotations

import pytest

from edgeseg.errors import AlreadyTold, DataError, TrainingError
from edgeseg.students import voices


def _fail(error: Exception) -> None:
    with voices.one_voice():
        raise error


def test_process_alone_raises_what_it_met() -> None:
    assert voices.leads()
    with pytest.raises(DataError, match="x"):
        _fail(DataError("x"))


def test_only_the_first_of_several_processes_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert not voices.leads()
    monkeypatch.setattr(voices, "_first_to_fail", lambda: True)
    with pytest.raises(DataError, match="x"):
        _fail(DataError("x"))
    monkeypatch.setattr(voices, "_first_to_fail", lambda: False)
    with pytest.raises(AlreadyTold):
        _fail(DataError("x"))


def test_process_that_ended_without_a_word_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(voices, "_first_to_fail", lambda: True)
    with pytest.raises(TrainingError, match=r"another process of this training ended .*closed by peer.*--resume"):
        _fail(RuntimeError("[gloo/transport/tcp/pair.cc:525] Connection closed by peer"))


def test_without_a_launcher_s_store_every_process_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(DataError, match="x"):
        _fail(DataError("x"))
