from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.errors import MissingDependencyError, OutputError
from edgeseg.report.panels import Panel, write_panels

PANELS = [
    Panel("rate", [0.001, 0.01, 0.1], [0.5, 0.6, 0.4], [0.01, 0.0, 0.02], log=True),
    Panel("kind", ["sgd", "adamw", "sgd"], [0.5, 0.6, 0.4], [0.0, 0.0, 0.0]),
]


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (7, 3, 3)])
def test_panels_stand_in_rows_of_three(tmp_path: Path, count: int, columns: int, rows: int) -> None:
    write_panels(tmp_path / "a.png", (PANELS * 4)[:count], "mIoU", "title")
    height, width = cv2.imread(str(tmp_path / "a.png")).shape[:2]
    assert width == pytest.approx(3.4 * 144 * columns, abs=2)
    assert height == pytest.approx((3.0 * rows + 0.4) * 144, abs=2)


def test_best_point_stands_out_once_a_panel(tmp_path: Path) -> None:
    write_panels(tmp_path / "a.png", PANELS, "mIoU", "title")
    image = cv2.imread(str(tmp_path / "a.png"))
    marked = (np.abs(image.astype(int) - [0x2A, 0x60, 0xD8]).max(axis=2) < 3).astype(np.uint8)
    assert cv2.connectedComponents(marked)[0] - 1 == 2


def test_same_panels_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_panels(tmp_path / name, PANELS, "mIoU", "title")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_panels(tmp_path / "file" / "a.png", PANELS, "mIoU", "title")


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'edgeseg\[report\]'"):
        write_panels(tmp_path / "a.png", PANELS, "mIoU", "title")
