"""Frames from OpenCV's video input: a file, a camera, or a GStreamer pipeline."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edgeseg.errors import ConfigError, DataError
from edgeseg.frames.base import Frame, FrameSource, Reading
from edgeseg.progress import warn
from edgeseg.stores import without_secrets

# FFmpeg and OpenCV print their own complaints; ours, which names the file and the cure, is enough.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


STREAMS = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "tcp://")
STREAM_TIMEOUT_MS = 10_000
"""A camera on the network that says nothing for so long is gone."""


def is_stream(spec: str) -> bool:
    """Whether a description is the address of a stream."""
    return spec.startswith(STREAMS)


class Capture(FrameSource):
    """A video file, ``camera:N``, ``gst:PIPELINE``, or a stream by its address (``rtsp://``, ``http://``, ...).

    A video's own rotation tag is applied by OpenCV; ``rotation`` comes on top of it.
    """

    def __init__(self, spec: str, reading: Reading) -> None:
        # An address often holds the camera's password, and a source's description comes into records and logs.
        super().__init__(without_secrets(spec), reading)
        kind, _, rest = spec.partition(":")
        self._stream = spec if is_stream(spec) else None
        self._live = kind in ("camera", "gst") or self._stream is not None
        self._camera = _camera_number(spec, rest) if kind == "camera" else None
        self._pipeline = rest if kind == "gst" else None
        self._name = f"{kind}{self._camera if self._camera is not None else ''}" if self._live else Path(spec).stem
        self._file = spec
        capture = self._open()
        self._count = 0 if self._live else max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        capture.release()

    @property
    def length(self) -> int | None:
        """Number of frames that a video's header promises, None for live sources."""
        return len(range(0, self._count, self.reading.every)) if self._count else None

    def __iter__(self) -> Iterator[Frame]:
        """Yields the frames; those between every n-th are not decoded."""
        self.skipped = 0
        capture = self._open()
        index = 0
        start = time.monotonic()
        try:
            while capture.grab():
                if index % self.reading.every == 0 and (frame := self._frame(capture, index, start)):
                    yield frame
                index += 1
        finally:
            capture.release()
        self._check_end(index)

    def _open(self) -> cv2.VideoCapture:
        if self._camera is not None:
            capture = cv2.VideoCapture(self._camera)
        elif self._pipeline is not None:
            _require_gstreamer(self.spec)
            capture = cv2.VideoCapture(self._pipeline, cv2.CAP_GSTREAMER)
        elif self._stream is not None:
            limits = [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                STREAM_TIMEOUT_MS,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                STREAM_TIMEOUT_MS,
            ]
            capture = cv2.VideoCapture(self._stream, cv2.CAP_FFMPEG, limits)
        else:
            capture = cv2.VideoCapture(self._file)
        if not capture.isOpened():
            raise DataError(f"{self.spec}: {self._cure()}")
        return capture

    def _cure(self) -> str:
        if self._camera is not None:
            return f"camera {self._camera} cannot be opened; is it connected, and does no other program use it?"
        if self._stream is not None:
            return "the stream cannot be opened; is the camera on the network, and are address and password right?"
        if self._pipeline is not None:
            return "the pipeline cannot be started; it must end in: videoconvert ! video/x-raw,format=BGR ! appsink"
        return "cannot be read as a video or an image; the file may be truncated or of an unknown format"

    def _frame(self, capture: cv2.VideoCapture, index: int, start: float) -> Frame | None:
        timestamp_s = time.monotonic() - start if self._live else capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        wall_time_s = time.time() if self._live else None
        decoded, image = capture.retrieve()
        if not decoded:
            self._broken(f"{self.spec}: frame {index} cannot be decoded; the file may be damaged")
            return None
        # OpenCV hands out BGR.
        rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        return Frame(self.reading.upright(rgb), f"{self._name}_{index:06d}", index, timestamp_s, self.spec, wall_time_s)

    def _broken(self, message: str) -> None:
        if not self.reading.skip_broken:
            raise DataError(message)
        self.skipped += 1
        warn(f"frame skipped: {message}")

    def _check_end(self, frames: int) -> None:
        if frames == 0:
            raise DataError(f"{self.spec}: opened, but gave no frame; the file may be truncated or the source busy")
        if self._camera is not None or self._stream is not None:
            raise DataError(f"{self.spec}: stopped after {frames} frames; is the camera still connected?")
        if frames < self._count:
            warn(f"{self.spec}: ended after {frames} of {self._count} frames; the file may be truncated")


def _camera_number(spec: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"{spec}: write a camera as camera:N with its number, such as camera:0")
    return int(text)


def _require_gstreamer(spec: str) -> None:
    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        raise DataError(
            f"{spec}: this OpenCV was built without GStreamer, as those from PyPI are; "
            "use the system's OpenCV (on a Jetson: python3-opencv), or a camera or video file"
        )
