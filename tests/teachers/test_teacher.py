from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch.nn import functional

from edgeseg.classes import ClassMap
from edgeseg.datasets import camvid, cityscapes
from edgeseg.errors import ConfigError, ModelError
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import load_checkpoint, save_checkpoint
from edgeseg.preprocess import Preprocess
from edgeseg.teachers import load_teacher, networks, parse_spec
from edgeseg.teachers.networks import TeacherNetwork
from edgeseg.teachers.teacher import Teacher

Save = Callable[..., Path]


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (24, 32, 3)).astype(np.uint8)


def constant(logits: list[float], class_map: ClassMap) -> TeacherNetwork:
    planes = torch.tensor(logits)[:, None, None].expand(-1, 8, 8)
    return TeacherNetwork(lambda frame: planes, class_map, Preprocess(8, 8), "digest")


def test_probs_are_upsampled_logits_over_temperature_then_softmax(save_teacher: Save, image: NDArray[np.uint8]) -> None:
    path = save_teacher()
    probs = load_teacher(parse_spec(f"{path}:4"), camvid.CLASS_MAP).probs(image, 24, 32)
    net = load_checkpoint(path).net
    resized = functional.interpolate(
        torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255, (16, 24), mode="bilinear", align_corners=False
    )
    logits = functional.interpolate(net(resized), (24, 32), mode="bilinear", align_corners=False)
    torch.testing.assert_close(probs, torch.softmax(logits[0] / 4, dim=0).detach(), atol=1e-4, rtol=1e-3)


def test_fitted_temperature_plays_no_part(save_teacher: Save, image: NDArray[np.uint8], tmp_path: Path) -> None:
    checkpoint = load_checkpoint(save_teacher())
    save_checkpoint(tmp_path / "fitted.edgeseg", checkpoint.net, replace(checkpoint.info, temperature=2.5))
    plain = load_teacher(parse_spec(f"{tmp_path}/teacher0.edgeseg:3"), camvid.CLASS_MAP).probs(image, 24, 32)
    fitted = load_teacher(parse_spec(f"{tmp_path}/fitted.edgeseg:3"), camvid.CLASS_MAP).probs(image, 24, 32)
    torch.testing.assert_close(plain, fitted)


def test_flip_averages_the_mirrored_run(save_teacher: Save, image: NDArray[np.uint8]) -> None:
    spec = parse_spec(f"{save_teacher()}:3")
    plain, flipping = load_teacher(spec, camvid.CLASS_MAP), load_teacher(spec, camvid.CLASS_MAP, flip=True)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    expected = (plain.probs(image, 24, 32) + plain.probs(mirrored, 24, 32).flip(-1)) / 2
    torch.testing.assert_close(flipping.probs(image, 24, 32), expected)
    torch.testing.assert_close(flipping.probs(mirrored, 24, 32).flip(-1), flipping.probs(image, 24, 32))


def test_nineteen_classes_are_summed_into_eleven(image: NDArray[np.uint8]) -> None:
    names = list(cityscapes.CLASS_MAP.names)
    network = constant([float(k) / 5 for k in range(19)], cityscapes.CLASS_MAP)
    probs = Teacher(parse_spec("x.onnx:2"), network, camvid.CLASS_MAP).probs(image, 6, 7)
    source = torch.softmax(torch.arange(19) / 10, dim=0)
    tree = source[names.index("vegetation")] + source[names.index("terrain")]
    assert probs.shape == (11, 6, 7)
    torch.testing.assert_close(probs[camvid.CLASS_MAP.names.index("tree")], tree.expand(6, 7))
    torch.testing.assert_close(probs.sum(dim=0), torch.ones(6, 7))


def test_dropped_classes_are_shared_out(image: NDArray[np.uint8]) -> None:
    table: dict[str, str | None] = dict.fromkeys(cityscapes.CLASS_MAP.names)
    table |= {"road": "road", "sky": "sky"}
    teacher = Teacher(parse_spec("x.onnx:1"), constant([0.0] * 19, cityscapes.CLASS_MAP), camvid.CLASS_MAP, table)
    probs = teacher.probs(image, 2, 2)
    road, sky = (camvid.CLASS_MAP.names.index(name) for name in ("road", "sky"))
    torch.testing.assert_close(probs[[road, sky]], torch.full((2, 2, 2), 0.5))
    torch.testing.assert_close(probs.sum(dim=0), torch.ones(2, 2))


def test_pixel_wholly_in_dropped_classes_is_uniform(image: NDArray[np.uint8]) -> None:
    table: dict[str, str | None] = dict.fromkeys(cityscapes.CLASS_MAP.names) | {"road": "road"}
    logits = [-1e4] + [0.0] * 18
    teacher = Teacher(parse_spec("x.onnx:1"), constant(logits, cityscapes.CLASS_MAP), camvid.CLASS_MAP, table)
    torch.testing.assert_close(teacher.probs(image, 2, 2), torch.full((11, 2, 2), 1 / 11))


