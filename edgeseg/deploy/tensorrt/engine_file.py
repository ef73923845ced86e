"""The engine file: TensorRT's plan, then what it is, then a digest of both.

    plan | record as JSON | SHA-256 of plan and record (32) | length of the record (8, little-endian) | magic (8)

The plan comes first, so that ``head -c`` (``plan_bytes`` of the report) gives it to other tools.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeseg.deploy.metadata import EXPORT_KEY, ExportRecord
from edgeseg.deploy.tensorrt.driver import Gpu
from edgeseg.errors import ModelError
from edgeseg.files import write_atomic
from edgeseg.modelinfo import ModelInfo

MAGIC = b"EDGESEG1"
_TAIL = 32 + 8 + len(MAGIC)


@dataclass(frozen=True)
class EngineRecord:
    """What an engine was made from, by and for.

    Attributes:
        onnx_digest: SHA-256 of the graph's file.
        tensorrt: Version of TensorRT.
        gpu: The GPU.
        precision: Of the graph: ``fp32``, ``fp16``, ``int8``.
        typing: ``strong`` or ``weak``.
        tf32: Whether fp32 could be rounded to TF32.
        dla_core: Accelerator, None for the GPU.
        layers: Count of layers by device.
        on_gpu: With an accelerator: the layers that fell back to the GPU.
        build_s: Seconds that the build took.
    """

    onnx_digest: str
    tensorrt: str
    gpu: Gpu
    precision: str
    typing: str
    tf32: bool
    dla_core: int | None
    layers: dict[str, int]
    on_gpu: tuple[str, ...]
    build_s: float

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON; ``from_dict`` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> EngineRecord:
        """Reads the plain form; ``KeyError`` or ``TypeError`` where it has another form."""
        return cls(**{**plain, "gpu": Gpu(**plain["gpu"]), "on_gpu": tuple(plain["on_gpu"])})

    def require_fit(self, where: str, version: str, gpu: Gpu) -> None:
        """Refuses an engine that was built for something else.

        Args:
            where: File name for the message.
            version: TensorRT's, here.
            gpu: The one that would run it.

        Raises:
            ModelError: Another TensorRT or another GPU; the message names both.
        """
        for what, theirs, ours in (
            ("TensorRT", self.tensorrt, version),
            ("GPU", _kind(self.gpu), _kind(gpu)),
        ):
            if theirs != ours:
                raise ModelError(
                    f"{where}: was built for {what} {theirs}, this machine has {ours}; engines do not travel, so "
                    "build it here: edgeseg export MODEL.onnx --tensorrt --out DIR"
                )


def _kind(gpu: Gpu) -> str:
    return f"{gpu.name} (compute capability {gpu.compute_capability}, {gpu.multiprocessors} multiprocessors)"


@dataclass(frozen=True)
class EngineFile:
    """An engine with all that belongs to it.

    Attributes:
        plan: What TensorRT's runtime deserializes.
        info: What the model carries.
        export: How its graph was exported.
        record: How the engine was built.
    """

    plan: bytes
    info: ModelInfo
    export: ExportRecord
    record: EngineRecord

    def carried_json(self) -> str:
        """The model's metadata as its ONNX file has it."""
        return self.info.with_extra(**{EXPORT_KEY: self.export.to_dict()}).to_json()

    def write(self, path: Path) -> None:
        """Writes the file whole or not at all.

        Raises:
            OutputError: The place cannot be written.
        """
        plain = {"model": json.loads(self.carried_json()), "engine": self.record.to_dict()}
        text = json.dumps(plain, sort_keys=True).encode()
        content = self.plan + text
        tail = hashlib.sha256(content).digest() + len(text).to_bytes(8, "little") + MAGIC
        write_atomic(path, content + tail)

    @classmethod
    def read(cls, path: Path) -> EngineFile:
        """Reads a file and checks that it is as it was written.

        Raises:
            ModelError: It is not made by this package, is cut short, or was altered.
        """
        content = path.read_bytes()
        if len(content) < _TAIL or not content.endswith(MAGIC):
            raise ModelError(
                f"{path}: carries no record of edgeseg (class map, preprocessing), or is cut short; "
                "make it with edgeseg export --tensorrt"
            )
        body, tail = content[:-_TAIL], content[-_TAIL:]
        if hashlib.sha256(body).digest() != tail[:32]:
            raise ModelError(f"{path}: was altered after it was built (its digest differs); build it again")
        length = int.from_bytes(tail[32:40], "little")
        return cls._decode(body[: len(body) - length], body[len(body) - length :], str(path))

    @classmethod
    def _decode(cls, plan: bytes, text: bytes, where: str) -> EngineFile:
        try:
            plain = json.loads(text)
            record = EngineRecord.from_dict(plain["engine"])
            model = json.dumps(plain["model"])
        except (ValueError, KeyError, TypeError):
            raise ModelError(f"{where}: its record is of another edgeseg; build the engine again") from None
        info = ModelInfo.from_json(model, where)
        return cls(plan, info, ExportRecord.from_dict(info.extra.get(EXPORT_KEY), where), record)
