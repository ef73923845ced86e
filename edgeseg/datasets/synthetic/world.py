"""One drive's world: the road, what stands along it, what moves on it, and the light."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets.synthetic import classes, textures
from edgeseg.datasets.synthetic.light import Color, Floats, Light, sample_light
from edgeseg.datasets.synthetic.objects import Car, Facade, Person, Pole, Thing, Tree

VIEW_M = 95.0
"""How far things are painted; beyond stands the skyline."""

CLOTHES: tuple[Color, ...] = (
    (34, 36, 44), (54, 60, 92), (128, 36, 40), (96, 100, 104),
    (168, 164, 156), (58, 78, 58), (188, 150, 60), (120, 84, 62),
)  # fmt: skip
PAINTS: tuple[Color, ...] = (
    (186, 188, 190), (108, 110, 114), (44, 46, 50), (226, 226, 222),
    (140, 32, 30), (40, 64, 112), (70, 92, 74), (150, 128, 98),
)  # fmt: skip
PLATES: tuple[Color, ...] = ((186, 30, 34), (30, 70, 150), (206, 170, 40), (40, 110, 70))


@dataclass(frozen=True)
class Road:
    """The road's course and the ground beside it.

    Attributes:
        half_width, pavement: Metres from the centre line to the kerb, and of each pavement.
        bend_m, bend_length_m, bend_phase: The centre line swings by ``bend_m`` over ``bend_length_m``.
        color, pavement_color, verge_color: RGB.
        verge: Train id of the ground beyond the pavement.
        crossings: Metres along the road of zebra crossings.
        edge_lines: Whether the kerb side is marked.
        parking: Whether cars stand along the left and the right kerb.
        grain: Tileable noise (256, 256) float32.
    """

    half_width: float
    pavement: float
    bend_m: float
    bend_length_m: float
    bend_phase: float
    color: Color
    pavement_color: Color
    verge_color: Color
    verge: int
    crossings: tuple[float, ...]
    edge_lines: bool
    parking: tuple[bool, bool]
    grain: Floats

    def center(self, s: Floats | float) -> NDArray[np.float64]:
        """Sideways metres of the centre line at ``s`` metres along."""
        return np.asarray(self.bend_m * np.sin(2 * np.pi * np.asarray(s) / self.bend_length_m + self.bend_phase))

    def lane(self, side: int) -> float:
        """Metres from the centre line to the middle of the lane on a side (-1 left, 1 right)."""
        return (self.half_width - (2.1 if self.parking[side > 0] else 0.3)) / 2

    def slope(self, s: float) -> float:
        """Derivative of ``center``."""
        turn = 2 * np.pi / self.bend_length_m
        return float(self.bend_m * turn * np.cos(turn * s + self.bend_phase))


@dataclass(frozen=True)
class World:
    """Everything of one drive.

    Attributes:
        layers: Things from the outermost to those nearest the road; a later layer covers an earlier one.
        skyline: Heights in metres of what stands far away, and its train id.
        pace: Metres a frame that the vehicle drives.
        lane: Metres right of the centre line where it drives.
        shadows: Ground rectangles in the shade, (s0, s1, x0, x1) in metres.
    """

    road: Road
    light: Light
    layers: tuple[tuple[Thing, ...], ...]
    skyline: Floats
    skyline_id: int
    clouds: Floats
    pace: float
    lane: float
    focal_share: float
    camera_m: float
    shadows: tuple[tuple[float, float, float, float], ...]


def sample_world(rng: np.random.Generator, frames: int) -> World:
    """Draws a drive of ``frames`` frames."""
    light, road = sample_light(rng), _sample_road(rng)
    pace = rng.uniform(0.7, 1.7)
    reach = pace * frames + VIEW_M
    sides = [_Side(rng, road, side, reach) for side in (-1, 1)]
    backdrop = [thing for side in sides for thing in side.backdrop()]
    return World(
        road=road,
        light=light,
        layers=(
            tuple(backdrop),
            tuple(thing for side in sides for thing in side.fences()),
            (*(thing for side in sides for thing in side.street()), *_traffic(rng, road, reach)),
        ),
        skyline=4.0 + 3.0 * np.abs(textures.noise(rng, 4, 512, 64)[0]) * rng.uniform(0.5, 1.8),
        skyline_id=int(rng.choice([classes.TREE, classes.BUILDING])),
        clouds=textures.clouds(rng),
        pace=pace,
        lane=road.lane(1) + rng.uniform(-0.3, 0.2),
        focal_share=rng.uniform(0.72, 0.86),
        camera_m=rng.uniform(1.25, 1.6),
        shadows=tuple(_shadows(rng, light, backdrop)),
    )


def _sample_road(rng: np.random.Generator) -> Road:
    grey, pale = rng.uniform(72, 122), rng.uniform(112, 178)
    warm = rng.uniform(-6, 8)
    reddish = rng.random() < 0.25
    grass = rng.random() < 0.55
    parking = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    return Road(
        half_width=rng.uniform(4.9, 5.6) if any(parking) else rng.uniform(3.3, 4.6),
        pavement=rng.uniform(1.7, 3.2),
        bend_m=rng.uniform(0, 7),
        bend_length_m=rng.uniform(140, 320),
        bend_phase=rng.uniform(0, 2 * np.pi),
        color=(grey + warm, grey, grey - warm / 2),
        pavement_color=(pale + (26 if reddish else 2), pale - (8 if reddish else 2), pale - (16 if reddish else 8)),
        verge_color=(88, 112, 58) if grass else (pale - 10, pale - 12, pale - 18),
        verge=classes.TREE if grass else classes.PAVEMENT,
        crossings=tuple(rng.uniform(10, 120, rng.integers(0, 3))),
        edge_lines=bool(rng.random() < 0.6),
        parking=parking,
        grain=textures.noise(rng, 256, 256, 32),
    )


class _Side:
    """One side of the road: -1 left, 1 right."""

    def __init__(self, rng: np.random.Generator, road: Road, side: int, reach: float) -> None:
        self.rng, self.side, self.reach = rng, side, reach
        self.kerb = road.half_width
        self.parking = road.parking[side > 0]
        self.edge = road.half_width + road.pavement
        self.built_up = rng.uniform(0.25, 0.95)
        self.autumn = rng.uniform(0, 0.8) if rng.random() < 0.35 else 0.0

    def backdrop(self) -> Iterator[Thing]:
        """Houses, and gardens with trees between them."""
        rng, s = self.rng, self.rng.uniform(-8, 0)
        while s < self.reach:
            length = rng.uniform(7, 20)
            setback = self.edge + rng.choice([0.2, 0.8, 3.5], p=[0.45, 0.3, 0.25])
            if rng.random() < self.built_up:
                yield self._house(s, length, setback)
            else:
                yield from self._trees(s, length, setback)
            s += length + rng.choice([0.0, 0.0, 2.5])

    def _house(self, s: float, length: float, setback: float) -> Facade:
        rng = self.rng
        height, depth = rng.uniform(4.5, 14), rng.uniform(5, 11)
        color = textures.WALLS[rng.integers(len(textures.WALLS))]
        picture = textures.facade(rng, length, height, color)
        front = textures.facade(rng, depth, height, color)
        return Facade(s, self.side * setback, length, depth, height, self.side, picture, front)

    def _trees(self, s: float, length: float, setback: float) -> Iterator[Tree]:
        for step in np.arange(s, s + length, self.rng.uniform(2.0, 4.5)):
            yield self._tree(float(step), self.side * (setback + self.rng.uniform(0.5, 4)), self.rng.uniform(2.5, 6))

    def _tree(self, s: float, x: float, width: float) -> Tree:
        trunk = 0.0 if self.rng.random() < 0.3 else self.rng.uniform(1.2, 2.6)
        height = width * self.rng.uniform(0.8, 1.3)
        return Tree(s, x, trunk, width, height, textures.crown(self.rng, self.autumn))

    def fences(self) -> Iterator[Thing]:
        """Fences along the back of the pavement, in short stretches."""
        rng, s = self.rng, self.rng.uniform(0, 20)
        while s < self.reach:
            kind, height, stretch = str(rng.choice(["wood", "metal", "mesh"])), rng.uniform(0.9, 1.7), 3.0
            picture = textures.fence(rng, stretch, height, kind)
            for _ in range(int(rng.integers(2, 7))):
                x = self.side * (self.edge + 0.05)
                yield Facade(s, x, stretch, 0.0, height, self.side, picture, picture, classes.FENCE)
                s += stretch
            s += rng.uniform(10, 40)

    def street(self) -> Iterator[Thing]:
        """What stands and walks between kerb and wall, and cars parked at the kerb."""
        rng, side = self.rng, self.side
        every, grey = rng.uniform(14, 26), float(rng.uniform(70, 150))
        for s in np.arange(rng.uniform(0, every), self.reach, every):
            yield Pole(float(s), side * (self.kerb + 0.4), rng.uniform(5, 8), (grey, grey, grey - 4), "lamp")
        for s in _spread(rng, self.reach, 17):
            carries = rng.choice(["disc", "triangle", "board", "light", "nothing"], p=[0.25, 0.2, 0.25, 0.15, 0.15])
            plate = PLATES[rng.integers(len(PLATES))]
            yield Pole(s, side * (self.kerb + 0.5), rng.uniform(2.1, 2.9), (128, 130, 132), carries, plate)
        for s in _spread(rng, self.reach, rng.uniform(8, 30)):
            yield self._tree(s, side * (self.kerb + rng.uniform(0.7, 1.4)), rng.uniform(1.4, 3.0))
        for s in _spread(rng, self.reach, rng.uniform(6, 26)):
            yield _person(rng, s, side * rng.uniform(self.kerb + 0.5, self.edge - 0.2), cycling=False)
        if self.parking:
            for s in _spread(rng, self.reach, rng.uniform(8, 30)):
                yield _car(rng, s, side * (self.kerb - 1.0), 0.0, away=bool(rng.random() < (0.9 if side > 0 else 0.2)))


def _traffic(rng: np.random.Generator, road: Road, reach: float) -> Iterator[Thing]:
    for s in _spread(rng, 2 * reach, 34):
        yield _car(rng, s + 10, -road.lane(-1), -rng.uniform(0.5, 1.2), away=False)
    if rng.random() < 0.7:
        yield _car(rng, rng.uniform(10, 28), road.lane(1), rng.uniform(0.9, 1.5), away=True)
    for s in _spread(rng, reach, 24):
        side = int(rng.choice([-1, 1]))
        kerbside = 2.4 if road.parking[side > 0] else 0.7
        yield _person(rng, s + 5, side * (road.half_width - kerbside), cycling=True)


def _spread(rng: np.random.Generator, reach: float, every: float) -> Iterator[float]:
    s = rng.uniform(0, every)
    while s < reach:
        yield float(s)
        s += max(5.0, rng.exponential(every))


def _car(rng: np.random.Generator, s: float, x: float, speed: float, away: bool) -> Car:
    kind = rng.choice(["car", "van", "bus"], p=[0.74, 0.2, 0.06])
    length, width, body, cabin = {
        "car": (rng.uniform(3.7, 4.7), 1.75, 0.85, 0.6),
        "van": (rng.uniform(4.8, 6.0), 1.95, rng.uniform(1.8, 2.4), 0.0),
        "bus": (9.5, 2.4, 2.9, 0.0),
    }[str(kind)]
    color = PAINTS[rng.integers(len(PAINTS))]
    return Car(s, x, length, width, body, cabin, color, speed, away)


def _person(rng: np.random.Generator, s: float, x: float, cycling: bool) -> Person:
    shirt, trousers = CLOTHES[rng.integers(len(CLOTHES))], CLOTHES[rng.integers(len(CLOTHES))]
    tone = rng.uniform(0.45, 1.0)
    skin = (224 * tone, 178 * tone, 148 * tone)
    speed = rng.uniform(0.2, 0.5) * (np.sign(x) if cycling else rng.choice([-0.25, 0.25]))
    phase = rng.uniform(0, 2 * np.pi)
    return Person(s, x, float(speed), rng.uniform(1.5, 1.9), shirt, trousers, skin, phase, cycling)


def _shadows(
    rng: np.random.Generator, light: Light, backdrop: list[Thing]
) -> Iterator[tuple[float, float, float, float]]:
    if light.sun < 0.3:
        return
    fall = rng.uniform(0.25, 0.8)
    for thing in backdrop:
        toward = -np.sign(thing.x)
        if isinstance(thing, Facade) and toward * light.sun_side < 0:
            reach = thing.x + toward * fall * thing.height
            yield thing.s, thing.s + thing.length, min(thing.x, reach), max(thing.x, reach)
