"""Light, weather and the camera's own flaws: what changes a scene's look but not its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Color = tuple[float, float, float]
Floats = NDArray[np.floating[Any]]


def vector(values: Sequence[Any]) -> NDArray[np.float32]:
    """A colour, or points, as a float32 array."""
    return np.asarray(values, np.float32)


@dataclass(frozen=True)
class Light:
    """Conditions of one drive.

    Attributes:
        tint: Colour of the light, multiplies everything, 1 = white.
        ambient: Share of light that reaches every face.
        sun: Share that reaches a face turned to the sun; 0 when overcast.
        sun_side: Where the sun stands: -1 left to 1 right.
        sky_top, sky_low: RGB of the sky at the zenith and the horizon, 0 to 255.
        clouds: 0 clear to 1 covered.
        haze_m: Distance in metres at which 63 % of a colour is lost in the haze.
        rain: 0 dry to 1 heavy.
        noise: Standard deviation of the sensor noise in grey levels.
        gamma: Exponent of the camera's response.
        blur_px: Defocus, standard deviation in pixels.
    """

    tint: Color
    ambient: float
    sun: float
    sun_side: float
    sky_top: Color
    sky_low: Color
    clouds: float
    haze_m: float
    rain: float
    noise: float
    gamma: float
    blur_px: float

    def shade(self, color: Color, facing: float) -> Color:
        """Colour of a face turned ``facing`` (-1 left, 0 to the camera, 1 right)."""
        lit = self.ambient + self.sun * max(0.0, facing * self.sun_side + 0.35 * (1 - abs(facing)))
        red, green, blue = (c * t * lit for c, t in zip(color, self.tint, strict=True))
        return red, green, blue


def sample_light(rng: np.random.Generator) -> Light:
    """Draws the conditions of one drive: clear, overcast, low sun, mist or rain."""
    kind = rng.choice(["clear", "overcast", "low sun", "mist", "rain"], p=[0.34, 0.26, 0.16, 0.12, 0.12])
    top, low, tint, ambient, sun, haze = {
        "clear": ((66, 118, 196), (176, 205, 230), (1.0, 1.0, 0.97), 0.72, 0.5, 260.0),
        "overcast": ((168, 174, 184), (208, 211, 214), (0.96, 0.98, 1.0), 0.92, 0.08, 180.0),
        "low sun": ((92, 120, 168), (246, 205, 150), (1.06, 0.94, 0.78), 0.58, 0.62, 150.0),
        "mist": ((190, 194, 198), (212, 214, 216), (0.97, 0.98, 1.0), 0.9, 0.05, 55.0),
        "rain": ((118, 124, 134), (158, 163, 170), (0.84, 0.88, 0.95), 0.82, 0.04, 95.0),
    }[str(kind)]
    return Light(
        tint=tint,
        ambient=ambient * rng.uniform(0.9, 1.05),
        sun=sun * rng.uniform(0.8, 1.2),
        sun_side=float(rng.choice([-1, 1]) * rng.uniform(0.4, 1.0)),
        sky_top=top,
        sky_low=low,
        clouds=float({"clear": rng.uniform(0, 0.5), "low sun": rng.uniform(0.1, 0.6)}.get(str(kind), 1.0)),
        haze_m=haze * rng.uniform(0.8, 1.25),
        rain=rng.uniform(0.4, 1.0) if kind == "rain" else 0.0,
        noise=rng.uniform(2.0, 7.0),
        gamma=rng.uniform(0.85, 1.18),
        blur_px=rng.uniform(0.0, 0.5),
    )


def finish(image: NDArray[np.uint8], light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turns the drawn scene (H, W, 3) uint8 RGB into what the camera saw: rain, defocus, response, noise."""
    height, width = image.shape[:2]
    seen = image.astype(np.float32)
    if light.rain > 0:
        seen = _rain(seen, light.rain, rng)
    if light.blur_px > 0.2:
        seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), light.blur_px), np.float32)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    seen *= (1 - 0.14 * (rows**2 + columns**2) / 2)[:, :, None]
    seen = np.float32(255) * (np.clip(seen, 0, 255) / np.float32(255)) ** np.float32(light.gamma)
    # Shot noise grows with the square root of the light, read noise does not.
    sigma = light.noise * (0.5 + 0.5 * np.sqrt(seen / 255))
    seen += sigma * rng.standard_normal(seen.shape, np.float32)
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def _rain(seen: Floats, amount: float, rng: np.random.Generator) -> Floats:
    height, width = seen.shape[:2]
    drops = np.zeros((height, width), np.uint8)
    for x, y, length in zip(
        rng.uniform(0, width, 90), rng.uniform(0, height, 90), rng.uniform(0.03, 0.09, 90) * height, strict=True
    ):
        if rng.random() < amount:
            cv2.line(drops, (int(x), int(y)), (int(x - 0.15 * length), int(y + length)), 70, 1, cv2.LINE_AA)
    veil = drops.astype(np.float32)[:, :, None] / 255
    return seen * (1 - veil) + 215 * veil
