"""Opening a dataset by its spec, ``LAYOUT:PATH[#SPLIT[@SHARE]]``."""

from __future__ import annotations

from importlib import import_module

from edgeseg.datasets.base import Dataset
from edgeseg.datasets.share import split_share
from edgeseg.errors import UsageError

LAYOUTS = {
    "camvid": "SegNet's CamVid: train, trainannot, val, valannot, test, testannot",
    "cityscapes": "leftImg8bit/SPLIT/CITY and gtFine/SPLIT/CITY with labelIds",
    "mapillary": "Mapillary Vistas v1.2 or v2.0: config.json, SPLIT/images, SPLIT/labels",
    "idd": "India Driving Dataset: leftImg8bit/SPLIT/N and gtFine/SPLIT/N with labelids",
    "folder": "images, masks (optional), classes.yaml",
    "labeled": "labels that came back: images, masks, classes.yaml, lineage",
    "synthetic": "N frames that the package draws itself",
}
"""Layouts and what they look like; a layout's module and function are ``edgeseg.datasets.NAME:open_NAME``."""


def parse_spec(spec: str) -> tuple[str, str, str | None]:
    """Takes a spec apart: the layout ends at the first colon, the split begins at the last ``#``.

    A path that itself holds ``#`` is written with a final ``#`` and the split, or with a bare final ``#`` for no split.

    Returns:
        ``(layout, path, split)``; split is None where none is named, and still holds its share.

    Raises:
        UsageError: The spec has another form, or the layout is unknown; the message lists the known ones.
    """
    layout, colon, rest = spec.partition(":")
    if not colon or not rest:
        raise UsageError(f"dataset {spec!r}: write LAYOUT:PATH[#SPLIT], such as camvid:data/camvid#train; {_known()}")
    if layout not in LAYOUTS:
        raise UsageError(f"dataset {spec!r}: layout {layout!r} is unknown; {_known()}")
    path, hash_sign, split = rest.rpartition("#")
    if not hash_sign:
        return layout, rest, None
    if not path:
        raise UsageError(f"dataset {spec!r}: the path is missing; write LAYOUT:PATH[#SPLIT]")
    return layout, path, split or None


def open(spec: str) -> Dataset:
    """Opens a dataset; files are listed, none is decoded.

    Args:
        spec: ``LAYOUT:PATH[#SPLIT]``, such as ``"cityscapes:/data/cityscapes#val"`` or ``"synthetic:60#train"``.
            ``#SPLIT@K/N`` takes an evenly spaced share of the frames, ``#SPLIT@~K/N`` all others; see ``Share``.

    Raises:
        UsageError: The spec has another form, or its layout is unknown.
        DataError: The folder, the split or its images are missing, the tree has another form, or the share is empty.
    """
    layout, path, named = parse_spec(spec)
    split, share = split_share(named, spec)
    dataset: Dataset = getattr(import_module(f"edgeseg.datasets.{layout}"), f"open_{layout}")(path, split)
    return share.of(dataset, spec) if share else dataset


def _known() -> str:
    return f"known layouts: {', '.join(LAYOUTS)}"
