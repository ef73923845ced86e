"""Where a teacher's logits come from: a checkpoint, an exported graph, or a user's own factory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeseg.classes import ClassMap
from edgeseg.config import read_mapping
from edgeseg.deploy.runners import open_runner
from edgeseg.deploy.runners.base import require_outputs
from edgeseg.errors import ConfigError
from edgeseg.nets import build
from edgeseg.nets.checkpoint import load_checkpoint
from edgeseg.nets.denormals import flushed_denormals
from edgeseg.nets.foreign import ForeignNet
from edgeseg.nets.weights import load_exactly, read_state_dict
from edgeseg.preprocess import Preprocess
from edgeseg.teachers.spec import TeacherSpec


@dataclass(frozen=True)
class TeacherNetwork:
    """A model that can teach.

    Attributes:
        logits: Frame (H, W, 3) uint8 RGB → raw logits (C, h, w) float32 at the size of the network's input.
        class_map: Meaning of the C logits.
        preprocess: How the frame becomes the input.
        digest: SHA-256 of what decides the logits.
    """

    logits: Callable[[NDArray[np.uint8]], Tensor]
    class_map: ClassMap
    preprocess: Preprocess
    digest: str


def load_network(spec: TeacherSpec, device: str, weights: Path | None, classes: Path | None) -> TeacherNetwork:
    """Loads the model of a teacher's spec.

    Args:
        spec: The teacher.
        device: Torch device of the network; an exported graph runs on its own runtime.
        weights: State dict of a ``package.module:factory`` teacher, safetensors or a torch file of plain tensors.
        classes: YAML of a factory teacher: name, classes (name, color, ids) and preprocess.

    Raises:
        ConfigError: The spec or the classes file cannot be used.
        ModelError: The model is missing, damaged, or gives no logits.
    """
    if spec.kind == "checkpoint":
        return _from_checkpoint(Path(spec.model), device)
    if spec.kind == "onnx":
        return _from_onnx(Path(spec.model))
    return _from_factory(spec.model, device, weights, classes)


def _from_checkpoint(path: Path, device: str) -> TeacherNetwork:
    checkpoint = load_checkpoint(path)
    info = checkpoint.info
    return TeacherNetwork(
        _runs(checkpoint.net, info.preprocess, device), info.class_map, info.preprocess, checkpoint.digest
    )


def _from_onnx(path: Path) -> TeacherNetwork:
    runner = open_runner(path)
    require_outputs(runner, ("logits",), "teaching")

    def logits(frame: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(np.asarray(runner.infer(frame)["logits"], np.float32))

    return TeacherNetwork(logits, runner.info.class_map, runner.info.preprocess, runner.digest)


def _from_factory(name: str, device: str, weights: Path | None, classes: Path | None) -> TeacherNetwork:
    if classes is None:
        raise ConfigError(f"teacher {name} needs a class map and preprocessing; give them with --teacher-classes FILE")
    class_map, preprocess = read_classes(classes)
    net = build(name, class_map.num_classes)
    if weights is not None:
        inner = net.module if isinstance(net, ForeignNet) else net
        load_exactly(inner, read_state_dict(weights), str(weights), f"is it the file of {name} with these classes?")
    digest = _digest(net, class_map, preprocess)
    return TeacherNetwork(_runs(net, preprocess, device), class_map, preprocess, digest)


def read_classes(path: Path) -> tuple[ClassMap, Preprocess]:
    """Reads what a factory teacher cannot say of itself: class map and preprocessing.

    The file is YAML or JSON with ``name``, ``classes`` (rows of name, color, ids) and ``preprocess``
    (height, width, mean, std, and where they differ from the defaults channel_order and resize).

    Raises:
        ConfigError: The file is missing or malformed.
    """
    plain = read_mapping(path)
    if not isinstance(plain.get("preprocess"), dict):
        raise ConfigError(
            f"{path}: lacks preprocess: height, width, mean, std; a teacher sees nothing right without them"
        )
    try:
        return ClassMap.from_dict(plain), Preprocess.from_dict(plain["preprocess"])
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _runs(net: nn.Module, preprocess: Preprocess, device: str) -> Callable[[NDArray[np.uint8]], Tensor]:
    net = net.eval().to(device).to(memory_format=torch.channels_last)

    def logits(frame: NDArray[np.uint8]) -> Tensor:
        with torch.inference_mode(), flushed_denormals():
            pixels = torch.from_numpy(preprocess.apply(frame))[None].to(device, memory_format=torch.channels_last)
            found: Tensor = net(pixels)
        return found[0].float()

    return logits


def _digest(net: nn.Module, class_map: ClassMap, preprocess: Preprocess) -> str:
    described = {"class_map": class_map.to_dict(), "preprocess": preprocess.to_dict()}
    sha = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for key, tensor in sorted(net.state_dict().items()):
        sha.update(f"{key} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        sha.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
