"""Miniature trees, each in the official form of its dataset."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HEIGHT, WIDTH = 12, 20

VISTAS_V2_NAMES = """
animal--bird animal--ground-animal construction--barrier--ambiguous construction--barrier--concrete-block
construction--barrier--curb construction--barrier--fence construction--barrier--guard-rail
construction--barrier--other-barrier construction--barrier--road-median construction--barrier--road-side
construction--barrier--separator construction--barrier--temporary construction--barrier--wall
construction--flat--bike-lane construction--flat--crosswalk-plain construction--flat--curb-cut
construction--flat--driveway construction--flat--parking construction--flat--parking-aisle
construction--flat--pedestrian-area construction--flat--rail-track construction--flat--road
construction--flat--road-shoulder construction--flat--service-lane construction--flat--sidewalk
construction--flat--traffic-island construction--structure--bridge construction--structure--building
construction--structure--garage construction--structure--tunnel human--person--individual human--person--person-group
human--rider--bicyclist human--rider--motorcyclist human--rider--other-rider marking--continuous--dashed
marking--continuous--solid marking--continuous--zigzag marking--discrete--ambiguous marking--discrete--arrow--left
marking--discrete--arrow--other marking--discrete--arrow--right marking--discrete--arrow--split-left-or-straight
marking--discrete--arrow--split-right-or-straight marking--discrete--arrow--straight marking--discrete--crosswalk-zebra
marking--discrete--give-way-row marking--discrete--give-way-single marking--discrete--hatched--chevron
marking--discrete--hatched--diagonal marking--discrete--other-marking marking--discrete--stop-line
marking--discrete--symbol--bicycle marking--discrete--symbol--other marking--discrete--text
marking-only--continuous--dashed marking-only--discrete--crosswalk-zebra marking-only--discrete--other-marking
marking-only--discrete--text nature--mountain nature--sand nature--sky nature--snow nature--terrain nature--vegetation
nature--water object--banner object--bench object--bike-rack object--catch-basin object--cctv-camera
object--fire-hydrant object--junction-box object--mailbox object--manhole object--parking-meter object--phone-booth
object--pothole object--sign--advertisement object--sign--ambiguous object--sign--back object--sign--information
object--sign--other object--sign--store object--street-light object--support--pole object--support--pole-group
object--support--traffic-sign-frame object--support--utility-pole object--traffic-cone object--traffic-light--cyclists
object--traffic-light--general-horizontal object--traffic-light--general-single
object--traffic-light--general-upright object--traffic-light--other object--traffic-light--pedestrians
object--traffic-sign--ambiguous object--traffic-sign--back object--traffic-sign--direction-back
object--traffic-sign--direction-front object--traffic-sign--front object--traffic-sign--information-parking
object--traffic-sign--temporary-back object--traffic-sign--temporary-front object--trash-can object--vehicle--bicycle
object--vehicle--boat object--vehicle--bus object--vehicle--car object--vehicle--caravan object--vehicle--motorcycle
object--vehicle--on-rails object--vehicle--other-vehicle object--vehicle--trailer object--vehicle--truck
object--vehicle--vehicle-group object--vehicle--wheeled-slow object--water-valve void--car-mount void--dynamic
void--ego-vehicle void--ground void--static void--unlabeled
""".split()  # noqa: SIM905

VISTAS_V1_NAMES = [
    "animal--bird",
    "construction--barrier--curb",
    "construction--flat--road",
    "human--person",
    "marking--general",
    "nature--sky",
    "object--vehicle--car",
    "void--unlabeled",
]
"""Some of v1.2's 66 names, in its order."""


