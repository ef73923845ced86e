"""Frames, class maps, heat maps and marked regions as pictures for the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeseg.classes import ClassMap
from edgeseg.preprocess import resize_nearest
from edgeseg.report.page import Figure

REGION_COLOR = (255, 64, 180)


def photo(image: NDArray[np.uint8], alt: str, caption: str = "", enlarge: int = 1) -> Figure:
    """A camera frame (H, W, 3) uint8 RGB as JPEG."""
    large = cv2.resize(image, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    return Figure(data_uri(np.asarray(large, np.uint8), "JPEG"), alt, caption)


def class_picture(
    label: NDArray[np.uint8], class_map: ClassMap, alt: str, caption: str = "", enlarge: int = 1
) -> Figure:
    """A label map (H, W) uint8 of train ids in the class map's colours, as PNG."""
    large = resize_nearest(label, label.shape[0] * enlarge, label.shape[1] * enlarge)
    return Figure(data_uri(class_map.colorize(large), "PNG"), alt, caption)


def heat_picture(heat: NDArray[np.floating], alt: str, caption: str = "", enlarge: int = 1) -> Figure:
    """A map (H, W) of values 0 to 1, dark to bright, as JPEG."""
    levels = np.clip(heat * 255, 0, 255).astype(np.uint8)
    painted = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[:, :, ::-1]
    return photo(np.ascontiguousarray(painted), alt, caption, enlarge)


def region_picture(
    image: NDArray[np.uint8], polygons: Sequence[NDArray[np.floating]], alt: str, caption: str = "", enlarge: int = 1
) -> Figure:
    """A frame (H, W, 3) with polygons, each (P, 2) of x, y in its pixels, outlined and tinted."""
    large = cv2.resize(image, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    corners = [np.rint(polygon * enlarge).astype(np.int32) for polygon in polygons]
    tinted = large.copy()
    cv2.fillPoly(tinted, corners, REGION_COLOR)
    mixed = cv2.addWeighted(tinted, 0.3, large, 0.7, 0)
    cv2.polylines(mixed, corners, True, REGION_COLOR, max(1, enlarge // 2), cv2.LINE_AA)
    return photo(np.asarray(mixed, np.uint8), alt, caption)


def data_uri(image: NDArray[np.uint8], form: Literal["PNG", "JPEG"]) -> str:
    """An image (H, W, 3) uint8 RGB as a data URI."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format=form, **({"quality": 85} if form == "JPEG" else {"optimize": True}))
    return f"data:image/{form.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"
