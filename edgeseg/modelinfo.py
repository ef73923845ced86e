"""What a model carries with its weights, the same in a checkpoint and in an exported graph."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from edgeseg.classes import ClassMap
from edgeseg.errors import ConfigError, ModelError
from edgeseg.preprocess import Preprocess

FORMAT_VERSION = 1
METADATA_KEY = "edgeseg"
"""Key of the JSON text in safetensors and ONNX metadata."""


@dataclass(frozen=True)
class ModelInfo:
    """Everything about a model but its weights.

    Attributes:
        network: Registry name, or ``package.module:factory`` of a user's own.
        options: Keyword arguments of the network beside ``num_classes``.
        class_map: Meaning of the C outputs, in train-id order.
        preprocess: How a frame becomes the input.
        temperature: Fitted divisor of the logits, 1 where none was fitted; plays no part in distillation.
        training: Settings of the training that made the weights, plain data.
        data_digest: Digest of the sample ids and label bytes that training saw, or "" where none did.
        extra: Further plain data (export settings, parity result, prototypes).
    """

    network: str
    class_map: ClassMap
    preprocess: Preprocess
    options: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    training: dict[str, Any] = field(default_factory=dict)
    data_digest: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"temperature must be above 0, got {self.temperature}")

    def with_extra(self, **extra: Any) -> ModelInfo:
        """A copy with further plain data."""
        return replace(self, extra={**self.extra, **extra})

    def to_json(self) -> str:
        """JSON text with sorted keys; ``from_json`` is its inverse."""
        plain = {
            "format_version": FORMAT_VERSION,
            "network": self.network,
            "options": self.options,
            "class_map": self.class_map.to_dict(),
            "preprocess": self.preprocess.to_dict(),
            "temperature": self.temperature,
            "training": self.training,
            "data_digest": self.data_digest,
            "extra": self.extra,
        }
        return json.dumps(plain, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None, where: str) -> ModelInfo:
        """Reads the JSON text of a model file.

        Args:
            text: The text, or None where the file has none.
            where: File name for the error messages.

        Raises:
            ModelError: The text is missing, malformed, or of a newer format.
        """
        if text is None:
            raise ModelError(
                f"{where}: has no edgeseg metadata (class map, preprocessing); "
                "make it with edgeseg import, train or export"
            )
        try:
            plain = json.loads(text)
            if plain["format_version"] > FORMAT_VERSION:
                raise ModelError(
                    f"{where}: format {plain['format_version']} is newer than this edgeseg; update edgeseg"
                )
            return cls(
                network=plain["network"],
                options=plain["options"],
                class_map=ClassMap.from_dict(plain["class_map"]),
                preprocess=Preprocess.from_dict(plain["preprocess"]),
                temperature=float(plain["temperature"]),
                training=plain["training"],
                data_digest=plain["data_digest"],
                extra=plain["extra"],
            )
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise ModelError(f"{where}: metadata is malformed ({error}); export or import the model again") from None