class Examples:
    """Builds miniature datasets below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def image(self, path: Path, height: int = HEIGHT, width: int = WIDTH) -> Path:
        """Writes an image whose pixels depend on its name, so that no two are equal."""
        pixels = np.random.default_rng(sum(path.name.encode())).integers(0, 256, (height, width, 3), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    def label(self, path: Path, values: list[int], height: int = HEIGHT, palette: bool = False) -> Path:
        """Writes a label of equally wide upright stripes with these values."""
        row = np.array(values, np.uint8)[np.arange(WIDTH) * len(values) // WIDTH]
        picture = Image.fromarray(np.tile(row, (height, 1)))
        if palette:
            picture.putpalette([(7 * i) % 256 for i in range(768)])
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
        return path

    def camvid(self, suffix: str = ".png", splits: tuple[str, ...] = ("train", "val", "test")) -> Path:
        """Two frames a split; values 0, 3, 8 and void 11."""
        root = self.root / "camvid"
        for split in splits:
            for name in ("0001TP_006690", "0016E5_07959"):
                self.image(root / split / f"{name}{suffix}")
                self.label(root / f"{split}annot" / f"{name}.png", [0, 3, 8, 11])
        return root

    def cityscapes(self) -> Path:
        """One frame of each of two cities in val, one in train, one without labels in test."""
        root = self.root / "cityscapes"
        frames = ["train/aachen/aachen_000000_000019", "val/frankfurt/frankfurt_000001_057181"]
        frames += ["val/munster/munster_000061_000019", "test/berlin/berlin_000000_000019"]
        for frame in frames:
            self.image(root / "leftImg8bit" / f"{frame}_leftImg8bit.png")
            if not frame.startswith("test"):
                self.label(root / "gtFine" / f"{frame}_gtFine_labelIds.png", [7, 8, 33, 0])
                self.label(root / "gtFine" / f"{frame}_gtFine_instanceIds.png", [7, 8, 33, 0])
                self.image(root / "gtFine" / f"{frame}_gtFine_color.png")
        return root

    def mapillary_v1(self) -> Path:
        """v1.2 in its older form: config.json, palette labels in SPLIT/labels, no labels for testing."""
        root = self.root / "vistas1"
        self._vistas_images(root)
        self.vistas_config(root / "config.json", VISTAS_V1_NAMES)
        for split in ("training", "validation"):
            self.label(root / split / "labels" / "aB3_x-1.png", [0, 1, 2, 7], palette=True)
        return root

    def mapillary_v2(self) -> Path:
        """The package that holds both versions, each with its config and its folder of labels."""
        root = self.root / "vistas2"
        self._vistas_images(root)
        self.vistas_config(root / "config_v1.2.json", VISTAS_V1_NAMES)
        self.vistas_config(root / "config_v2.0.json", VISTAS_V2_NAMES)
        v2 = [VISTAS_V2_NAMES.index(n) for n in ("construction--flat--road", "object--vehicle--car", "nature--sky")]
        for split in ("training", "validation"):
            self.label(root / split / "v1.2" / "labels" / "aB3_x-1.png", [0, 1, 2, 7], palette=True)
            self.label(root / split / "v2.0" / "labels" / "aB3_x-1.png", [*v2, 123], palette=True)
        return root

    def idd(self) -> Path:
        """A PNG frame of part I and a JPEG frame of part II; values road, sky, autorickshaw, unlabeled."""
        root = self.root / "idd"
        for frame, suffix in (("train/0/frame0000", ".png"), ("train/201/frame0012", ".jpg"), ("val/7/009", ".png")):
            self.image(root / "leftImg8bit" / f"{frame}_leftImg8bit{suffix}")
            self.label(root / "gtFine" / f"{frame}_gtFine_labelids.png", [0, 33, 11, 35])
            (root / "gtFine" / f"{frame}_gtFine_polygons.json").write_text("{}")
        return root

    def folder(self, classes: str | None = "[road, car]\n", masks: bool = True) -> Path:
        """Two images, masks of 0, 1 and 255, and a classes.yaml."""
        root = self.root / "own"
        for name in ("a.jpg", "b.png"):
            self.image(root / "images" / name)
            if masks:
                self.label((root / "masks" / name).with_suffix(".png"), [0, 1, 255, 0])
        if classes is not None:
            (root / "classes.yaml").write_text(classes)
        return root

    def vistas_config(self, path: Path, names: list[str]) -> Path:
        """Writes a config in the dataset's form."""
        rows = [
            {"name": name, "readable": name, "color": [i, 0, 0], "instances": False, "evaluate": True}
            for i, name in enumerate(names)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": "1.1", "mapping": "public", "labels": rows}))
        return path

    def _vistas_images(self, root: Path) -> None:
        for split in ("training", "validation", "testing"):
            self.image(root / split / "images" / "aB3_x-1.jpg")


@pytest.fixture()
def examples(tmp_path: Path) -> Examples:
    """Builder of miniature datasets."""
    return Examples(tmp_path)
