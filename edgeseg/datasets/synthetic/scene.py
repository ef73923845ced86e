"""One frame of a drive: sky, ground, then things from far to near."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.datasets.synthetic import classes
from edgeseg.datasets.synthetic.canvas import Camera, Canvas
from edgeseg.datasets.synthetic.light import Floats, finish, vector
from edgeseg.datasets.synthetic.objects import NEAR_M, Thing
from edgeseg.datasets.synthetic.world import VIEW_M, Road, World

_OVERSAMPLING = 2
_GRAIN_PER_METRE = 14.0


def render(
    world: World, time: int, height: int, width: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Paints frame ``time`` of a drive: image (height, width, 3) uint8 RGB and label (height, width) train ids."""
    tall, wide = height * _OVERSAMPLING, width * _OVERSAMPLING
    nod = 0.006 * np.sin(0.9 * time) + 0.004 * np.sin(2.3 * time + 1)
    camera = Camera(world.focal_share * wide, wide / 2, (0.43 + nod) * tall, world.camera_m)
    canvas = Canvas(tall, wide, camera, world.light)
    along = world.pace * time
    _paint_sky(canvas, world, along)
    _paint_ground(canvas, world, along)
    for layer in world.layers:
        _paint_layer(canvas, world, layer, along, time)
    image = cv2.resize(canvas.image, (width, height), interpolation=cv2.INTER_AREA)
    label = np.ascontiguousarray(canvas.label[1::_OVERSAMPLING, 1::_OVERSAMPLING])
    return finish(np.asarray(image, np.uint8), world.light, rng), label


def _paint_sky(canvas: Canvas, world: World, along: float) -> None:
    camera, light = canvas.camera, canvas.light
    height, width = int(camera.horizon) + 3, canvas.label.shape[1]
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = vector(light.sky_top) * (1 - rows) + vector(light.sky_low) * rows
    clouds = cv2.resize(np.roll(world.clouds, round(along / 2), 1), (width, height), interpolation=cv2.INTER_CUBIC)
    clouds = clouds[:, :, None]
    cover = np.clip(clouds * 0.5 + 1.6 * light.clouds - 0.8, 0, 1) * 0.8
    white = vector(light.sky_low) * (1 + 0.05 * clouds)
    canvas.image[:height] = np.clip(sky + (white - sky) * cover, 0, 255).astype(np.uint8)
    canvas.label[:] = classes.SKY
    _paint_skyline(canvas, world, along)


def _paint_skyline(canvas: Canvas, world: World, along: float) -> None:
    camera, width = canvas.camera, canvas.label.shape[1]
    turn = camera.focal * world.road.slope(along)
    columns = np.linspace(0, width, 97)
    places = ((columns + turn) / width * 200 + 128).astype(int) % 512
    heights = world.skyline[places]
    if world.skyline_id == classes.BUILDING:
        heights = np.repeat(heights[::6], 6)[: len(columns)]
    rows = camera.horizon - camera.focal * heights / (VIEW_M + 25)
    outline = [(float(c), float(r)) for c, r in zip(columns, rows, strict=True)]
    outline += [(float(width), camera.horizon + 2), (0.0, camera.horizon + 2)]
    color = (70.0, 92.0, 58.0) if world.skyline_id == classes.TREE else (132.0, 126.0, 122.0)
    canvas.polygon(outline, canvas.light.shade(color, 0), world.skyline_id, VIEW_M)


def _paint_ground(canvas: Canvas, world: World, along: float) -> None:
    camera, road, light = canvas.camera, world.road, canvas.light
    first = int(np.ceil(camera.horizon)) + 1
    rows = np.arange(first, canvas.label.shape[0], dtype=np.float32)[:, None]
    z = camera.focal * camera.height_m / (rows - camera.horizon)
    s = along + z
    shift = (road.center(s) - road.center(along) - road.slope(along) * z - world.lane).astype(np.float32)
    x = (np.arange(canvas.label.shape[1], dtype=np.float32)[None] - camera.center) * z / camera.focal - shift
    away = np.abs(x)
    label = np.where(away < road.half_width, classes.ROAD, classes.PAVEMENT)
    label = np.where(away > road.half_width + road.pavement, road.verge, label)
    color = _ground_color(road, x, s, z, light.rain)
    color *= vector(light.shade((1, 1, 1), 0)) * _shade(world, x, s)[:, :, None]
    clear = canvas.clarity(z)[:, :, None]
    canvas.image[first:] = np.clip(color * clear + vector(light.sky_low) * (1 - clear), 0, 255).astype(np.uint8)
    canvas.label[first:] = label.astype(np.uint8)


