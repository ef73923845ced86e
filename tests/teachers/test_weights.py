from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.errors import ConfigError
from edgeseg.teachers.weights import equal_weights, iou_weights, read_weights

CLASS_MAP = ClassMap("two", tuple(SegmentationClass(n, (0, 0, 0), (k,)) for k, n in enumerate(("road", "sky"))))


def test_iou_weights_closed_form() -> None:
    counts = np.array([[[6, 2, 0], [1, 1, 0], [0, 0, 0]], [[8, 0, 0], [2, 0, 0], [0, 0, 0]]])
    weights = iou_weights(counts)
    np.testing.assert_allclose(weights, [[6 / 9, 1 / 4, 0], [8 / 10, 0, 0]])


def test_equal_weights_have_a_row_a_teacher() -> None:
    assert equal_weights(2, 3) == ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("name", ["w.yaml", "w.json"])
def test_weights_are_read_by_class_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        json.dumps({"frames": 3, "class_weights": [{"sky": 0.5, "road": 1}, {"road": 0, "sky": 2}]})
    )
    assert read_weights(tmp_path / name, 2, CLASS_MAP) == ((1.0, 0.5), (0.0, 2.0))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({}, r"must hold class_weights, a list of 1 mappings"),
        ({"class_weights": [{"road": 1, "sky": 1}] * 2}, r"a list of 1 mappings"),
        ({"class_weights": [{"road": 1, "moon": 1}]}, r"teacher 1 lack \['sky'\] and name unknown \['moon'\]"),
        ({"class_weights": [{"road": 1, "sky": -1}]}, r"numbers of at least 0"),
        ({"class_weights": [{"road": "much", "sky": 1}]}, r"numbers of at least 0"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, content: dict[str, Any], what: str) -> None:
    (tmp_path / "w.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=what):
        read_weights(tmp_path / "w.json", 1, CLASS_MAP)
