"""What an exported graph says about itself, and whether that is true. Needs neither torch nor onnx."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from edgeseg.dropout import MASKS_INPUT, MaskedLayer, mask_length
from edgeseg.errors import ModelError
from edgeseg.modelinfo import METADATA_KEY, ModelInfo

EXPORT_KEY = "export"
"""Key of the export record in ``ModelInfo.extra``."""
KNOWN_OUTPUTS = frozenset(
    (
        *("class_map", "entropy", "cell_probs", "cell_entropy", "frame_entropy"),
        *("logits", "top2_classes", "top2_probs", "features"),
    )
)
Outputs = Literal["graph", "logits"]
Batch = int | Literal["dynamic"]
Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph.

    Attributes:
        name: Its name.
        type: What the runtime calls its type, such as ``tensor(uint8)``.
        shape: Lengths, a name where one is open.
    """

    name: str
    type: str
    shape: Shape


@dataclass(frozen=True)
class ExportRecord:
    """How a graph was exported, kept in its metadata.

    Attributes:
        source_digest: SHA-256 of the checkpoint that it came from.
        outputs: ``graph`` for the deployed graph, ``logits`` for the plain network.
        output_names: The graph's outputs in order.
        precision: ``fp32``.
        opset: ONNX operator set.
        batch: Frames a call, or ``dynamic``.
        frame: The camera's (H, W), None where any size is taken.
        parity: Outcome of the comparison with the checkpoint, plain data.
        feature_channels: Number K of the output ``features``, None where it is not among the outputs.
        mask_layers: Layers whose channels the input ``dropout_masks`` (batch, K) float32 masks, one after the other;
            empty where there is no such input.
    """

    source_digest: str
    outputs: Outputs
    output_names: tuple[str, ...]
    precision: str
    opset: int
    batch: Batch
    frame: tuple[int, int] | None
    parity: dict[str, Any] = field(default_factory=dict)
    feature_channels: int | None = None
    mask_layers: tuple[MaskedLayer, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON; ``from_dict`` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Any, where: str) -> ExportRecord:
        """Reads the plain form.

        Raises:
            ModelError: A key is missing or of the wrong kind.
        """
        try:
            frame = None if plain["frame"] is None else (int(plain["frame"][0]), int(plain["frame"][1]))
            layers = tuple(MaskedLayer(**layer) for layer in plain.get("mask_layers", ()))
            named = {"frame": frame, "output_names": tuple(plain["output_names"]), "mask_layers": layers}
            record = cls(**{**plain, **named})
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelError(f"{where}: its export record is malformed ({error!r}); export it again") from None
        if record.outputs not in ("graph", "logits"):
            raise ModelError(f"{where}: its export record names outputs {record.outputs!r}; export it again")
        if ("features" in record.output_names) != isinstance(record.feature_channels, int):
            raise ModelError(f"{where}: its export record does not say how many features it has; export it again")
        unknown = sorted(set(record.output_names) - KNOWN_OUTPUTS)
        if unknown:
            raise ModelError(
                f"{where}: it has outputs that this edgeseg does not know: {', '.join(unknown)}; update edgeseg"
            )
        return record


def read_metadata(
    metadata: Mapping[str, str], inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], where: str
) -> tuple[ModelInfo, ExportRecord]:
    """Reads an exported graph's metadata and holds it against the graph.

    Args:
        metadata: The graph's metadata texts by key.
        inputs: The graph's inputs.
        outputs: The graph's outputs.
        where: File name for the error messages.

    Raises:
        ModelError: The metadata is missing or malformed, or the graph is not the one that it describes.
    """
    info = ModelInfo.from_json(metadata.get(METADATA_KEY), where)
    if EXPORT_KEY not in info.extra:
        raise ModelError(f"{where}: its metadata has no export record; export it again")
    record = ExportRecord.from_dict(info.extra[EXPORT_KEY], where)
    differences = _differences(info, record, inputs, outputs)
    if differences:
        raise ModelError(
            f"{where}: its metadata does not describe its graph ({'; '.join(differences)}); export it again"
        )
    return info, record


def _differences(
    info: ModelInfo, record: ExportRecord, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
) -> list[str]:
    expected = [*expected_inputs(info, record), *expected_outputs(info, record)]
    actual = [*inputs, *outputs]
    if [t.name for t in expected] != [t.name for t in actual]:
        return [f"tensors are {[t.name for t in actual]}, metadata says {[t.name for t in expected]}"]
    return [
        f"{a.name} is {a.type} {list(a.shape)}, metadata says {e.type} {list(e.shape)}"
        for a, e in zip(actual, expected, strict=True)
        if a.type != e.type or not _same_shape(a.shape, e.shape)
    ]


def _same_shape(actual: Shape, expected: Shape) -> bool:
    if len(actual) != len(expected):
        return False
    # Names of open lengths are the exporter's choice, so any stands for any.
    return all(a == e or (isinstance(a, str) and isinstance(e, str)) for a, e in zip(actual, expected, strict=True))


def expected_inputs(info: ModelInfo, record: ExportRecord) -> tuple[Tensor, ...]:
    """The inputs that a graph of this record has, the frame first."""
    batch = "batch" if record.batch == "dynamic" else record.batch
    if record.outputs == "logits":
        return (Tensor("input", "tensor(float)", (batch, 3, *info.preprocess.size)),)
    height, width = record.frame or ("frame_height", "frame_width")
    frame = Tensor("frame", "tensor(uint8)", (batch, height, width, 3))
    if not record.mask_layers:
        return (frame,)
    return frame, Tensor(MASKS_INPUT, "tensor(float)", (batch, mask_length(record.mask_layers)))


def expected_outputs(info: ModelInfo, record: ExportRecord) -> tuple[Tensor, ...]:
    """The outputs that a graph of this record has."""
    (h, w), classes = info.preprocess.size, info.class_map.num_classes
    batch = "batch" if record.batch == "dynamic" else record.batch
    known = {
        "class_map": ("uint8", (h, w)),
        "entropy": ("uint8", (h, w)),
        "cell_probs": ("uint8", (classes, -(-h // 8), -(-w // 8))),
        "cell_entropy": ("float", (-(-h // 32), -(-w // 32))),
        "frame_entropy": ("float", ()),
        "logits": ("float", (classes, h, w)),
        "top2_classes": ("uint8", (2, h, w)),
        "top2_probs": ("float", (2, h, w)),
        "features": ("float", (record.feature_channels or 0, -(-h // 8), -(-w // 8))),
    }
    return tuple(Tensor(name, f"tensor({known[name][0]})", (batch, *known[name][1])) for name in record.output_names)
