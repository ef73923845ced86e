"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA_VARIABLE = "EDGESEG_TEST_DATA"
PARTS = ("data/camvid", "data/cityscapes", "data/mapillary", "pretrained", "reference/networks")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of the real data; skips where the variable is unset, fails where the folder is incomplete."""
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        pytest.skip(f"{DATA_VARIABLE} is unset: the checks on real data did not run")
    root = Path(value)
    missing = [part for part in PARTS if not (root / part).exists()]
    if missing:
        pytest.fail(f"{DATA_VARIABLE}={root} lacks {', '.join(missing)}")
    return root


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the memory of checked files out of the home of whoever runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
