"""What stands or moves along the road, each able to paint itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets.synthetic import classes
from edgeseg.datasets.synthetic.canvas import Canvas
from edgeseg.datasets.synthetic.light import Color

NEAR_M = 1.2
"""Nothing nearer than this is painted."""
_DARK: Color = (38, 38, 42)
_GLASS: Color = (58, 68, 80)


class Thing(Protocol):
    """Something with a place along the road.

    Attributes:
        s: Metres along the road where it starts, at time 0.
        x: Metres to the right of the road's centre line.
        speed: Metres a frame along the road.
        length: Metres along the road.
    """

    @property
    def s(self) -> float: ...  # noqa: D102
    @property
    def x(self) -> float: ...  # noqa: D102
    @property
    def speed(self) -> float: ...  # noqa: D102
    @property
    def length(self) -> float: ...  # noqa: D102

    def paint(self, canvas: Canvas, near: tuple[float, float], far: tuple[float, float], time: int) -> None:
        """Paints itself.

        Args:
            canvas: Where.
            near: (x, z) in metres of its near end in the camera's frame.
            far: (x, z) of its far end.
            time: Frame number in the drive.
        """


@dataclass(frozen=True)
class Facade:
    """A building: one textured side along the road, one front across it. ``side`` is -1 left of the road, 1 right."""

    s: float
    x: float
    length: float
    depth: float
    height: float
    side: int
    picture: NDArray[np.uint8]
    front: NDArray[np.uint8]
    train_id: int = classes.BUILDING
    speed: float = 0.0

    def paint(self, canvas: Canvas, near: tuple[float, float], far: tuple[float, float], time: int) -> None:
        """See ``Thing``."""
        project = canvas.camera.project
        (x0, z0), (x1, z1) = near, far
        corners = [project(x0, self.height, z0), project(x0, 0, z0), project(x1, self.height, z1), project(x1, 0, z1)]
        white = (1.0, 1.0, 1.0)
        if self.depth > 0:
            outer = project(x0 + self.side * self.depth, self.height, z0), project(x0 + self.side * self.depth, 0, z0)
            quad = [corners[0], outer[0], outer[1], corners[1]]
            canvas.texture(self.front, _left_first(quad), self.train_id, z0, canvas.light.shade(white, 0))
        quad = [corners[0], corners[2], corners[3], corners[1]]
        lit = canvas.light.shade(white, -self.side)
        picture = self._beyond_near_end((z1 - z0) / self.length)
        canvas.texture(picture, _left_first(quad), self.train_id, (z0 + min(z1, z0 * 3)) / 2, lit)

    def _beyond_near_end(self, share: float) -> NDArray[np.uint8]:
        """The part of the side's picture that is still ahead of the camera."""
        columns = self.picture.shape[1]
        keep = min(columns, max(1, round(share * columns)))
        return self.picture[:, columns - keep :] if self.side < 0 else self.picture[:, :keep]


@dataclass(frozen=True)
class Tree:
    """A trunk below a crown, or a bush where ``trunk`` is 0."""

    s: float
    x: float
    trunk: float
    crown_width: float
    crown_height: float
    picture: NDArray[np.uint8]
    length: float = 0.1
    speed: float = 0.0

    def paint(self, canvas: Canvas, near: tuple[float, float], far: tuple[float, float], time: int) -> None:
        """See ``Thing``."""
        x, z = near
        project = canvas.camera.project
        if self.trunk > 0:
            half = 0.16
            stem = [project(x - half, 0, z), project(x - half, self.trunk + 0.8, z)]
            stem += [project(x + half, self.trunk + 0.8, z), project(x + half, 0, z)]
            canvas.polygon(stem, canvas.light.shade((86, 68, 52), 0), classes.TREE, z)
        left, top = project(x - self.crown_width / 2, self.trunk + self.crown_height, z)
        right, bottom = project(x + self.crown_width / 2, self.trunk, z)
        lit = canvas.light.shade((1.0, 1.0, 1.0), 0)
        canvas.sprite(self.picture, (left, top, right, bottom), classes.TREE, z, lit)


