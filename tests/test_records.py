"""The record: bounds on every field, versions, and a schema that other tools can check."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from edgeseg.errors import DataError
from edgeseg.records import RECORD_VERSION, Record, json_schema, read_record, within_bounds


@pytest.fixture
def plain() -> dict[str, Any]:
    digest = "0123456789abcdef" * 4
    return {
        "version": RECORD_VERSION,
        "item_id": digest,
        "vehicle": "car-7",
        "drive": "2026-05-01_a",
        "captured_at": "2026-05-01T10:00:00Z",
        "clock": "unverified",
        "place": {"latitude_deg": 48.1, "longitude_deg": 11.6, "accuracy_m": 3.0},
        "source": "camera:0",
        "frame_id": "camera0_000012",
        "frame_number": 12,
        "timestamp_s": 0.4,
        "model_digest": digest,
        "policy": "all",
        "policy_version": "1",
        "strategy": "superpixel",
        "scores": [{"name": "frame_entropy", "value": 0.3, "unit": "nats"}],
        "image": {"height": 4, "width": 5},
        "regions": [
            {
                "polygons": [[[1, 1], [1, 2], [2, 2], [2, 1]]],
                "rle": {"size": [4, 5], "counts": [5, 2, 2, 2, 9]},
                "class_id": 3,
                "class_name": "road",
                "score": 2.5,
                "unit": "nats",
                "area_px": 4,
                "clicks": 5,
            }
        ],
        "blobs": [{"kind": "image", "key": f"sha256/01/{digest}.png", "digest": digest, "bytes": 999}],
    }


def _set(plain: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(plain)
    *parents, leaf = path.split(".")
    target: Any = changed
    for part in parents:
        target = target[int(part)] if part.isdecimal() else target[part]
    target[int(leaf) if leaf.isdecimal() else leaf] = value
    return changed


def test_record_goes_through_json_unchanged(plain: dict[str, Any]) -> None:
    record = read_record(json.dumps(plain), "r.json")
    assert read_record(record.to_json(), "again") == record
    assert json.loads(record.to_json())["regions"] == plain["regions"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("item_id", "xyz"),
        ("vehicle", ""),
        ("vehicle", "../etc"),
        ("vehicle", "v" * 65),
        ("drive", "a b"),
        ("captured_at", "2026-05-01T10:00:00"),
        ("clock", "fine"),
        ("place.latitude_deg", 91),
        ("place.longitude_deg", -181),
        ("place.accuracy_m", -1),
        ("source", ""),
        ("frame_id", "f" * 2000),
        ("frame_number", -1),
        ("timestamp_s", -0.1),
        ("model_digest", "A" * 64),
        ("policy", ""),
        ("strategy", "s" * 201),
        ("scores", []),
        ("scores.0.value", 1e13),
        ("scores.0.unit", "u" * 41),
        ("image.height", 0),
        ("image.width", 70_000),
        ("regions.0.polygons", []),
        ("regions.0.polygons.0", []),
        ("regions.0.polygons.0.0", [1, -1]),
        ("regions.0.polygons.0.0", [5, 1]),
        ("regions.0.rle.counts", [5, 2, 2, 2, 8]),
        ("regions.0.rle.size", [5, 4]),
        ("regions.0.class_id", 255),
        ("regions.0.area_px", 5),
        ("regions.0.clicks", 0),
        ("blobs", []),
        ("blobs.0.key", "../../etc/passwd"),
        ("blobs.0.bytes", 0),
        ("blobs.0.kind", "film"),
        ("surprise", 1),
    ],
)
def test_field_out_of_bounds_is_refused_by_name(plain: dict[str, Any], path: str, value: Any) -> None:
    changed = _set(plain, path, value)
    with pytest.raises(DataError, match=r"r\.json: record cannot be used") as caught:
        read_record(json.dumps(changed), "r.json")
    assert path.split(".")[0] in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_score_that_is_not_finite_is_refused(plain: dict[str, Any], value: float) -> None:
    with pytest.raises(DataError, match=r"scores\.0\.value"):
        read_record(json.dumps(_set(plain, "scores.0.value", value)), "r.json")


@pytest.mark.parametrize("field", ["item_id", "vehicle", "scores", "blobs", "captured_at"])
def test_missing_field_is_refused_by_name(plain: dict[str, Any], field: str) -> None:
    del plain[field]
    with pytest.raises(DataError, match=f"{field}: Field required"):
        read_record(json.dumps(plain), "r.json")


def test_record_without_the_image_is_refused(plain: dict[str, Any]) -> None:
    plain["blobs"][0]["kind"] = "entropy"
    with pytest.raises(DataError, match="must hold the image"):
        read_record(json.dumps(plain), "r.json")


@pytest.mark.parametrize("version", [RECORD_VERSION + 1, None, "1"])
def test_other_version_is_refused(plain: dict[str, Any], version: Any) -> None:
    plain["version"] = version
    with pytest.raises(DataError, match="update edgeseg"):
        read_record(json.dumps(plain), "r.json")


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"version": 1'])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"r\.json"):
        read_record(text, "r.json")


def test_many_problems_are_cut_short(plain: dict[str, Any]) -> None:
    plain["scores"] = [{"name": "", "value": 1, "unit": ""}] * 20
    with pytest.raises(DataError, match="and 16 more"):
        read_record(json.dumps(plain), "r.json")


def test_making_one_out_of_bounds_names_what_it_is_of(plain: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"frame f12: no record can be made of it: vehicle"), within_bounds("frame f12"):
        Record(**{**plain, "vehicle": ""})


def test_schema_bounds_every_number_and_text() -> None:
    schema = json_schema()
    unbounded = []

    def walk(node: Any, path: str) -> None:
        if isinstance(node, dict):
            if node.get("type") in ("integer", "number") and not (
                {"minimum", "maximum"} <= set(node) or "const" in node
            ):
                unbounded.append(path)
            texts = {"maxLength", "pattern", "enum", "const", "format"}
            if node.get("type") == "string" and not (texts & set(node)):
                unbounded.append(path)
            if node.get("type") == "array" and "maxItems" not in node:
                unbounded.append(path)
            for key, value in node.items():
                walk(value, f"{path}/{key}")
        elif isinstance(node, list):
            for index, value in enumerate(node):
                walk(value, f"{path}/{index}")

    walk(schema, "")
    assert unbounded == []
    assert schema["properties"]["version"]["const"] == RECORD_VERSION
