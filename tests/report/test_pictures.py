"""Pictures as data URIs."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from edgeseg.datasets.synthetic import CLASS_MAP
from edgeseg.report import Figure, pictures


def decoded(figure: Figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(figure.content.partition(",")[2]))).convert("RGB"))


def test_class_picture_has_the_class_maps_colors() -> None:
    label = np.arange(12, dtype=np.uint8).reshape(3, 4) % 11
    picture = decoded(pictures.class_picture(label, CLASS_MAP, "classes", enlarge=2))
    np.testing.assert_array_equal(picture[::2, ::2], CLASS_MAP.colorize(label))
    assert picture.shape == (6, 8, 3)


def test_heat_picture_is_brighter_where_the_value_is_higher() -> None:
    heat = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None], 16, 0)
    brightness = decoded(pictures.heat_picture(heat, "entropy")).mean((0, 2))
    assert brightness[2] < brightness[32] < brightness[61]


def test_region_picture_tints_the_region_alone() -> None:
    image = np.full((40, 40, 3), 100, np.uint8)
    square = np.array([[4, 4], [16, 4], [16, 16], [4, 16]], np.float32)
    picture = decoded(pictures.region_picture(image, [square], "regions")).astype(int)
    assert picture[10, 10, 0] > 120
    assert np.abs(picture[25:, 25:] - 100).max() < 8


def test_photo_keeps_the_frame() -> None:
    image = np.full((16, 24, 3), (200, 40, 90), np.uint8)
    assert np.abs(decoded(pictures.photo(image, "a frame")).astype(int) - image).max() < 6