@dataclass(frozen=True)
class Pole:
    """A mast that may carry a lamp arm, a sign plate or a traffic light."""

    s: float
    x: float
    height: float
    color: Color
    carries: Literal["nothing", "lamp", "disc", "triangle", "board", "light"]
    plate: Color = (0, 0, 0)
    length: float = 0.1
    speed: float = 0.0

    def paint(self, canvas: Canvas, near: tuple[float, float], far: tuple[float, float], time: int) -> None:
        """See ``Thing``."""
        x, z = near
        project, scale = canvas.camera.project, canvas.camera.focal / z
        color = canvas.light.shade(self.color, 0)
        wide = 0.2 if self.carries == "lamp" else 0.13
        canvas.line([project(x, 0, z), project(x, self.height, z)], wide * scale, color, classes.POLE, z)
        if self.carries == "lamp":
            arm = [project(x, self.height, z), project(x - np.sign(x) * 1.6, self.height + 0.25, z)]
            canvas.line(arm, 0.14 * scale, color, classes.POLE, z)
        elif self.carries != "nothing":
            self._plate(canvas, x, z, scale)

    def _plate(self, canvas: Canvas, x: float, z: float, scale: float) -> None:
        column, row = canvas.camera.project(x, self.height, z)
        plate, white = canvas.light.shade(self.plate, 0), canvas.light.shade((232, 232, 228), 0)
        if self.carries == "disc":
            canvas.ellipse((column, row), (0.36 * scale, 0.36 * scale), plate, classes.SIGN, z)
            canvas.ellipse((column, row), (0.24 * scale, 0.24 * scale), white, classes.SIGN, z)
        elif self.carries == "triangle":
            canvas.polygon(_triangle(column, row, 0.48 * scale), plate, classes.SIGN, z)
            canvas.polygon(_triangle(column, row, 0.28 * scale), white, classes.SIGN, z)
        elif self.carries == "board":
            canvas.polygon(_rectangle(column, row, 0.55 * scale, 0.4 * scale), white, classes.SIGN, z)
            canvas.polygon(_rectangle(column, row, 0.5 * scale, 0.35 * scale), plate, classes.SIGN, z)
        else:
            canvas.polygon(_rectangle(column, row, 0.2 * scale, 0.5 * scale), _DARK, classes.SIGN, z)
            lamps: tuple[Color, ...] = ((230, 50, 40), (90, 70, 20), (30, 70, 40))
            for place, lamp in zip((-0.3, 0.0, 0.3), lamps, strict=True):
                canvas.ellipse((column, row + place * scale), (0.1 * scale, 0.1 * scale), lamp, classes.SIGN, z)


@dataclass(frozen=True)
class Car:
    """A car, van or bus: a body, a cabin upon it, wheels, glass, lamps. ``away`` when its rear faces the camera."""

    s: float
    x: float
    length: float
    width: float
    body: float
    cabin: float
    color: Color
    speed: float
    away: bool

    def paint(self, canvas: Canvas, near: tuple[float, float], far: tuple[float, float], time: int) -> None:
        """See ``Thing``."""
        (x0, z0), (x1, z1) = near, far
        half, skew = self.width / 2, (x1 - x0) / max(z1 - z0, 0.1)
        self._shadow(canvas, x0, z0, x1, z1)
        self._box(canvas, (x0, z0, x1, z1), half, 0.28, self.body, self.color)
        if self.cabin > 0:
            rear, front = (0.08, 0.72) if self.away else (0.28, 0.92)
            inset = x0 + skew * rear * self.length, z0 + rear * self.length
            outset = x0 + skew * front * self.length, z0 + front * self.length
            self._box(canvas, (*inset, *outset), half * 0.84, self.body, self.body + self.cabin, _GLASS)
            roof = self.body + self.cabin
            self._face(canvas, inset[0], inset[1], half * 0.84, roof - 0.12, roof, self.color, 0)
        else:
            self._face(canvas, x0, z0 - 0.01, half * 0.88, self.body * 0.58, self.body * 0.9, _GLASS, 0)
        self._lamps(canvas, x0, z0, half)

    def _box(
        self,
        canvas: Canvas,
        ends: tuple[float, float, float, float],
        half: float,
        low: float,
        high: float,
        color: Color,
    ) -> None:
        x0, z0, x1, z1 = ends
        project = canvas.camera.project
        side = -1 if x0 > 0 else 1
        edge0, edge1 = x0 + side * half, x1 + side * half
        flank = [project(edge0, low, z0), project(edge0, high, z0), project(edge1, high, z1), project(edge1, low, z1)]
        canvas.polygon(flank, canvas.light.shade(color, side), classes.CAR, z0)
        if high < canvas.camera.height_m:
            top = [project(x0 - half, high, z0), project(x0 + half, high, z0)]
            top += [project(x1 + half, high, z1), project(x1 - half, high, z1)]
            bright = min(255.0, color[0] * 1.15), min(255.0, color[1] * 1.15), min(255.0, color[2] * 1.15)
            canvas.polygon(top, canvas.light.shade(bright, 0), classes.CAR, z0)
        self._face(canvas, x0, z0, half, low, high, color, 0)

    def _face(
        self, canvas: Canvas, x: float, z: float, half: float, low: float, high: float, color: Color, facing: float
    ) -> None:
        project = canvas.camera.project
        quad = [project(x - half, low, z), project(x - half, high, z), project(x + half, high, z)]
        quad.append(project(x + half, low, z))
        canvas.polygon(quad, canvas.light.shade(color, facing), classes.CAR, z)

    def _shadow(self, canvas: Canvas, x0: float, z0: float, x1: float, z1: float) -> None:
        project, half = canvas.camera.project, self.width / 2 * 0.94
        # Between the wheels it is dark down to the ground: annotators count that as the car.
        quad = [project(x0 - half, 0, z0), project(x0 - half, 0.5, z0), project(x0 + half, 0.5, z0)]
        quad.append(project(x0 + half, 0, z0))
        canvas.polygon(quad, (26, 26, 28), classes.CAR, z0)
        side = -1 if x0 > 0 else 1
        for share in (0.18, 0.8):
            z = z0 + share * (z1 - z0)
            x = x0 + share * (x1 - x0) + side * half
            center, scale = project(x, 0.32, z), canvas.camera.focal / z
            canvas.ellipse(center, (0.32 * scale * abs(x) / z + 1, 0.32 * scale), _DARK, classes.CAR, z0)

    def _lamps(self, canvas: Canvas, x: float, z: float, half: float) -> None:
        lamp: Color = (190, 26, 22) if self.away else (246, 240, 214)
        scale = canvas.camera.focal / z
        for place in (-0.8, 0.8):
            center = canvas.camera.project(x + place * half, 0.28 + 0.6 * (min(self.body, 1.1) - 0.28), z)
            canvas.ellipse(center, (0.14 * scale, 0.09 * scale), lamp, classes.CAR, z)


