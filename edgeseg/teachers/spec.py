"""How a teacher is named: ``MODEL:T``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeseg.errors import ConfigError

_FORM = "write it as MODEL:T, such as erfnet.edgeseg:3; MODEL is a .edgeseg, a .onnx, or package.module:factory"


@dataclass(frozen=True)
class TeacherSpec:
    """A model and the divisor of its raw logits.

    Attributes:
        model: Path of a ``.edgeseg`` or ``.onnx`` file, or ``package.module:factory``.
        temperature: T > 0. A temperature fitted to the model plays no part.
    """

    model: str
    temperature: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(f"--teacher {self.model}: T must be a number above 0, got {self.temperature}; {_FORM}")

    @property
    def kind(self) -> Literal["checkpoint", "onnx", "factory"]:
        """How the model is loaded.

        Raises:
            ConfigError: The model is none of the three.
        """
        suffix = Path(self.model).suffix.lower()
        if suffix == ".edgeseg":
            return "checkpoint"
        if suffix == ".onnx":
            return "onnx"
        if ":" in self.model:
            return "factory"
        raise ConfigError(f"--teacher {self.model}: is no kind of model that can teach; {_FORM}")


def parse_spec(text: str) -> TeacherSpec:
    """Reads ``MODEL:T``; T is what follows the last colon.

    Raises:
        ConfigError: The text has another form, or T is not a number above 0.
    """
    model, _, number = text.rpartition(":")
    try:
        temperature = float(number)
    except ValueError:
        raise ConfigError(f"--teacher {text}: {number!r} is not a temperature; {_FORM}") from None
    if not model:
        raise ConfigError(f"--teacher {text}: names no model; {_FORM}")
    return TeacherSpec(model, temperature)
