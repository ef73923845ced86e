"""Remapping of class maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.errors import ConfigError
from edgeseg.remap import load_table, remap_matrix

CITYSCAPES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
CAMVID = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
)  # fmt: skip


def class_map(name: str, names: tuple[str, ...]) -> ClassMap:
    return ClassMap(name, tuple(SegmentationClass(n, (i, i, i), (i,)) for i, n in enumerate(names)))


def test_matrix_shipped_table_sums_cityscapes_into_camvid() -> None:
    matrix = remap_matrix(class_map("cityscapes", CITYSCAPES), class_map("camvid", CAMVID), None)
    into = [CAMVID[column] for column in matrix.argmax(1)]
    assert into == [
        "road", "pavement", "building", "building", "fence", "pole", "sign", "sign", "tree", "tree",
        "sky", "pedestrian", "bicyclist", "car", "car", "car", "car", "bicyclist", "bicyclist",
    ]  # fmt: skip
    assert matrix.shape == (19, 11) and matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix.sum(1), 1)


def test_matrix_probabilities_are_summed() -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(19), size=5).astype(np.float32)
    mapped = probs @ remap_matrix(class_map("cityscapes", CITYSCAPES), class_map("camvid", CAMVID))
    np.testing.assert_allclose(mapped.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(mapped[:, CAMVID.index("car")], probs[:, 13:17].sum(1), rtol=1e-6)


def test_matrix_identical_names_in_another_order_is_a_permutation() -> None:
    matrix = remap_matrix(class_map("a", ("x", "y", "z")), class_map("b", ("z", "x", "y")))
    np.testing.assert_array_equal(matrix, [[0, 1, 0], [0, 0, 1], [1, 0, 0]])


def test_matrix_null_drops_a_class() -> None:
    matrix = remap_matrix(class_map("a", ("x", "y")), class_map("b", ("x",)), {"x": "x", "y": None})
    np.testing.assert_array_equal(matrix, [[1], [0]])


def test_matrix_unmapped_classes_are_listed() -> None:
    with pytest.raises(ConfigError, match=r"without a class in 'b': tram, mast; give a table"):
        remap_matrix(class_map("a", ("road", "tram", "mast")), class_map("b", ("road", "car")))


def test_matrix_classes_missing_from_the_users_table_are_listed() -> None:
    with pytest.raises(ConfigError, match="without a class in 'b': y;"):
        remap_matrix(class_map("a", ("x", "y")), class_map("b", ("x", "y")), {"x": "x"})


def test_matrix_unknown_target_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'b' does not have: lorry; it has car"):
        remap_matrix(class_map("a", ("x",)), class_map("b", ("car",)), {"x": "lorry"})


def test_matrix_dropping_everything_is_refused() -> None:
    with pytest.raises(ConfigError, match="drops every class"):
        remap_matrix(class_map("a", ("x",)), class_map("b", ("car",)), {"x": None})


def test_table_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    path.write_text("x: car\ny: null\n")
    assert load_table(path) == {"x": "car", "y": None}


def test_table_file_with_a_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.yaml"
    path.write_text("x: 3\n")
    with pytest.raises(ConfigError, match=r"table.yaml: each entry must be .* got 'x': 3"):
        load_table(path)
