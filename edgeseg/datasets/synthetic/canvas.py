"""A canvas that paints colours and labels together, from far to near, with haze by distance."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets.synthetic.light import Color, Floats, Light, vector

_SUBPIXEL_BITS = 4
_FAR_OFF = 20_000.0
"""Coordinates are kept below this, since OpenCV draws in 32-bit fixed point."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera above the road, looking along it.

    Attributes:
        focal: Focal length in pixels.
        center: Image column of the optical axis.
        horizon: Image row of the horizon.
        height_m: Height above the ground.
    """

    focal: float
    center: float
    horizon: float
    height_m: float

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """(column, row) of a point: metres to the right, above the ground, ahead (> 0)."""
        return self.center + self.focal * x / z, self.horizon + self.focal * (self.height_m - y) / z


class Canvas:
    """The picture in the making.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        label: (H, W) uint8 train ids.
    """

    def __init__(self, height: int, width: int, camera: Camera, light: Light) -> None:
        self.image: NDArray[np.uint8] = np.zeros((height, width, 3), np.uint8)
        self.label: NDArray[np.uint8] = np.zeros((height, width), np.uint8)
        self.camera = camera
        self.light = light

    def clarity(self, z: float | Floats) -> Floats:
        """Share of a colour that is left at distance z in metres."""
        return np.asarray(np.exp(-np.asarray(z, np.float32) / self.light.haze_m))

    def hazed(self, color: Color, z: float) -> Color:
        """A colour as seen from distance z."""
        left = float(self.clarity(z))
        red, green, blue = (left * c + (1 - left) * h for c, h in zip(color, self.light.sky_low, strict=True))
        return red, green, blue

    def polygon(self, points: list[tuple[float, float]], color: Color, train_id: int, z: float) -> None:
        """Fills a polygon of (column, row) points."""
        fixed = [_fixed(points)]
        cv2.fillPoly(self.image, fixed, self.hazed(color, z), cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.fillPoly(self.label, fixed, train_id, cv2.LINE_8, _SUBPIXEL_BITS)

    def line(self, points: list[tuple[float, float]], width: float, color: Color, train_id: int, z: float) -> None:
        """Draws an open polyline ``width`` pixels wide."""
        fixed, thickness = [_fixed(points)], max(1, round(width))
        cv2.polylines(self.image, fixed, False, self.hazed(color, z), thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.polylines(self.label, fixed, False, train_id, thickness, cv2.LINE_8, _SUBPIXEL_BITS)

    def ellipse(
        self, center: tuple[float, float], axes: tuple[float, float], color: Color, train_id: int, z: float
    ) -> None:
        """Fills an upright ellipse with half axes (columns, rows)."""
        turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        around = [(center[0] + axes[0] * np.cos(t), center[1] + axes[1] * np.sin(t)) for t in turn]
        self.polygon(around, color, train_id, z)

    def texture(
        self, texture: NDArray[np.uint8], quad: list[tuple[float, float]], train_id: int, z: float, lit: Color
    ) -> None:
        """Sets a picture (h, w, 3) into a quadrilateral: top left, top right, bottom right, bottom left."""
        corners = np.clip(np.asarray(quad, np.float32), -_FAR_OFF, _FAR_OFF)
        box = self._box(corners)
        if box is None:
            return
        left, top, right, bottom = box
        texture = _shrunk(texture, corners)
        h, w = texture.shape[:2]
        origin = vector([left, top])
        matrix = cv2.getPerspectiveTransform(vector([[0, 0], [w, 0], [w, h], [0, h]]), corners - origin)
        size = (right - left, bottom - top)
        warped = cv2.warpPerspective(texture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillPoly(mask, [_fixed([tuple(p) for p in corners - origin])], 255, cv2.LINE_8, _SUBPIXEL_BITS)
        self._blend(warped.astype(np.float32) * vector(lit), mask, box, train_id, z)

    def sprite(
        self, sprite: NDArray[np.uint8], box_px: tuple[float, float, float, float], train_id: int, z: float, lit: Color
    ) -> None:
        """Sets an upright picture with alpha (h, w, 4) into left, top, right, bottom."""
        left, top, right, bottom = box_px
        corners = vector([[left, top], [right, bottom]])
        box = self._box(corners)
        if box is None or right - left < 0.5 or bottom - top < 0.5:
            return
        sprite = _shrunk(sprite, vector([[left, top], [right, top], [right, bottom], [left, bottom]]))
        h, w = sprite.shape[:2]
        matrix = vector([[(right - left) / w, 0, left - box[0]], [0, (bottom - top) / h, top - box[1]]])
        warped = cv2.warpAffine(sprite, matrix, (box[2] - box[0], box[3] - box[1]), flags=cv2.INTER_LINEAR)
        mask = np.where(warped[:, :, 3] > 127, 255, 0).astype(np.uint8)
        self._blend(warped[:, :, :3].astype(np.float32) * vector(lit), mask, box, train_id, z)

    def _box(self, corners: Floats) -> tuple[int, int, int, int] | None:
        height, width = self.label.shape
        low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int) + 1
        left, top, right, bottom = max(0, low[0]), max(0, low[1]), min(width, high[0]), min(height, high[1])
        return (int(left), int(top), int(right), int(bottom)) if right > left and bottom > top else None

    def _blend(
        self,
        color: Floats,
        mask: NDArray[np.uint8],
        box: tuple[int, int, int, int],
        train_id: int,
        z: float,
    ) -> None:
        left, top, right, bottom = box
        inside = mask > 0
        clear = self.clarity(z)
        seen = color * clear + vector(self.light.sky_low) * (1 - clear)
        self.image[top:bottom, left:right][inside] = np.clip(seen, 0, 255)[inside].astype(np.uint8)
        self.label[top:bottom, left:right][inside] = train_id


def _fixed(points: list[tuple[float, float]]) -> NDArray[np.int32]:
    clipped = np.clip(np.asarray(points, np.float64), -_FAR_OFF, _FAR_OFF)
    return np.rint(clipped * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def _shrunk(texture: NDArray[np.uint8], corners: Floats) -> NDArray[np.uint8]:
    """Reduces a texture to about its size on the canvas, so that far ones do not shimmer."""
    width = max(np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[3]))
    height = max(np.linalg.norm(corners[3] - corners[0]), np.linalg.norm(corners[2] - corners[1]))
    h, w = texture.shape[:2]
    size = max(2, min(w, int(width) + 1)), max(2, min(h, int(height) + 1))
    if size == (w, h):
        return texture
    return np.asarray(cv2.resize(texture, size, interpolation=cv2.INTER_AREA), np.uint8)
