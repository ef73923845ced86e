"""Mapillary Vistas v1.2 and v2.0, read as the 19 Cityscapes classes.

    PATH/config.json or config_v1.2.json         PATH/SPLIT/images/KEY.jpg
    PATH/config_v2.0.json                        PATH/SPLIT/labels/KEY.png, or SPLIT/v1.2/labels, SPLIT/v2.0/labels

A label image's value is an index into the config's list. Where both versions lie in one tree, v2.0 is read;
the split ``training/v1.2`` names the other one.
"""

from __future__ import annotations

from pathlib import Path

from edgeseg import config
from edgeseg.classes import IGNORE_INDEX, ClassMap, SegmentationClass
from edgeseg.datasets import cityscapes
from edgeseg.datasets.base import Dataset
from edgeseg.datasets.mapillary_classes import TARGETS
from edgeseg.datasets.pairs import Layout, Listing, existing_folder, image_files, open_splits, pair_files, subfolders
from edgeseg.errors import ConfigError, DataError

SPLITS = ("training", "validation", "testing")
VERSIONS = ("v2.0", "v1.2")


def open_mapillary(path: str, split: str | None) -> Dataset:
    """Opens Mapillary Vistas; without a split, all splits that have labels.

    Raises:
        DataError: The folder, the config, the split or its images are missing, or the config has another form
            or names a class that no version of Vistas has.
    """
    root = existing_folder("mapillary", path)
    name, _, asked = (split or "").partition("/")
    if asked and asked not in VERSIONS:
        raise DataError(f"mapillary:{path}#{split}: version {asked!r} is unknown; known: {', '.join(VERSIONS)}")
    present = [known for known in SPLITS if (root / known / "images").is_dir()]
    version = asked or _newest(root, present)
    layout = Layout("mapillary", root, class_map_of(_config_file(root, version)), f"SPLIT/{version}/labels/KEY.png")
    return open_splits(layout, name or None, present, lambda known: _list(root, known, version))


def class_map_of(path: Path) -> ClassMap:
    """Reads a Vistas config into the 19 Cityscapes classes.

    Args:
        path: The JSON file that the dataset ships; its ``labels`` stand in the order of the label values.

    Returns:
        Map with the Cityscapes names, colours and train ids; every other class of Vistas is ignored.

    Raises:
        DataError: The file is missing or has another form, or names classes that no version of Vistas has.
    """
    try:
        names = [str(row["name"]) for row in config.read_mapping(path)["labels"]]
    except ConfigError as error:
        raise DataError(str(error)) from None
    except (KeyError, TypeError):
        raise DataError(
            f"{path}: not a Mapillary Vistas config; it needs a list 'labels' of rows with a 'name'"
        ) from None
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        raise DataError(f"{path}: class names unknown to Mapillary Vistas v1.2 and v2.0: {', '.join(unknown)}")
    ids = {row.name: tuple(i for i, name in enumerate(names) if TARGETS[name] == row.name) for row in _targets()}
    ignored = (*(i for i, name in enumerate(names) if TARGETS[name] is None), IGNORE_INDEX)
    return ClassMap("mapillary", tuple(SegmentationClass(r.name, r.color, ids[r.name]) for r in _targets()), ignored)


def _targets() -> tuple[SegmentationClass, ...]:
    return cityscapes.CLASS_MAP.classes


def _newest(root: Path, present: list[str]) -> str:
    for version in VERSIONS:
        if any((root / name / version).is_dir() for name in present):
            return version
    # Vistas 1.x without version folders keeps its labels in SPLIT/labels; so do copies of v2.0 with their own config.
    configs = {version for version in VERSIONS if (root / f"config_{version}.json").is_file()}
    return "v2.0" if configs == {"v2.0"} else "v1.2"


def _config_file(root: Path, version: str) -> Path:
    for name in (f"config_{version}.json", "config.json"):
        if (root / name).is_file():
            return root / name
    raise DataError(f"mapillary:{root}: no config_{version}.json or config.json; it comes with the dataset")


def _list(root: Path, split: str, version: str) -> Listing:
    folder, labels = root / split / "images", root / split / version / "labels"
    if not labels.is_dir() and "labels" in subfolders(root / split):
        labels = root / split / "labels"
    return pair_files(
        split, folder, image_files(folder), image_files(labels), lambda image: labels / f"{image.stem}.png"
    )
