"""Frames and where they come from: an image, a folder, a video, a camera, a pipeline, or a dataset."""

from __future__ import annotations

from pathlib import Path

from edgeseg.errors import DataError
from edgeseg.frames.base import Frame, FrameSource, Reading
from edgeseg.frames.capture import Capture, is_stream
from edgeseg.frames.reconnect import Reconnecting
from edgeseg.frames.stills import DatasetFrames, Stills
from edgeseg.images import IMAGE_SUFFIXES
from edgeseg.preprocess import ChannelOrder
from edgeseg.stores import without_secrets

__all__ = ["SOURCE_FORMS", "Frame", "FrameSource", "Reading", "is_live", "open_source"]

SOURCE_FORMS = (
    "an image, a folder of images, a video file, camera:N, rtsp://ADDRESS, gst:PIPELINE, or a dataset (camvid:PATH#val)"
)


def is_live(spec: str) -> bool:
    """Whether a description names something that goes on whether it is read or not."""
    return spec.startswith(("camera:", "gst:")) or is_stream(spec)


def open_source(
    spec: str,
    every: int = 1,
    rotation: int = 0,
    channel_order: ChannelOrder = "rgb",
    skip_broken: bool = False,
    reconnect: bool = False,
) -> FrameSource:
    """Opens a source of frames by its description.

    Args:
        spec: ``FILE`` (image or video), ``FOLDER``, ``camera:N``, ``rtsp://ADDRESS`` (or another
            stream that FFmpeg reads), ``gst:PIPELINE``, or a dataset ``LAYOUT:PATH[#SPLIT]``.
        every: Take every n-th frame, beginning with the first; n ≥ 1.
        rotation: Degrees clockwise by which the stored frame is turned upright: 0, 90, 180 or 270.
        channel_order: ``"bgr"`` for a source whose red and blue are swapped.
        skip_broken: Go on after an image that cannot be read, with a warning, and count it in
            ``FrameSource.skipped``; otherwise it ends the run.
        reconnect: Open a live source again whenever it is lost, also when it is not there yet.

    Raises:
        ConfigError: ``every``, ``rotation`` or ``channel_order`` is out of range, or the dataset's
            description is malformed.
        DataError: There is nothing to read at that place.
    """
    reading = Reading(every, rotation, channel_order, skip_broken)
    path = Path(spec)
    if is_live(spec):
        return (
            Reconnecting(without_secrets(spec), lambda: Capture(spec, reading)) if reconnect else Capture(spec, reading)
        )
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return Stills(path, reading)
    if path.exists():
        return Capture(spec, reading)
    if ":" in spec:
        return DatasetFrames(spec, reading)
    raise DataError(f"{spec}: no such file or folder; a source is {SOURCE_FORMS}")