@dataclass(frozen=True)
class Person:
    """A walking person, or a cyclist where ``cycling`` is set (seen from behind or ahead)."""

    s: float
    x: float
    speed: float
    height: float
    shirt: Color
    trousers: Color
    skin: Color
    phase: float
    cycling: bool = False
    length: float = 0.3

    def paint(self, canvas: Canvas, near: tuple[float, float], far: tuple[float, float], time: int) -> None:
        """See ``Thing``."""
        x, z = near
        scale = canvas.camera.focal / z
        swing = float(np.sin(self.phase + 1.1 * time))
        train_id = classes.BICYCLIST if self.cycling else classes.PEDESTRIAN
        lift = 0.36 if self.cycling else 0.0
        hip, shoulder = 0.48 * self.height + lift, 0.82 * self.height + lift
        if self.cycling:
            self._bicycle(canvas, x, z, scale)
        self._legs(canvas, x, z, scale, hip, lift, swing, train_id)
        shirt = canvas.light.shade(self.shirt, 0)
        torso = [(-0.17, hip - 0.06), (-0.24, shoulder), (0.24, shoulder), (0.17, hip - 0.06)]
        canvas.polygon([canvas.camera.project(x + dx, y, z) for dx, y in torso], shirt, train_id, z)
        for side in (-1, 1):
            hand = (x + side * 0.3, hip + 0.3) if self.cycling else (x + side * 0.29 + 0.05 * swing, hip)
            arm = [canvas.camera.project(x + side * 0.24, shoulder - 0.05, z), canvas.camera.project(*hand, z)]
            canvas.line(arm, 0.11 * scale, shirt, train_id, z)
        head = canvas.camera.project(x, 0.92 * self.height + lift, z)
        canvas.ellipse(head, (0.115 * scale, 0.15 * scale), canvas.light.shade(self.skin, 0), train_id, z)
        cap: Color = (206, 204, 60) if self.cycling else _DARK
        hair = canvas.camera.project(x, 0.96 * self.height + lift, z)
        canvas.ellipse(hair, (0.13 * scale, 0.09 * scale), canvas.light.shade(cap, 0), train_id, z)

    def _legs(
        self,
        canvas: Canvas,
        x: float,
        z: float,
        scale: float,
        hip: float,
        lift: float,
        swing: float,
        train_id: int,
    ) -> None:
        color = canvas.light.shade(self.trousers, 0)
        for side in (-1, 1):
            foot = lift + 0.18 * swing * side if self.cycling else 0.0
            step = 0.1 * side if self.cycling else 0.08 * side + 0.14 * swing * side
            leg = [canvas.camera.project(x + 0.08 * side, hip, z), canvas.camera.project(x + step, max(foot, 0.02), z)]
            canvas.line(leg, 0.17 * scale, color, train_id, z)

    def _bicycle(self, canvas: Canvas, x: float, z: float, scale: float) -> None:
        wheel = canvas.camera.project(x, 0.36, z)
        canvas.ellipse(wheel, (0.09 * scale, 0.36 * scale), _DARK, classes.BICYCLIST, z)
        bar = [canvas.camera.project(x - 0.34, 1.1, z), canvas.camera.project(x + 0.34, 1.1, z)]
        canvas.line(bar, 0.06 * scale, _DARK, classes.BICYCLIST, z)


def _left_first(quad: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return quad if quad[0][0] <= quad[1][0] else [quad[1], quad[0], quad[3], quad[2]]


def _triangle(column: float, row: float, size: float) -> list[tuple[float, float]]:
    return [(column, row - size), (column + 0.9 * size, row + 0.6 * size), (column - 0.9 * size, row + 0.6 * size)]


def _rectangle(column: float, row: float, half_width: float, half_height: float) -> list[tuple[float, float]]:
    left, right, top, bottom = column - half_width, column + half_width, row - half_height, row + half_height
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
