"""The checkpoint ``NAME.edgeseg``: weights as safetensors, everything else about the model as metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from edgeseg.classes import ClassMap
from edgeseg.errors import ConfigError, ModelError
from edgeseg.files import digest_file, write_atomic
from edgeseg.modelinfo import METADATA_KEY, ModelInfo
from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.registry import build
from edgeseg.nets.weights import load_exactly

_CURE = "the file and this edgeseg disagree about the network; make the file again or use the version that made it"


@dataclass(frozen=True)
class Checkpoint:
    """A model read from a file.

    Attributes:
        net: The network, in evaluation mode, on the CPU.
        info: Everything else about the model.
        digest: SHA-256 of the file.
    """

    net: SegmentationNet
    info: ModelInfo
    digest: str


def save_checkpoint(path: Path, net: nn.Module, info: ModelInfo) -> None:
    """Writes a checkpoint, whole or not at all.

    Args:
        path: Where; by custom ``NAME.edgeseg``.
        net: The network that ``info.network`` and ``info.options`` build, on any device, in any memory format.
        info: Everything else about the model.

    Raises:
        OutputError: The place cannot be written.
    """
    # Cloned, because safetensors refuses tensors that share memory.
    tensors = {key: t.detach().cpu().clone().contiguous() for key, t in net.state_dict().items()}
    write_atomic(path, save(tensors, {METADATA_KEY: info.to_json()}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint and builds its network.

    Raises:
        ModelError: The file is missing, truncated, no checkpoint of this package, or does not fit its network.
    """
    info = read_info(path)
    try:
        net = build(info.network, info.class_map.num_classes, **info.options)
    except ConfigError as error:
        raise ModelError(f"{path}: its network cannot be built: {error}") from None
    load_exactly(net, _tensors(path), str(path), _CURE)
    return Checkpoint(net.eval(), info, digest_file(path))


def read_info(path: Path) -> ModelInfo:
    """Reads what a checkpoint says about its model, without the weights.

    Raises:
        ModelError: The file is missing, truncated, or no checkpoint of this package.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: is not a whole edgeseg checkpoint ({error}); if it is a published network's file, "
            "use edgeseg import, otherwise copy or train it again"
        ) from None
    return ModelInfo.from_json(metadata.get(METADATA_KEY), str(path))


def initialize(net: SegmentationNet, path: Path, class_map: ClassMap | None = None) -> list[str]:
    """Starts a network from a checkpoint's weights; only the classifying layers may differ.

    Args:
        net: The network that takes the weights.
        path: The checkpoint.
        class_map: Classes of ``net``; where the checkpoint's are others, its classifiers are left out even
            if their shapes agree.

    Returns:
        Names of the tensors that were left as they were drawn, all of classifying layers.

    Raises:
        ModelError: The file is no checkpoint, or differs elsewhere; the message lists where.
    """
    info, found, own = read_info(path), _tensors(path), net.state_dict()
    other_classes = class_map is not None and not class_map.same_classes(info.class_map)
    head = {key for key in own if key.startswith(tuple(f"{name}." for name in net.classifier_names))}
    fresh = [k for k in own if k in head and (other_classes or k not in found or found[k].shape != own[k].shape)]
    taken = {key: tensor for key, tensor in found.items() if key not in fresh}
    load_exactly(
        net,
        {**taken, **{key: own[key] for key in fresh}},
        str(path),
        f"its network is {info.network} with options {info.options}: only the classifier may differ",
    )
    return fresh


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: is not a whole edgeseg checkpoint ({error}); copy or train it again") from None
