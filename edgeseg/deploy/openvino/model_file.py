"""OpenVINO's two files, ``NAME.xml`` and ``NAME.bin``, with our metadata and a seal over both."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import Any

from edgeseg.deploy.metadata import EXPORT_KEY, ExportRecord
from edgeseg.errors import ModelError
from edgeseg.files import write_atomic
from edgeseg.modelinfo import METADATA_KEY, ModelInfo

SUFFIX = ".xml"
_PLACE = [METADATA_KEY, "model"]
"""Where the metadata lies in the model's runtime information."""
_SEAL = re.compile(rb"<!-- edgeseg-seal: ([0-9a-f]{64}) -->\n\Z")


def weights_of(path: Path) -> Path:
    """The file of the weights that belongs to ``NAME.xml``."""
    return path.with_suffix(".bin")


def write_model(openvino: Any, model: Any, info: ModelInfo, record: ExportRecord, path: Path) -> bytes:
    """Writes an ``openvino.Model`` with its metadata to ``NAME.xml`` and ``NAME.bin``, sealed; gives the former.

    Raises:
        OutputError: A file cannot be written; neither is left behind.
    """
    model.set_rt_info(info.with_extra(**{EXPORT_KEY: record.to_dict()}).to_json(), _PLACE)
    with tempfile.TemporaryDirectory(prefix="edgeseg-openvino-") as folder:
        serialised = Path(folder) / path.name
        openvino.serialize(model, serialised, weights_of(serialised))
        description, weights = serialised.read_bytes() + b"\n", weights_of(serialised).read_bytes()
    sealed = description + f"<!-- edgeseg-seal: {_digest(description, weights)} -->\n".encode()
    write_atomic(weights_of(path), weights)
    try:
        write_atomic(path, sealed)
    except BaseException:
        weights_of(path).unlink()
        raise
    return sealed


def require_intact(path: Path, content: bytes) -> None:
    """Refuses a model of which either file was altered, or whose weights are missing.

    Args:
        path: ``NAME.xml``.
        content: Its bytes.

    Raises:
        ModelError: It is; the message names the file.
    """
    if not weights_of(path).is_file():
        raise ModelError(f"{weights_of(path)}: no such file; {path.name} needs its weights beside it")
    found = _SEAL.search(content)
    if found is None:
        raise ModelError(f"{path}: has no seal of edgeseg export; export it again")
    if found[1].decode() != _digest(content[: found.start()], weights_of(path).read_bytes()):
        raise ModelError(f"{path}: it or {weights_of(path).name} was altered after its export; export it again")


def metadata_of(model: Any) -> dict[str, str]:
    """Metadata texts by key of an ``openvino.Model``; empty where it has none."""
    return {METADATA_KEY: str(model.get_rt_info(_PLACE).value)} if model.has_rt_info(_PLACE) else {}


def _digest(description: bytes, weights: bytes) -> str:
    sha = hashlib.sha256(len(description).to_bytes(8, "big"))
    sha.update(description)
    sha.update(weights)
    return sha.hexdigest()
