"""Sources of frames: order, numbering, turning, and what is said of bad ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeseg import datasets
from edgeseg.errors import ConfigError, DataError, EdgesegError
from edgeseg.frames import open_source


def _image(value: int, height: int = 6, width: int = 8) -> NDArray[np.uint8]:
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = value
    image[0, 0] = (1, 2, 3)
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "drive"
    (root / "b").mkdir(parents=True)
    for name, value in (("f10", 10), ("f2", 2), ("f1", 1), ("b/f0", 50)):
        Image.fromarray(_image(value)).save(root / f"{name}.png")
    (root / "notes.txt").write_text("no image")
    (root / ".f3.png").write_text("hidden leftovers are no frames")
    return root


@pytest.fixture
def video(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, codec: str) -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10.0, (64, 48))
        for value in range(12):
            writer.write(np.full((48, 64, 3), (0, 0, value * 20), np.uint8))
        writer.release()
        return path

    return write


def test_folder_is_read_in_natural_order(folder: Path) -> None:
    frames = list(open_source(str(folder)))
    assert [f.id for f in frames] == ["b/f0", "f1", "f2", "f10"]
    assert [f.index for f in frames] == [0, 1, 2, 3]
    assert [int(f.image[1, 1, 0]) for f in frames] == [50, 1, 2, 10]
    assert all(f.timestamp_s is None and f.wall_time_s is None and f.source == str(folder) for f in frames)


def test_every_keeps_the_source_numbering(folder: Path) -> None:
    source = open_source(str(folder), every=3)
    assert source.length == 2
    assert [(f.id, f.index) for f in source] == [("b/f0", 0), ("f10", 3)]


def test_one_image_is_one_frame(folder: Path) -> None:
    (frame,) = open_source(str(folder / "f2.png"))
    assert frame.id == "f2"
    assert np.array_equal(frame.image, _image(2))


def test_files_that_differ_by_extension_alone_keep_it(folder: Path) -> None:
    Image.fromarray(_image(7)).save(folder / "f1.bmp")
    assert [f.id for f in open_source(str(folder))] == ["b/f0", "f1.bmp", "f1.png", "f2", "f10"]


@pytest.mark.parametrize(("degrees", "turned"), [(0, 0), (90, 3), (180, 2), (270, 1)])
def test_rotation_is_clockwise(folder: Path, degrees: int, turned: int) -> None:
    (frame,) = open_source(str(folder / "f2.png"), rotation=degrees)
    assert np.array_equal(frame.image, np.rot90(_image(2), turned))
    assert frame.image.flags.c_contiguous
    if degrees == 90:
        assert tuple(frame.image[0, -1]) == (1, 2, 3), "the top left corner goes to the top right"


def test_bgr_source_has_its_channels_swapped(folder: Path) -> None:
    (frame,) = open_source(str(folder / "f2.png"), channel_order="bgr")
    assert np.array_equal(frame.image, _image(2)[..., ::-1])


@pytest.mark.parametrize(("name", "codec"), [("v.avi", "MJPG"), ("v.mp4", "mp4v")])
def test_video_keeps_numbers_and_timestamps(video: Callable[[str, str], Path], name: str, codec: str) -> None:
    source = open_source(str(video(name, codec)), every=5)
    frames = list(source)
    assert source.length == len(frames) == 3
    assert [f.id for f in frames] == ["v_000000", "v_000005", "v_000010"]
    assert [f.timestamp_s for f in frames] == pytest.approx([0.0, 0.5, 1.0], abs=0.02)
    assert [int(f.image[9, 9, 0]) for f in frames] == pytest.approx([0, 100, 200], abs=8), "RGB, so red comes first"
    assert len(list(source)) == 3, "a second pass begins anew"


def test_video_shorter_than_promised_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    noise = np.random.default_rng(0)
    for _ in range(40):
        writer.write(noise.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 5])
    source = open_source(str(path))
    frames = list(source)
    assert source.length == 40
    assert 0 < len(frames) < 40
    assert f"ended after {len(frames)} of 40" in " ".join(capsys.readouterr().err.split())


def test_broken_image_ends_the_run_with_its_name(folder: Path) -> None:
    (folder / "f2.png").write_bytes((folder / "f2.png").read_bytes()[:40])
    with pytest.raises(DataError, match=r"f2\.png.*truncated or damaged"):
        list(open_source(str(folder)))


def test_broken_image_is_skipped_counted_and_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "f2.png").write_bytes((folder / "f2.png").read_bytes()[:40])
    source = open_source(str(folder), skip_broken=True)
    assert [f.id for f in source] == ["b/f0", "f1", "f10"]
    assert source.skipped == 1
    assert "f2.png" in capsys.readouterr().err


def test_nothing_but_broken_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(DataError, match="none of its 1 images"):
        list(open_source(str(tmp_path), skip_broken=True))


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("name", ["missing.png", "missing", "missing.mp4"])
def test_missing_place_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_source(str(tmp_path / name))


def test_unreadable_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(DataError, match=r"v\.mp4: cannot be read as a video or an image"):
        open_source(str(tmp_path / "v.mp4"))


def test_absent_camera_is_refused() -> None:
    with pytest.raises(DataError, match="camera 97 cannot be opened"):
        open_source("camera:97")


def test_camera_without_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="camera:0"):
        open_source("camera:front")


def test_pipeline_without_gstreamer_says_so() -> None:
    if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        pytest.skip("this OpenCV has GStreamer")
    with pytest.raises(DataError, match="without GStreamer"):
        open_source("gst:videotestsrc ! appsink")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every must be 1"),
        ({"rotation": 45}, "rotation must be"),
        ({"channel_order": "xyz"}, "rgb or bgr"),
    ],
)
def test_options_out_of_range_are_refused(folder: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_source(str(folder), **options)  # type: ignore[arg-type]


def test_dataset_gives_its_samples() -> None:
    source = open_source("synthetic:7", every=3)
    frames = list(source)
    assert source.length == len(frames) == 3
    assert [f.index for f in frames] == [0, 3, 6]
    dataset = datasets.open("synthetic:7")
    assert [f.id for f in frames] == [dataset.sample_ids[i] for i in (0, 3, 6)]
    assert np.array_equal(frames[1].image, dataset.image(3))
    assert all(f.source == "synthetic:7" for f in frames)


def test_unknown_layout_is_refused() -> None:
    with pytest.raises(EdgesegError, match="'s3' is unknown"):
        open_source("s3://bucket/drive")


def test_stream_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(DataError, match=r"rtsp://127\.0\.0\.1:9/cam: the stream cannot be opened") as error:
        open_source("rtsp://root:hunter22@127.0.0.1:9/cam")
    assert "hunter22" not in str(error.value)