def test_unmapped_class_is_listed() -> None:
    table: dict[str, str | None] = {name: "road" for name in cityscapes.CLASS_MAP.names if name != "train"}
    with pytest.raises(ConfigError, match="train"):
        Teacher(parse_spec("x.onnx:1"), constant([0.0] * 19, cityscapes.CLASS_MAP), camvid.CLASS_MAP, table)


@pytest.mark.parametrize("logits", [[float("nan")] * 11, [0.0] * 5])
def test_broken_logits_name_the_teacher(image: NDArray[np.uint8], logits: list[float]) -> None:
    teacher = Teacher(parse_spec("x.onnx:1"), constant(logits, camvid.CLASS_MAP), camvid.CLASS_MAP)
    with pytest.raises(ModelError, match=r"teacher x\.onnx: its logits have shape"):
        teacher.probs(image, 4, 4)


class ExportedRunner:
    """Stands for an exported graph that emits logits."""

    info = ModelInfo("any", camvid.CLASS_MAP, Preprocess(8, 8, resize="letterbox"))
    digest = "e" * 64
    backend = "onnxruntime"
    size = (8, 8)
    output_names: tuple[str, ...] = ("class_map", "logits")

    def infer(self, frame: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        return {"logits": np.random.default_rng(frame.sum()).normal(size=(11, 8, 8)).astype(np.float32)}


def test_exported_graph_teaches_by_its_logits(monkeypatch: pytest.MonkeyPatch, image: NDArray[np.uint8]) -> None:
    monkeypatch.setattr(networks, "open_runner", lambda path: ExportedRunner())
    teacher = load_teacher(parse_spec("erfnet.onnx:2"), camvid.CLASS_MAP)
    # 24×32 lies in 8×8 as 6×8, one row below the top.
    logits = torch.from_numpy(ExportedRunner().infer(image)["logits"])[None, :, 1:7]
    expected = torch.softmax(
        functional.interpolate(logits, (24, 32), mode="bilinear", align_corners=False)[0] / 2, dim=0
    )
    torch.testing.assert_close(teacher.probs(image, 24, 32), expected)
    assert teacher.digest == "e" * 64


def test_exported_graph_without_logits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExportedRunner, "output_names", ("class_map",))
    monkeypatch.setattr(networks, "open_runner", lambda path: ExportedRunner())
    with pytest.raises(ModelError, match=r"logits.*--emit logits"):
        load_teacher(parse_spec("erfnet.onnx:2"), camvid.CLASS_MAP)


@pytest.fixture
def classes_file(tmp_path: Path) -> Path:
    preprocess = {"height": 16, "width": 24, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}
    path = tmp_path / "classes.yaml"
    path.write_text(yaml.safe_dump({**camvid.CLASS_MAP.to_dict(), "preprocess": preprocess}))
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_factory_teacher_with_weights_and_classes(
    factory_module: str, classes_file: Path, tmp_path: Path, image: NDArray[np.uint8], suffix: str
) -> None:
    conv = torch.nn.Conv2d(3, 11, 3, stride=2, padding=1)
    weights = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(conv.state_dict(), weights)
    else:
        save_file(conv.state_dict(), weights)
    spec = parse_spec(f"{factory_module}:one_layer:3")
    teacher = load_teacher(spec, camvid.CLASS_MAP, weights=weights, classes=classes_file)
    x = torch.from_numpy(Preprocess(16, 24, (0.5,) * 3, (0.2,) * 3).apply(image))[None]
    logits = functional.interpolate(conv(x), (16, 24), mode="bilinear", align_corners=False)
    logits = functional.interpolate(logits, (24, 32), mode="bilinear", align_corners=False)
    torch.testing.assert_close(teacher.probs(image, 24, 32), torch.softmax(logits[0] / 3, dim=0).detach())
    assert teacher.digest != load_teacher(spec, camvid.CLASS_MAP, classes=classes_file).digest


def test_factory_teacher_without_classes_is_refused(factory_module: str) -> None:
    with pytest.raises(ConfigError, match=r"needs a class map and preprocessing; give them with --teacher-classes"):
        load_teacher(parse_spec(f"{factory_module}:one_layer:3"), camvid.CLASS_MAP)


def test_classes_without_preprocessing_are_refused(factory_module: str, classes_file: Path) -> None:
    classes_file.write_text(yaml.safe_dump(camvid.CLASS_MAP.to_dict()))
    with pytest.raises(ConfigError, match=r"classes\.yaml: lacks preprocess: height, width, mean, std"):
        load_teacher(parse_spec(f"{factory_module}:one_layer:3"), camvid.CLASS_MAP, classes=classes_file)


def test_weights_of_another_network_are_refused(factory_module: str, classes_file: Path, tmp_path: Path) -> None:
    save_file({"other": torch.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"w\.safetensors: does not fit.*missing.*weight"):
        load_teacher(
            parse_spec(f"{factory_module}:one_layer:3"),
            camvid.CLASS_MAP,
            weights=tmp_path / "w.safetensors",
            classes=classes_file,
        )


def test_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.edgeseg: no such file"):
        load_teacher(parse_spec(f"{tmp_path}/none.edgeseg:3"), camvid.CLASS_MAP)
