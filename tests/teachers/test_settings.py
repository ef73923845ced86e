from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.config import resolve, to_plain
from edgeseg.errors import ConfigError
from edgeseg.softlabels import Coding
from edgeseg.teachers import CacheSettings


def test_settings_come_from_options_and_overrides() -> None:
    options = {
        "teachers": ["a.edgeseg:3", "m:f:4"],
        "data": "camvid:x",
        "teacher_classes": [Path("c.yaml")],
        "flip": None,
    }
    settings = resolve(CacheSettings, overrides=["flip=true"], options=options)
    assert settings.coding == Coding()
    coarse = resolve(CacheSettings, overrides=["coding.kl_nats=0.001", "coding.stride=4"], options=options)
    assert coarse.coding == Coding(kl_nats=1e-3, stride=4)
    assert settings.flip and [s.temperature for s in settings.specs] == [3.0, 4.0]
    assert resolve(CacheSettings, options=to_plain(settings)) == settings


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"teachers": ()}, r"a cache needs at least one; name it with --teacher MODEL:T"),
        (
            {"teacher_weights": (Path("w"),)},
            r"--teacher-weights is given 1 times for no package\.module:factory teachers",
        ),
        ({"teachers": ("m:f:3", "m:g:3")}, r"--teacher-classes is given 0 times for 2 \(m:f, m:g\)"),
        ({"teachers": ("a.edgeseg:0",)}, r"T must be a number above 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        CacheSettings(**{"teachers": ("a.edgeseg:3",), "data": "camvid:x", **change})  # type: ignore[arg-type]