def _ground_color(road: Road, x: Floats, s: Floats, z: Floats, rain: float) -> Floats:
    along = np.broadcast_to(s, x.shape)
    away = np.abs(x)
    # Grain finer than a pixel averages out with distance.
    fine = _sampled(road.grain, x, along) * np.exp(-z / 14)
    coarse = _sampled(road.grain, x / 9, along / 9)
    color = vector(road.color) + (6 * fine + 6 * coarse)[:, :, None]
    color[_markings(road, x, along, away)] = (206, 204, 196)
    on_road = away < road.half_width
    if rain > 0:
        wet = np.clip(0.45 + 0.4 * coarse, 0, 0.9) * on_road
        color += np.float32(46 * rain) * wet[:, :, None]
    slabs = (np.mod(along, 1.0) < 0.07) | (np.mod(away - road.half_width, 0.8) < 0.06)
    kerb = np.where(away < road.half_width + 0.16, np.float32(1.14), np.float32(1))
    pavement = vector(road.pavement_color) * kerb[:, :, None]
    pavement += (5 * fine + 4 * coarse - 16 * (slabs & (z < 22)))[:, :, None]
    color = np.where(on_road[:, :, None], color, pavement)
    beyond = away > road.half_width + road.pavement
    color[beyond] = vector(road.verge_color) * (1 + 0.14 * fine + 0.1 * coarse)[beyond][:, None]
    return np.asarray(color * np.float32(1 - 0.35 * rain), np.float32)


def _sampled(grain: Floats, x: Floats, s: Floats) -> Floats:
    columns = (x * _GRAIN_PER_METRE).astype(np.int32) & 255
    rows = (s * _GRAIN_PER_METRE).astype(np.int32) & 255
    return np.asarray(grain[rows, columns])


def _markings(road: Road, x: Floats, s: Floats, away: Floats) -> NDArray[np.bool_]:
    painted = (away < 0.08) & (np.mod(s, 9) < 4)
    if road.edge_lines:
        painted |= (away > road.half_width - 0.34) & (away < road.half_width - 0.22)
    for place in road.crossings:
        painted |= (np.abs(s - place) < 1.5) & (np.mod(x, 1.0) < 0.5) & (away < road.half_width - 0.3)
    return painted


def _shade(world: World, x: Floats, s: Floats) -> Floats:
    lit = np.ones(x.shape, np.float32)
    for s0, s1, x0, x1 in world.shadows:
        rows = ((s >= s0) & (s < s1))[:, 0]
        lit[rows] = np.where((x[rows] > x0) & (x[rows] < x1), 0.62, lit[rows])
    return lit


def _paint_layer(canvas: Canvas, world: World, layer: tuple[Thing, ...], along: float, time: int) -> None:
    ahead = [(thing.s + thing.speed * time - along, thing) for thing in layer]
    for z0, thing in sorted(ahead, key=lambda pair: -pair[0]):
        z1 = z0 + thing.length
        # What is longer than deep, a wall, is cut at the camera; the rest leaves the picture before that.
        start = max(z0, NEAR_M) if thing.length > 2.5 and thing.speed == 0 else z0
        if start >= NEAR_M and z1 > start + 0.05 and start < VIEW_M:
            near, far = (_beside(world, thing.x, along, z) for z in (start, z1))
            thing.paint(canvas, near, far, time)


def _beside(world: World, x: float, along: float, z: float) -> tuple[float, float]:
    road = world.road
    shift = float(road.center(along + z) - road.center(along)) - road.slope(along) * z
    return x + shift - world.lane, z
