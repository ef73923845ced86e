"""Pictures that are painted once for each drive: facades, crowns, fences, noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets.synthetic.light import Color, Floats, vector

PIXELS_PER_METRE = 12

WALLS: tuple[Color, ...] = (
    (148, 84, 66), (170, 112, 84), (196, 180, 152), (176, 172, 166), (132, 130, 128),
    (214, 208, 194), (206, 178, 118), (128, 138, 126), (158, 148, 156), (110, 104, 100),
)  # fmt: skip
"""Brick, plaster, concrete; the greys are close to road and pavement on purpose."""


def noise(rng: np.random.Generator, height: int, width: int, coarsest: int) -> Floats:
    """Tileable noise (height, width) float32, mean 0 and standard deviation 1: octaves from fine to ``coarsest`` px."""
    total = np.zeros((height, width), np.float32)
    grain = 1
    while grain <= coarsest:
        shape = max(2, height // grain), max(2, width // grain)
        small = np.pad(rng.standard_normal(shape, np.float32), 1, mode="wrap")
        size = (small.shape[1] * grain, small.shape[0] * grain)
        large = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)[grain:-grain, grain:-grain]
        total += np.sqrt(np.float32(grain)) * np.resize(large, (height, width))
        grain *= 2
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-6))


def clouds(rng: np.random.Generator) -> Floats:
    """Cover of a sky (128, 256) float32, tileable sideways, without fine grain."""
    rough = noise(rng, 128, 256, 64)
    smooth = cv2.GaussianBlur(np.pad(rough, 32, mode="wrap"), (0, 0), 4)[32:-32, 32:-32]
    return np.asarray(smooth / max(float(smooth.std()), 1e-6), np.float32)


def _grained(rng: np.random.Generator, height: int, width: int, color: Color, amount: float) -> Floats:
    grain = amount * noise(rng, height, width, 8)
    return np.asarray(vector(color) + grain[:, :, None])


def _to_bytes(picture: Floats) -> NDArray[np.uint8]:
    return np.clip(picture, 0, 255).astype(np.uint8)


def facade(rng: np.random.Generator, length: float, height: float, color: Color) -> NDArray[np.uint8]:
    """A wall of ``length`` x ``height`` metres with rows of windows, (h, w, 3) uint8 RGB."""
    rows, columns = max(8, int(height * PIXELS_PER_METRE)), max(8, int(length * PIXELS_PER_METRE))
    picture = _grained(rng, rows, columns, color, 7.0)
    storey, bay = int(rng.uniform(2.7, 3.4) * PIXELS_PER_METRE), int(rng.uniform(1.8, 3.2) * PIXELS_PER_METRE)
    window_height, window_width = int(storey * rng.uniform(0.42, 0.6)), int(bay * rng.uniform(0.38, 0.66))
    frame = vector(color) * rng.choice([0.72, 1.22])
    shop = rng.random() < 0.4
    for storey_from_ground, bottom in enumerate(range(rows, storey // 2, -storey)):
        if storey_from_ground == 0 and shop:
            _shop(rng, picture, bottom, storey)
            continue
        for left in range((bay - window_width) // 2, columns - window_width, bay):
            _window(rng, picture, bottom - storey // 4, left, window_height, window_width, frame)
    band = max(2, int(rng.uniform(0.2, 0.9) * PIXELS_PER_METRE))
    picture[:band] = vector(color) * rng.choice([0.55, 0.75, 1.2]) + 6 * noise(rng, band, columns, 4)[:, :, None]
    return _to_bytes(picture)


def _window(
    rng: np.random.Generator,
    picture: Floats,
    bottom: int,
    left: int,
    height: int,
    width: int,
    frame: Floats,
) -> None:
    top = max(0, bottom - height)
    glass = rng.choice([45, 70, 105, 150], p=[0.4, 0.3, 0.2, 0.1]) * vector([0.92, 1.0, 1.12])
    if rng.random() < 0.06:
        glass = vector([226, 196, 132])
    picture[max(0, top - 2) : bottom + 2, max(0, left - 2) : left + width + 2] = frame
    picture[top:bottom, left : left + width] = glass
    picture[top:bottom, left + width // 2 : left + width // 2 + 2] = frame


def _shop(rng: np.random.Generator, picture: Floats, bottom: int, storey: int) -> None:
    top = max(0, bottom - int(0.8 * storey))
    picture[top:bottom] = vector([64, 70, 78]) + 10 * noise(rng, bottom - top, picture.shape[1], 16)[:, :, None]
    awning: list[Color] = [(150, 40, 38), (38, 66, 130), (40, 96, 62), (196, 160, 60), (90, 90, 94)]
    picture[top : top + int(0.22 * storey)] = awning[rng.integers(len(awning))]


def crown(rng: np.random.Generator, autumn: float) -> NDArray[np.uint8]:
    """A tree's crown or a bush (64, 64, 4) uint8 RGB and alpha."""
    size = 64
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    fullness = np.zeros((size, size), np.float32)
    for _ in range(7):
        turn, away, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5), rng.uniform(0.35, 0.55)
        spot = (columns - away * np.cos(turn)) ** 2 + (rows - away * np.sin(turn)) ** 2
        fullness = np.maximum(fullness, 1 - spot / radius**2)
    leaves = noise(rng, size, size, 8)
    green: Color = (74 + 90 * autumn, 104 - 8 * autumn, 50)
    shade = 1 + 0.2 * leaves - 0.25 * rows
    picture = vector(green) * shade[:, :, None] * rng.uniform(0.75, 1.15)
    alpha = np.where(fullness + 0.12 * leaves > 0.12, 255, 0).astype(np.uint8)
    # Single leaves in the air would be labels of a pixel or two, which nobody would draw.
    alpha = cv2.morphologyEx(alpha, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)).astype(np.float32)
    return _to_bytes(np.dstack([picture, alpha]))


def fence(rng: np.random.Generator, length: float, height: float, kind: str) -> NDArray[np.uint8]:
    """A stretch of fence (h, w, 3) uint8 RGB: ``wood`` planks, ``metal`` bars before dark, or ``mesh``."""
    rows, columns = int(height * 16), int(length * 16)
    if kind == "wood":
        picture = _grained(rng, rows, columns, (132, 100, 70), 8.0)
        picture[:, ::4] *= 0.62
        picture[rows // 4 : rows // 4 + 2] *= 0.8
    elif kind == "metal":
        picture = _grained(rng, rows, columns, (92, 96, 88), 9.0)
        picture[:, ::3] = (36, 40, 42)
        picture[:3] = picture[-6:-3] = (30, 34, 36)
    else:
        picture = _grained(rng, rows, columns, (140, 142, 138), 10.0)
        picture[::4] *= 0.8
        picture[:, ::4] *= 0.8
        picture[:, ::40] = (100, 104, 104)
    return _to_bytes(picture)
