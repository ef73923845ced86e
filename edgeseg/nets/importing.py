"""``edgeseg import``: a published network becomes a checkpoint, with class map and preprocessing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgeseg.classes import ClassMap
from edgeseg.datasets import camvid, cityscapes
from edgeseg.errors import ConfigError, ModelError
from edgeseg.files import digest_file
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.checkpoint import save_checkpoint
from edgeseg.nets.published import get_format
from edgeseg.nets.published.format import PublishedFormat
from edgeseg.preprocess import ChannelOrder, Preprocess, ResizeMode

_CLASS_MAPS = {"cityscapes": cityscapes.CLASS_MAP, "camvid": camvid.CLASS_MAP}
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class ImportSettings:
    """What is known better than the format's defaults; None keeps a default.

    Attributes:
        class_map: Meaning of the outputs that stay, in their order.
        drop: Outputs that mean no class, such as "unlabeled".
        size: (height, width) of the network's input.
        mean, std: Normalisation in units of 0 to 1, in the network's channel order.
        channel_order: What the network was trained on.
        resize: How a frame of another shape is fitted.
    """

    class_map: ClassMap | None = None
    drop: tuple[int, ...] | None = None
    size: tuple[int, int] | None = None
    mean: Triple | None = None
    std: Triple | None = None
    channel_order: ChannelOrder = "rgb"
    resize: ResizeMode = "stretch"


@dataclass(frozen=True)
class ImportReport:
    """What was written.

    Attributes:
        out: The checkpoint.
        network: Registry name.
        parameters: Number of weights.
        classes: Class names in train-id order.
        dropped: Outputs of the file that were dropped.
        preprocess: How a frame becomes the input.
    """

    out: Path
    network: str
    parameters: int
    classes: tuple[str, ...]
    dropped: tuple[int, ...]
    preprocess: Preprocess

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {**asdict(self), "out": str(self.out)}


def import_published(path: Path, format: str, out: Path, settings: ImportSettings | None = None) -> ImportReport:
    """Turns a published network into a checkpoint.

    Args:
        path: The published file.
        format: One of ``published.FORMATS``.
        out: The checkpoint to write.
        settings: What overrides the format's defaults.

    Raises:
        ConfigError: There is no such format, or an option is out of range.
        ModelError: The file does not hold that network, or its outputs do not match the class map.
        OutputError: ``out`` cannot be written.
    """
    settings, known = settings or ImportSettings(), get_format(format)
    net, options = known.read(path)
    class_map, dropped = _meaning(net.num_classes, known, settings, path)
    preprocess = _preprocess(net.num_classes, known, settings, path)
    if dropped:
        net.keep_outputs([output for output in range(net.num_classes) if output not in dropped])
    origin = {"format": format, "file": path.name, "digest": digest_file(path), "dropped_outputs": list(dropped)}
    info = ModelInfo(known.network, class_map, preprocess, options=options, extra={"imported": origin})
    save_checkpoint(out, net, info)
    return ImportReport(out, known.network, _count(net), class_map.names, dropped, preprocess)


def _meaning(
    outputs: int, known: PublishedFormat, settings: ImportSettings, path: Path
) -> tuple[ClassMap, tuple[int, ...]]:
    meaning = known.meanings.get(outputs)
    if settings.class_map is None and meaning is None:
        raise ModelError(
            f"{path}: has {outputs} outputs, and what they mean is not known; name them with --class-map FILE "
            "(name and classes: name, color, ids, in the order of the outputs)"
        )
    class_map = settings.class_map or _CLASS_MAPS[meaning.class_map if meaning else ""]
    usual = meaning.dropped if meaning and outputs - len(meaning.dropped) == class_map.num_classes else ()
    dropped = tuple(sorted(set(settings.drop))) if settings.drop is not None else usual
    if any(not 0 <= output < outputs for output in dropped):
        raise ConfigError(f"--drop {list(dropped)}: {path} has the outputs 0 to {outputs - 1}")
    if outputs - len(dropped) != class_map.num_classes:
        raise ModelError(
            f"{path}: has {outputs} outputs, {len(dropped)} of them dropped, but class map {class_map.name!r} has "
            f"{class_map.num_classes} classes ({', '.join(class_map.names)}); give the right --class-map, or --drop"
        )
    return class_map, dropped


def _preprocess(outputs: int, known: PublishedFormat, settings: ImportSettings, path: Path) -> Preprocess:
    meaning = known.meanings.get(outputs)
    size = settings.size or (meaning.size if meaning else None)
    if size is None:
        raise ConfigError(f"{path}: the input size of a network with {outputs} outputs is not known; give --size HxW")
    plain = Preprocess(
        *size, mean=known.mean, std=known.std, channel_order=settings.channel_order, resize=settings.resize
    )
    return replace(plain, mean=settings.mean or plain.mean, std=settings.std or plain.std)


def _count(net: SegmentationNet) -> int:
    return sum(parameter.numel() for parameter in net.parameters())
