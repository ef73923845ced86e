"""Reading and writing image files, strictly: a damaged file is an error that names it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from edgeseg.errors import DataError
from edgeseg.files import atomic_path

_DAMAGES = (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads a camera image as RGB (H, W, 3) uint8. Orientation tags are not applied.

    Raises:
        DataError: The file is missing, truncated, no image, or has more than 8 bits a channel.
    """
    with _opened(path) as image:
        if image.mode.startswith(("I", "F")):
            raise DataError(
                f"{path}: an image must have 8 bits a channel, but this one's mode is {image.mode}; convert it first"
            )
        return np.asarray(image.convert("RGB"))


def read_label(path: Path) -> NDArray[np.uint8]:
    """Reads a label image as it is stored, (H, W) uint8; palette images give their indices.

    Raises:
        DataError: The file is missing, truncated, no image, or has colours instead of class indices.
    """
    with _opened(path) as image:
        if image.mode not in ("L", "P", "1"):
            raise DataError(
                f"{path}: a label must be one channel of 8-bit class indices, but this image's mode is {image.mode}"
            )
        return np.asarray(image).astype(np.uint8, copy=False)


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) from the file's header, without decoding it.

    Raises:
        DataError: The file is missing or no image.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except _DAMAGES as error:
        raise _unreadable(path, error) from None


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Writes (H, W) or (H, W, 3) RGB uint8 as PNG, whole or not at all.

    Raises:
        OutputError: The place cannot be written.
    """
    with atomic_path(path) as partial:
        Image.fromarray(image).save(partial, format="PNG", compress_level=3)


def difference_hash(image: NDArray[np.uint8]) -> str:
    """64 bits that say in which direction the brightness of a frame falls; frames that look alike differ in few.

    The frame is averaged to 8 rows of 9 pixels; a bit is set where a pixel is brighter than its right neighbour.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        16 hexadecimal digits.
    """
    small = cv2.cvtColor(cv2.resize(image, (9, 8), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return np.packbits(small[:, :-1] > small[:, 1:]).tobytes().hex()


def _opened(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
        image.load()
    except _DAMAGES as error:
        raise _unreadable(path, error) from None
    return image


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such file")
    return DataError(f"{path}: cannot be read as an image ({error}); the file may be truncated or damaged")
