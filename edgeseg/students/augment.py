"""Random changes of a training sample, the same geometry for image, label and soft labels.

The window is drawn first, in frame pixels, so that only it is read and resized. Everything random is drawn inside
``sample_randomness``, a function of seed, epoch and sample id alone: neither the order of the workers nor an
interruption can change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional
from torchvision.transforms.v2.functional import InterpolationMode

from edgeseg.classes import IGNORE_INDEX
from edgeseg.preprocess import Placement, Preprocess
from edgeseg.students.groups import AugmentSettings


@contextmanager
def sample_randomness(*key: int | str) -> Iterator[None]:
    """Inside, torch's CPU generator is a function of the key; outside, it is as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(*key))
        yield


def seed_of(*key: int | str) -> int:
    """A seed of 63 bits, a function of the key."""
    text = "\0".join(map(str, key))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


@dataclass(frozen=True)
class View:
    """What part of a frame a training input shows, and where.

    Attributes:
        top, left, height, width: Window inside the frame, in frame pixels.
        size: Height and width of the input.
        place: Where the window, resized, lands in the input; what it leaves free is padding.
        flip: Whether the input is mirrored, left to right.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]
    place: Placement
    flip: bool


def draw_view(settings: AugmentSettings, preprocess: Preprocess, frame_height: int, frame_width: int) -> View:
    """Draws a view from torch's CPU generator.

    At zoom s an input of h × w, ``settings.window`` or else the network's own, shows h/s × w/s of the network's
    input as ``preprocess`` would lay it out.
    """
    low, high = settings.scale
    zoom, down, right, mirror = torch.rand(4).tolist()
    zoom = low + (high - low) * zoom
    where = (None, None) if settings.crop == "center" else (down, right)
    size = settings.window or preprocess.size
    spot = preprocess.placement(frame_height, frame_width)
    rows = _shown(size[0], preprocess.height, zoom, where[0], spot.top, spot.height, frame_height)
    columns = _shown(size[1], preprocess.width, zoom, where[1], spot.left, spot.width, frame_width)
    return View(
        top=rows[0],
        left=columns[0],
        height=rows[1],
        width=columns[1],
        size=size,
        place=Placement(height=rows[3], width=columns[3], top=rows[2], left=columns[2]),
        flip=mirror < settings.flip,
    )


def _shown(
    size: int, plane: int, zoom: float, position: float | None, offset: int, scaled: int, frame: int
) -> tuple[int, int, int, int]:
    """One axis of a view: start and length in the frame, start and length in the input of ``size``.

    The frame, ``scaled``, lies at ``offset`` in the ``plane`` that the network sees when deployed. ``position`` None
    is the plane's own middle, not the frame's: beside a border of an odd length they are half a pixel apart.
    """
    length = size / zoom
    if position is None:
        start = (plane - length) / 2
    else:
        content_start, content_end = max(0, offset), min(plane, offset + scaled)
        start = content_start + position * (content_end - content_start - length)
    first, last = ((edge - offset) * frame / scaled for edge in (start, start + length))
    inner_first = min(round(max(0.0, first)), frame - 1)
    inner_last = max(round(min(float(frame), last)), inner_first + 1)
    to_input = size / (last - first)
    place_first = min(max(0, round((inner_first - first) * to_input)), size - 1)
    place_last = max(min(size, round((inner_last - first) * to_input)), place_first + 1)
    return inner_first, inner_last - inner_first, place_first, place_last - place_first


def jitter(settings: AugmentSettings) -> v2.Transform | None:
    """The colour changes, or None where the settings ask for none; draws from torch's CPU generator."""
    strengths = settings.brightness, settings.contrast, settings.saturation, settings.hue
    return v2.ColorJitter(*(x or None for x in strengths)) if any(strengths) else None


def view_image(image: Tensor, view: View, preprocess: Preprocess, color: v2.Transform | None) -> Tensor:
    """Makes the network's input from a frame.

    Args:
        image: (3, H, W) uint8 RGB.
        view: What to show.
        preprocess: The network's normalisation.
        color: Colour changes, applied to values in 0 to 1.

    Returns:
        (3, height, width) float32, normalised; padding is 0, the mean colour.
    """
    return _finished(_window(image, view), view, preprocess, color)


def view_image_twice(
    image: Tensor, view: View, preprocess: Preprocess, color: v2.Transform | None
) -> tuple[Tensor, Tensor]:
    """As ``view_image``, first neither mirrored nor with changed colours, then as the view and the colours want it."""
    window = _window(image, view)
    return _finished(window, replace(view, flip=False), preprocess, None), _finished(window, view, preprocess, color)


def inside(view: View) -> Tensor:
    """Where the frame is in the input: (height, width) bool, False in the padding."""
    return _set(torch.ones(1, view.place.height, view.place.width, dtype=torch.bool), view, 0)[0]


def _window(image: Tensor, view: View) -> Tensor:
    window = functional.crop(image, view.top, view.left, view.height, view.width).float() / 255.0
    return _resized(window, view, InterpolationMode.BILINEAR)


def _finished(window: Tensor, view: View, preprocess: Preprocess, color: v2.Transform | None) -> Tensor:
    if color is not None:
        window = color(window)
    return _set(functional.normalize(window, list(preprocess.mean), list(preprocess.std)), view, 0)


def view_label(label: Tensor, view: View) -> Tensor:
    """Shows the same part of a label (H, W) uint8 by nearest neighbour: (height, width), padding 255.

    The nearest neighbour is that of each half-pixel centre, as the image's bilinear interpolation has it; the
    default for masks of the library would shift the label by up to half a pixel.
    """
    window = functional.crop(label[None], view.top, view.left, view.height, view.width)
    return _set(_resized(window, view, InterpolationMode.NEAREST_EXACT), view, IGNORE_INDEX)[0]


def view_soft_labels(window: Tensor, view: View) -> Tensor:
    """Lays out the view's window of soft labels.

    Args:
        window: (C, h, w) float32; where it is not of the size of ``view.place`` yet, it is resized bilinearly.
        view: What to show.

    Returns:
        (C, height, width) float32; padding is 0 in every class, which the KL term reads as no soft label.
    """
    return _set(_resized(window, view, InterpolationMode.BILINEAR), view, 0)


def _resized(window: Tensor, view: View, mode: InterpolationMode) -> Tensor:
    size = [view.place.height, view.place.width]
    resized: Tensor = functional.resize(window, size, interpolation=mode, antialias=False)
    return resized


def _set(window: Tensor, view: View, fill: int) -> Tensor:
    place, (height, width) = view.place, view.size
    if (place.height, place.width) != view.size:
        canvas = window.new_full((window.shape[0], height, width), fill)
        both = place.within(height, width)
        canvas[:, both.rows, both.columns] = window[:, both.frame_rows, both.frame_columns]
        window = canvas
    return functional.horizontal_flip(window) if view.flip else window
