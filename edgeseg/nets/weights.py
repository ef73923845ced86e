"""Tensors by name: comparing them, and reading them from others' files without running what is in them."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from edgeseg.errors import ModelError

_LISTED = 8
_SCALAR = np.float64(0).__reduce__()[0]
_NUMPY_NUMBERS: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64")),
]
"""What torch may make besides tensors: checkpoints often carry a best score that is a NumPy number."""
_COUNTER = "num_batches_tracked"
"""Entry that torch before 0.4.1 did not write and that evaluation does not use."""


def load_exactly(net: nn.Module, found: Mapping[str, Tensor], where: str, cure: str) -> None:
    """Loads tensors into a network where names and shapes agree, all of them.

    Args:
        net: The network that takes them.
        found: The tensors, under the network's own names.
        where: File name for the message.
        cure: What to do, for the message.

    Raises:
        ModelError: Something is missing, unexpected or of another shape; the message lists it, and
            nothing was loaded.
    """
    expected = net.state_dict()
    if difference := describe_difference(expected, found):
        raise ModelError(f"{where}: does not fit {type(net).__name__}: {difference}; {cure}")
    net.load_state_dict({key: found.get(key, tensor) for key, tensor in expected.items()})


def describe_difference(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """Lists missing, unexpected and misshaped entries, a few of each; "" where all agree."""
    missing = [key for key in expected if key not in found and not key.endswith(_COUNTER)]
    unexpected = [key for key in found if key not in expected]
    misshaped = [
        f"{key} is {shape_text(found[key])} instead of {shape_text(expected[key])}"
        for key in expected
        if key in found and found[key].shape != expected[key].shape
    ]
    parts = (("missing", missing), ("unexpected", unexpected), ("of another shape", misshaped))
    return "; ".join(f"{len(keys)} {word}: {_some(keys)}" for word, keys in parts if keys)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Reads tensors by name from a ``.safetensors`` file or a torch file.

    A torch file is read with ``weights_only``: nothing in it is executed. A mapping of tensors may stand
    inside another under ``state_dict``, ``model_state`` or ``model``, as training scripts save it, and names may
    carry the prefix ``module.`` of a parallel training.

    Raises:
        ModelError: The file is missing, damaged, or holds something else.
    """
    content = _read(path)
    for key in ("state_dict", "model_state", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise ModelError(
            f"{path}: holds {_kind(content)}, not tensors by name (a state_dict); save the network's state_dict()"
        )
    prefix = "module."
    stripped = all(str(key).startswith(prefix) for key in content)
    return {str(key)[len(prefix) if stripped else 0 :]: tensor.detach() for key, tensor in content.items()}


def shape_text(tensor: Tensor) -> str:
    """Shape as ``64x3x7x7``, or ``scalar``."""
    return "x".join(map(str, tensor.shape)) or "scalar"


def _read(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals(_NUMPY_NUMBERS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise ModelError(f"{path}: is not a whole safetensors file ({error}); fetch it again") from None
    except pickle.UnpicklingError:
        raise ModelError(
            f"{path}: is not a torch file of plain tensors; files that hold Python objects are refused, because "
            "reading them runs their code. Save the network's state_dict() and use that file"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise ModelError(f"{path}: cannot be read as a torch file ({error}); fetch it again") from None


def _kind(content: Any) -> str:
    if isinstance(content, Mapping):
        return f"a mapping with {_some(map(str, content))}" if content else "an empty mapping"
    return f"a {type(content).__name__}"


def _some(keys: Iterable[str]) -> str:
    listed = list(keys)
    return ", ".join(listed[:_LISTED]) + (f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else "")
