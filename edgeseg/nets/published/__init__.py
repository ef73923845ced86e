"""Weights as others publish them, one file a format; nothing in a file is ever executed."""

from __future__ import annotations

from pathlib import Path

from edgeseg.errors import ConfigError
from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.published import (
    deeplab_torchvision,
    deeplab_vainf,
    enet_davidtvs,
    enet_torch7,
    erfnet_eromera,
    icnet_liminn,
)
from edgeseg.nets.published.format import PublishedFormat

_FORMATS: dict[str, PublishedFormat] = {
    "erfnet-eromera": erfnet_eromera.FORMAT,
    "enet-davidtvs": enet_davidtvs.FORMAT,
    "enet-torch7": enet_torch7.FORMAT,
    "icnet-liminn": icnet_liminn.FORMAT,
    "deeplab-vainf": deeplab_vainf.FORMAT,
    "deeplab-torchvision": deeplab_torchvision.FORMAT,
}
FORMATS = tuple(_FORMATS)
"""Names of the formats."""


def get_format(name: str) -> PublishedFormat:
    """One format by name.

    Raises:
        ConfigError: There is no such format.
    """
    if name not in _FORMATS:
        raise ConfigError(f"unknown format {name!r}; edgeseg reads {', '.join(FORMATS)}")
    return _FORMATS[name]


def load(path: Path | str, format: str) -> SegmentationNet:
    """Reads a published network, with the outputs that its file has.

    Args:
        path: The file.
        format: One of ``FORMATS``.

    Returns:
        The network in evaluation mode; dropping or renaming classes is ``importing.import_published``'s work.

    Raises:
        ConfigError: There is no such format.
        ModelError: The file is missing, damaged, or does not hold that network; the message lists what differs.
    """
    return get_format(format).read(Path(path))[0].eval()
