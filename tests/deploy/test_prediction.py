from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from edgeseg.deploy.export import export
from edgeseg.deploy.prediction import predict
from edgeseg.deploy.runners import open_runner
from edgeseg.errors import ModelError
from edgeseg.frames import Frame
from edgeseg.images import write_png


def test_three_pictures_at_the_frames_size(exported, frame, tmp_path):
    write_png(tmp_path / "in" / "one.png", frame)
    with open_runner(exported) as runner:
        report = predict(runner, str(tmp_path / "in"), tmp_path / "out")
        outputs = runner.infer(frame)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {f"one_{k}.png" for k in ("classes", "color", "entropy")}
    classes, color, entropy = (
        np.asarray(Image.open(tmp_path / "out" / f"one_{k}.png")) for k in ("classes", "color", "entropy")
    )
    assert classes.shape == entropy.shape == (133, 201) and color.shape == (133, 201, 3)
    assert set(np.unique(classes)) <= set(np.unique(outputs["class_map"]))
    np.testing.assert_array_equal(color, runner.info.class_map.palette[classes])
    assert entropy.mean() == pytest.approx(outputs["entropy"].mean(), abs=2)
    assert report.names == {"one": "one"}


def test_equal_names_are_kept_apart(exported, frame, tmp_path):
    ids = ["a/x", "b/x", "b_x", "../x", "x.png"]
    frames = [Frame(frame, id, i, None, "memory") for i, id in enumerate(ids)]
    with open_runner(exported) as runner:
        report = predict(runner, frames, tmp_path / "out")
    assert report.names == {"a/x": "x", "b/x": "b_x", "b_x": "b_x-2", "../x": "x-2", "x.png": "x.png"}
    assert len(list((tmp_path / "out").iterdir())) == 15
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_a_crop_cut_off_is_marked(make_checkpoint, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (60, 200, 3), np.uint8)
    with open_runner(make_checkpoint(resize="crop")) as runner:
        predict(runner, [Frame(image, "wide", 0, None, "memory")], tmp_path)
    classes = np.asarray(Image.open(tmp_path / "wide_classes.png"))
    entropy = np.asarray(Image.open(tmp_path / "wide_entropy.png"))
    assert (classes[:, :54] == 255).all() and (classes[:, -54:] == 255).all() and (entropy[:, :54] == 0).all()
    assert (classes[:, 60:140] < 5).all()


def test_plain_network_is_refused(checkpoint, frame, tmp_path):
    plain = export(checkpoint, tmp_path, outputs="logits").path
    with open_runner(plain) as runner, pytest.raises(ModelError, match="export it without --outputs logits"):
        predict(runner, [Frame(frame, "x", 0, None, "memory")], tmp_path / "out")
    assert not (tmp_path / "out").exists()
