"""Out to each tool and back: what is drawn there is what the dataset says, pixel for pixel."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from benchmarks.queue.fleet import Uploads, blob, box, item_id, png
from edgeseg import datasets
from edgeseg.classes import ClassMap, SegmentationClass
from edgeseg.datasets.labeled import read_lineage
from edgeseg.errors import ConfigError, DataError, QueueError, UsageError
from edgeseg.images import read_image, read_label, write_png
from edgeseg.queue.database import Database
from edgeseg.queue.exporting import TOOLS, ExportSettings, Tool, export_items
from edgeseg.queue.importing import ImportSettings, import_labels
from edgeseg.queue.ingest import ingest
from edgeseg.queue.listing import ListSettings, list_items
from edgeseg.queue.selection import SelectSettings, select_items
from edgeseg.queue.states import change_state, history
from edgeseg.queue.stats import queue_stats
from edgeseg.queue.tools import cvat, label_studio
from edgeseg.queue.tools.brush import decode_brush, encode_brush

SIZE = (48, 64)
Maps = dict[str, np.ndarray]


def asked(database: Database, regions_of: dict[str, list[dict]]) -> dict[str, np.ndarray]:
    """Pixels that are asked for, decoded here from the records' runs."""
    found = {}
    for row in list_items(ListSettings(batch="one"), database):
        mask = np.zeros(SIZE, bool)
        for index in row["regions"]:
            counts = regions_of[row["id"]][index]["rle"]["counts"]
            flat = np.concatenate([np.full(run, i % 2 == 1) for i, run in enumerate(counts)])
            mask |= flat.reshape(SIZE[1], SIZE[0]).T
        found[row["id"]] = mask
    return found


def drawn(number: int) -> np.ndarray:
    """Labels that a person might have drawn: ragged, and of several classes."""
    rng = np.random.default_rng(number)
    label = np.full(SIZE, 255, np.uint8)
    for cls in range(4):
        label[rng.random(SIZE) < 0.15] = cls
    return label


def label_studio_export(tasks: list[dict], labels: Maps, classes: ClassMap, who: str = "anna@x") -> list[dict]:
    """What Label Studio exports once everything was drawn by brush."""
    for task in tasks:
        label = labels[task["data"]["item_id"]]
        result = [
            {
                "id": f"drawn{cls}", "type": "brushlabels", "from_name": "brush", "to_name": "image",
                "original_height": SIZE[0], "original_width": SIZE[1], "image_rotation": 0,
                "value": {"format": "rle", "rle": encode_brush(label == cls), "brushlabels": [classes.names[cls]]},
            }
            for cls in np.unique(label[label != 255]).tolist()
        ]  # fmt: skip
        task.setdefault("annotations", []).append(
            {"completed_by": {"email": who}, "updated_at": "2026-03-04T10:00:00Z", "result": result}
        )
    return tasks


def test_label_studio_gets_only_the_chosen_regions(
    selected: Database, classes: ClassMap, out: Path, model_map: Maps, regions_of: dict[str, list[dict]]
) -> None:
    report = export_items(ExportSettings("label-studio"), classes, selected, out)
    assert (report.exported, report.regions, report.refused) == (3, 6, {})
    where = asked(selected, regions_of)
    tasks = json.loads((out / "tasks.json").read_text())
    assert {task["data"]["item_id"] for task in tasks} == set(where)
    for task in tasks:
        item = task["data"]["item_id"]
        (prediction,) = task["predictions"]
        assert {"model_version", "score", "result"} <= prediction.keys()
        shapes = prediction["result"]
        assert len({shape["id"] for shape in shapes}) == len(shapes)
        painted = np.full(SIZE, 255, np.uint8)
        for shape in shapes:
            assert (shape["original_height"], shape["original_width"], shape["image_rotation"]) == (*SIZE, 0)
            if shape["type"] == "brushlabels":
                mask = decode_brush(shape["value"]["rle"], *SIZE)
                painted[mask] = classes.names.index(shape["value"]["brushlabels"][0])
        expected = np.where(where[item], model_map[item], 255)
        assert (painted == expected).all()
        outlines = [shape for shape in shapes if shape["from_name"] == "asked"]
        assert len(outlines) == 2
        assert all(0 <= n <= 100 for shape in outlines for point in shape["value"]["points"] for n in point)
        assert (read_image(out / "images" / f"{item}.png").shape[:2]) == SIZE
    assert queue_stats(selected).states["exported"] == 3


def exported_ids(out: Path, tool: Tool) -> list[str]:
    """Items in the file that a tool imports."""
    if tool == "label-studio":
        return [task["data"]["item_id"] for task in json.loads((out / "tasks.json").read_text())]
    if tool == "cvat":
        found = ElementTree.parse(out / "annotations.xml").iter("image")
        return [image.attrib["name"].removesuffix(".png") for image in found]
    return [path.stem for path in (out / "regions").iterdir()]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_imports_each_export_has_each_task_once(
    selected: Database, classes: ClassMap, uploads: Uploads, tmp_path: Path, tool: Tool
) -> None:
    export_items(ExportSettings(tool), classes, selected, tmp_path / "monday")
    with pytest.raises(UsageError, match=f"that labelers did not get in {tool} before; --again writes those 3 items"):
        export_items(ExportSettings(tool), classes, selected, tmp_path / "tuesday")
    assert not (tmp_path / "tuesday").exists()
    for number in range(4, 7):
        uploads.add_with_maps(number)
    ingest(str(uploads.folder), selected)
    more = select_items(SelectSettings(budget_frames=2, regions_per_frame=2, batch="two"), selected)
    report = export_items(ExportSettings(tool), classes, selected, tmp_path / "wednesday")
    assert (more.frames, report.exported, report.known) == (2, 2, 3)
    imported = exported_ids(tmp_path / "monday", tool) + exported_ids(tmp_path / "wednesday", tool)
    chosen = [row["id"] for batch in ("one", "two") for row in list_items(ListSettings(batch=batch), selected)]
    assert sorted(imported) == sorted(chosen)


def test_again_writes_the_same_tasks_and_leases_nothing_twice(
    selected: Database, classes: ClassMap, out: Path, tmp_path: Path
) -> None:
    export_items(ExportSettings("label-studio", lease_days=1), classes, selected, out)
    before = {row["id"]: row["lease_until"] for row in list_items(ListSettings(batch="one"), selected)}
    again = ExportSettings("label-studio", again=True)
    report = export_items(again, classes, selected, tmp_path / "again")
    assert (report.exported, report.known) == (3, 0)
    assert (out / "tasks.json").read_bytes() == (tmp_path / "again" / "tasks.json").read_bytes()
    assert queue_stats(selected).leases == {"labelers": 3}
    for row in list_items(ListSettings(batch="one"), selected):
        longer = datetime.fromisoformat(row["lease_until"]) - datetime.fromisoformat(before[row["id"]])
        assert longer > timedelta(days=12)
        moves = [(event["before"], event["after"], event["note"]) for event in history(selected, row["id"])[2:]]
        assert moves == [("selected", "exported", "to label-studio"), ("exported", "exported", "to label-studio")]
    for settings in (ExportSettings(owner="someone else"), ExportSettings(owner="someone else", again=True)):
        with pytest.raises(UsageError, match="nothing is selected; choose with edgeseg queue select"):
            export_items(settings, classes, selected, tmp_path / "third")


def test_of_two_exports_at_once_one_gets_the_items_and_the_other_is_told(
    selected: Database, classes: ClassMap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = label_studio.write_tasks

    def overtaken(*arguments: Any) -> list[str]:
        monkeypatch.setattr(label_studio, "write_tasks", write)
        assert export_items(ExportSettings(owner="faster"), classes, selected, tmp_path / "faster").exported == 3
        return write(*arguments)

    monkeypatch.setattr(label_studio, "write_tasks", overtaken)
    with pytest.raises(QueueError, match=r"3 of the 3 items went out by another export meanwhile; import nothing of"):
        export_items(ExportSettings(owner="slower"), classes, selected, tmp_path / "slower")
    events = [event for row in list_items(ListSettings(), selected) for event in history(selected, row["id"])]
    assert [event["actor"] for event in events if event["after"] == "exported"] == ["faster"] * 3


def test_another_tool_gets_its_own_tasks_once(selected: Database, classes: ClassMap, tmp_path: Path) -> None:
    export_items(ExportSettings("label-studio"), classes, selected, tmp_path / "one")
    assert export_items(ExportSettings("folder"), classes, selected, tmp_path / "two").exported == 3
    for tool in ("label-studio", "folder"):
        with pytest.raises(UsageError, match="--again writes those 3 items once more"):
            export_items(ExportSettings(tool), classes, selected, tmp_path / "three")


def test_what_ran_out_goes_to_another_owner_but_not_into_the_same_tool_twice(
    selected: Database, classes: ClassMap, tmp_path: Path, uploads: Uploads, capsys: pytest.CaptureFixture[str]
) -> None:
    export_items(ExportSettings("cvat", lease_days=1e-9), classes, selected, tmp_path / "one")
    uploads.add_with_maps(4)
    ingest(str(uploads.folder), selected)
    change_state(selected, [item_id(4)], "selected", "test")
    assert export_items(ExportSettings("cvat", lease_days=1e-9), classes, selected, tmp_path / "two").exported == 1
    assert "3 selected items were left out: labelers got them in cvat before" in capsys.readouterr().err
    assert export_items(ExportSettings("cvat", owner="others"), classes, selected, tmp_path / "three").exported == 4


def test_a_refused_item_is_exported_once_it_is_sound(
    selected: Database, classes: ClassMap, tmp_path: Path, uploads: Uploads
) -> None:
    row = list_items(ListSettings(batch="one"), selected)[0]
    record = json.loads((uploads.folder / "records" / row["vehicle"] / f"{row['id']}.json").read_text())
    picture = uploads.folder / next(blob["key"] for blob in record["blobs"] if blob["kind"] == "image")
    content = picture.read_bytes()
    picture.write_bytes(content[:-1])
    assert export_items(ExportSettings(), classes, selected, tmp_path / "one").exported == 2
    picture.write_bytes(content)
    assert export_items(ExportSettings(), classes, selected, tmp_path / "two").exported == 1
    assert exported_ids(tmp_path / "two", "label-studio") == [row["id"]]


@pytest.mark.parametrize("tool", ["label-studio", "cvat", "cvat-masks", "folder"])
def test_what_is_drawn_comes_back_pixel_for_pixel(
    tool: str, selected: Database, classes: ClassMap, out: Path, tmp_path: Path, regions_of: dict[str, list[dict]]
) -> None:
    kind: Any = tool.removesuffix("-masks")
    export_items(ExportSettings(kind), classes, selected, out)
    labels = {item: drawn(number) for number, item in enumerate(asked(selected, regions_of))}
    back = tmp_path / "back"
    back.mkdir()
    if tool == "label-studio":
        back = back / "export.json"
        tasks = json.loads((out / "tasks.json").read_text())
        back.write_text(json.dumps(label_studio_export(tasks, labels, classes)))
    elif tool == "cvat":
        back = back / "annotations.xml"
        back.write_text(cvat_xml(labels, classes))
    elif tool == "cvat-masks":
        back = back / "masks.zip"
        cvat.write_masks(labels.items(), classes, back)
    else:
        for item, label in labels.items():
            write_png(back / "labels" / f"{item}.png", label)
    found = import_labels(ImportSettings(kind), back, classes, selected, tmp_path / "labels")
    assert (found.items, found.annotations, found.conflicts) == (3, 3, 0)
    dataset = datasets.open(f"labeled:{tmp_path / 'labels'}")
    assert len(dataset) == 3
    assert dataset.class_map.names == classes.names
    for index, sample in enumerate(dataset.sample_ids):
        assert (dataset.label(index) == labels[Path(sample).name]).all()
    assert queue_stats(selected).states["merged"] == 3


def cvat_xml(labels: Maps, classes: ClassMap) -> str:
    """An export as CVAT writes it: each class as one mask over its bounding box."""
    images = []
    for number, (item, label) in enumerate(labels.items()):
        masks = []
        for cls in np.unique(label[label != 255]).tolist():
            rows, columns = np.nonzero(label == cls)
            top, left = rows.min(), columns.min()
            inside = (label == cls)[top : rows.max() + 1, left : columns.max() + 1]
            runs, value = [0], False
            for pixel in inside.ravel():
                if pixel != value:
                    runs.append(0)
                    value = pixel
                runs[-1] += 1
            masks.append(
                f'<mask label="{classes.names[cls]}" source="manual" occluded="0" rle="{", ".join(map(str, runs))}" '
                f'left="{left}" top="{top}" width="{inside.shape[1]}" height="{inside.shape[0]}" z_order="0"></mask>'
            )
        images.append(f'<image id="{number}" name="{item}.png" width="64" height="48">{"".join(masks)}</image>')
    return f"<?xml version='1.0'?><annotations><version>1.1</version>{''.join(images)}</annotations>"


def test_cvat_gets_connected_masks_of_the_prediction(
    selected: Database, classes: ClassMap, out: Path, model_map: Maps, regions_of: dict[str, list[dict]]
) -> None:
    export_items(ExportSettings("cvat"), classes, selected, out)
    where = asked(selected, regions_of)
    found = list(cvat.read_export(out / "annotations.xml", classes))
    assert {annotation.item_id for annotation in found} == set(where)
    for annotation in found:
        expected = np.where(where[annotation.item_id], model_map[annotation.item_id], 255)
        assert (annotation.label == expected).all()
    manifest = [json.loads(line) for line in (out / "images" / "manifest.jsonl").read_text().splitlines()]
    assert manifest[:2] == [{"version": "1.0"}, {"type": "images"}]
    assert {(line["name"], line["width"], line["height"]) for line in manifest[2:]} == {(i, 64, 48) for i in where}


def test_cvat_masks_keep_their_holes(database: Database, classes: ClassMap, uploads: Uploads, out: Path) -> None:
    predicted = np.zeros(SIZE, np.uint8)
    predicted[20:25, 30:36], predicted[22, 32:34] = 3, 0
    pictures = {"image": png(), "classes": cv2.imencode(".png", predicted)[1].tobytes()}
    for content in pictures.values():
        uploads.put(blob("image", content)["key"], content)
    blobs = [blob(kind, content) for kind, content in pictures.items()]
    uploads.add(1, picture=pictures["image"], blobs=blobs, regions=[box(24, 14, 20, 16, SIZE, 0, 1.0)])
    ingest(str(uploads.folder), database)
    select_items(SelectSettings(budget_frames=1), database)
    assert export_items(ExportSettings("cvat"), classes, database, out).refused == {}
    found = []
    for mask in ElementTree.parse(out / "annotations.xml").iter("mask"):
        top, left, height, width = (int(mask.attrib[name]) for name in ("top", "left", "height", "width"))
        pixels = "".join("01"[i % 2] * int(run) for i, run in enumerate(mask.attrib["rle"].split(",")))
        rows = [pixels[begin : begin + width] for begin in range(0, len(pixels), width)]
        assert len(rows) == height
        found.append((mask.attrib["label"], top, left, width, [row.count("1") for row in rows]))
    road, car = classes.names[0], classes.names[3]
    assert sorted(found) == sorted(
        [
            (road, 14, 24, 20, [20] * 6 + [14] * 5 + [20] * 5),
            (road, 22, 32, 2, [2]),
            (car, 20, 30, 6, [6, 6, 4, 6, 6]),
        ]
    )
    (back,) = cvat.read_export(out / "annotations.xml", classes)
    assert (back.label[14:30, 24:44] == predicted[14:30, 24:44]).all()


def test_the_rest_becomes_the_prediction_where_it_is_confident(
    selected: Database, classes: ClassMap, out: Path, model_map: Maps, regions_of: dict[str, list[dict]]
) -> None:
    export_items(ExportSettings("folder"), classes, selected, out)
    where = asked(selected, regions_of)
    for item, mask in where.items():
        label = np.full(SIZE, 255, np.uint8)
        label[mask] = 6
        label[np.flatnonzero(mask.any(1))[0]] = 255
        write_png(out / "labels" / f"{item}.png", label)
    settings = ImportSettings("folder", "prediction", 0.6)
    import_labels(settings, out, classes, selected, out / "data")
    confident = (np.arange(48) * 5 <= 102)[:, None] & np.ones(SIZE, bool)
    for item, mask in where.items():
        expected = np.full(SIZE, 255, np.uint8)
        rest = confident & ~mask
        expected[rest] = model_map[item][rest]
        blank = np.zeros(SIZE, bool)
        blank[np.flatnonzero(mask.any(1))[0]] = True
        expected[mask & ~blank] = 6
        assert (read_label(out / "data" / "masks" / f"{item}.png") == expected).all()


def test_annotators_that_disagree_are_kept_and_counted(
    selected: Database, classes: ClassMap, out: Path, regions_of: dict[str, list[dict]]
) -> None:
    export_items(ExportSettings("folder"), classes, selected, out)
    item = next(iter(asked(selected, regions_of)))
    votes = {"anna": [0, 0, 1, 255], "ben": [0, 1, 2, 255], "../../eve": [0, 1, 255, 3]}
    for who, columns in votes.items():
        label = np.full(SIZE, 255, np.uint8)
        label[10, 10:14] = columns
        # What a tool calls an annotator may be anything; here it is a folder's name.
        write_png(out / "labels" / who.replace("../", "_") / f"{item}.png", label)
    found = import_labels(ImportSettings("folder"), out, classes, selected, out / "data")
    assert (found.items, found.annotations, found.conflict_px, found.conflicts) == (1, 3, 2, 1)
    assert read_label(out / "data" / "masks" / f"{item}.png")[10, 10:14].tolist() == [0, 1, 255, 3]
    assert len(list((out / "data" / "annotations" / item).glob("*.png"))) == 3
    lineage = read_lineage(out / "data", item)
    assert sorted(one["annotator"] for one in lineage["annotators"]) == ["__eve", "anna", "ben"]
    assert lineage["conflict_px"] == 2


def test_lineage_goes_down_to_the_region(
    selected: Database, classes: ClassMap, out: Path, regions_of: dict[str, list[dict]]
) -> None:
    export_items(ExportSettings("label-studio"), classes, selected, out)
    where = asked(selected, regions_of)
    labels = {item: np.where(mask, 5, 255).astype(np.uint8) for item, mask in where.items()}
    tasks = json.loads((out / "tasks.json").read_text())
    (out / "export.json").write_text(json.dumps(label_studio_export(tasks, labels, classes)))
    import_labels(ImportSettings("label-studio"), out / "export.json", classes, selected, out / "data")
    for row in list_items(ListSettings(batch="one"), selected):
        lineage = read_lineage(out / "data", row["id"])
        assert lineage["vehicle"] == row["vehicle"]
        assert (lineage["model_digest"], lineage["policy"], lineage["policy_version"]) == ("a" * 64, "top-share", "1")
        assert lineage["batch"] == "one"
        (who,) = lineage["annotators"]
        assert (who["annotator"], who["at"]) == ("anna@x", "2026-03-04T10:00:00+00:00")
        assert [region["index"] for region in lineage["regions"]] == row["regions"]
        for region in lineage["regions"]:
            assert region["predicted"] == regions_of[row["id"]][region["index"]]["class_name"]
            assert (region["labeled_px"], region["train_ids"]) == (48, {"5": 48})
            assert region["annotators"] == [{**who, "labeled_px": 48}]


def test_each_region_names_those_who_labeled_it_and_when(
    selected: Database, classes: ClassMap, out: Path, regions_of: dict[str, list[dict]]
) -> None:
    export_items(ExportSettings("label-studio"), classes, selected, out)
    task = json.loads((out / "tasks.json").read_text())[0]
    item, (first, second) = task["data"]["item_id"], task["data"]["regions"]
    corner = {index: regions_of[item][index]["polygons"][0][0] for index in (first, second)}
    for who, at, regions in (("anna", "2026-03-04T10:00:00Z", (first, second)), (7, "2026-03-05T11:30:00Z", (second,))):
        label = np.full(SIZE, 255, np.uint8)
        for index in regions:
            x, y = corner[index]
            label[y : y + 2, x : x + 3] = 1
        label_studio_export([task], {item: label}, classes)
        task["annotations"][-1] |= {"completed_by": {"email": who} if who == "anna" else who, "updated_at": at}
    (out / "export.json").write_text(json.dumps([task]))
    import_labels(ImportSettings("label-studio"), out / "export.json", classes, selected, out / "data")
    regions = {region["index"]: region["annotators"] for region in read_lineage(out / "data", item)["regions"]}
    anna = {"annotator": "anna", "at": "2026-03-04T10:00:00+00:00", "labeled_px": 6}
    other = {"annotator": "7", "at": "2026-03-05T11:30:00+00:00", "labeled_px": 6}
    assert regions[first] == [anna]
    assert sorted(regions[second], key=lambda one: one["at"]) == [anna, other]


def cvat_job(kind: str, number: int, who: str, at: str) -> str:
    """What CVAT says of a job or task, in the order in which it does."""
    assignee = f"<username>{who}</username><email>{who}@x</email>" if who else ""
    return (
        f"<{kind}><id>{number}</id><name>n</name><size>3</size><created>2026-03-01 08:00:00.5+00:00</created>"
        f"<updated>{at}</updated><owner><username>boss</username><email>boss@x</email></owner>"
        f"<assignee>{assignee}</assignee></{kind}>"
    )


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (cvat_job("task", 4, "anna", "2026-03-04 10:00:00.123456+00:00"), ("anna", "2026-03-04T10:00:00.123456+00:00")),
        (cvat_job("job", 9, "ben", "2026-03-04 12:00:00+02:00"), ("ben", "2026-03-04T12:00:00+02:00")),
        (cvat_job("task", 4, "", "2026-03-04 10:00:00+00:00"), (None, "2026-03-04T10:00:00+00:00")),
        ("<task><labels></labels></task>", (None, None)),
        ("", (None, None)),
    ],
)
def test_cvat_names_the_assignee_and_the_last_change(
    selected: Database, classes: ClassMap, out: Path, regions_of: dict, meta: str, expected: tuple[str | None, ...]
) -> None:
    export_items(ExportSettings("cvat"), classes, selected, out)
    where = asked(selected, regions_of)
    labels = {item: np.where(mask, 2, 255).astype(np.uint8) for item, mask in where.items()}
    xml = cvat_xml(labels, classes).replace("</version>", f"</version><meta>{meta}<dumped>now</dumped></meta>")
    (out / "back.xml").write_text(xml)
    import_labels(ImportSettings("cvat"), out / "back.xml", classes, selected, out / "data")
    for item in where:
        for region in read_lineage(out / "data", item)["regions"]:
            (one,) = region["annotators"]
            assert (one["annotator"], one["at"]) == expected


def test_cvat_projects_name_the_assignee_of_each_task(tmp_path: Path, classes: ClassMap) -> None:
    tasks = "".join(cvat_job("task", n, who, f"2026-03-0{n} 10:00:00+00:00") for n, who in ((1, "anna"), (2, "ben")))
    images = "".join(
        f'<image id="{n}" name="f{n}.png" subset="default" task_id="{task}" width="9" height="9"/>'
        for n, task in enumerate((2, 1, 3))
    )
    meta = f"<meta><project><id>1</id><tasks>{tasks}</tasks></project><dumped>now</dumped></meta>"
    (tmp_path / "x.xml").write_text(f"<annotations><version>1.1</version>{meta}{images}</annotations>")
    found = [(one.annotator, one.at and one.at.day) for one in cvat.read_export(tmp_path / "x.xml", classes)]
    assert found == [("ben", 2), ("anna", 1), (None, None)]


def test_importing_again_changes_nothing(
    selected: Database, classes: ClassMap, out: Path, regions_of: dict[str, list[dict]]
) -> None:
    export_items(ExportSettings("folder"), classes, selected, out)
    for number, item in enumerate(asked(selected, regions_of)):
        write_png(out / "labels" / f"{item}.png", drawn(number))
    first = import_labels(ImportSettings("folder"), out, classes, selected, out / "data")
    before = {path: path.read_bytes() for path in (out / "data").rglob("*") if path.is_file()}
    assert import_labels(ImportSettings("folder"), out, classes, selected, out / "data") == first
    assert {path: path.read_bytes() for path in (out / "data").rglob("*") if path.is_file()} == before


def test_frames_that_a_tool_would_reject_are_named_and_stay(
    selected: Database, classes: ClassMap, out: Path, uploads: Uploads, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list_items(ListSettings(batch="one"), selected)
    record = json.loads((uploads.folder / "records" / rows[0]["vehicle"] / f"{rows[0]['id']}.json").read_text())
    picture = next(blob for blob in record["blobs"] if blob["kind"] == "image")
    content = bytearray((uploads.folder / picture["key"]).read_bytes())
    content[-20] ^= 1
    (uploads.folder / picture["key"]).write_bytes(bytes(content))
    report = export_items(ExportSettings("label-studio"), classes, selected, out)
    assert list(report.refused) == [rows[0]["id"]]
    assert "is damaged, its bytes are not those of the record's digest" in report.refused[rows[0]["id"]]
    assert f"item {rows[0]['id']} was left out" in capsys.readouterr().err
    assert queue_stats(selected).states["selected"] == 1


def test_classes_that_the_map_does_not_have_are_named(selected: Database, classes: ClassMap, out: Path) -> None:
    few = ClassMap("few", classes.classes[:2])
    report = export_items(ExportSettings("cvat"), few, selected, out)
    assert report.exported == 0
    assert all("--classes has" in reason for reason in report.refused.values())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (SegmentationClass("a:b", (1, 2, 3), (9,)), "labeling tools take no colons, commas, quotes or tags"),
        (SegmentationClass("other", (10, 255, 0), (9,)), "have the colour .* which is another's or the background's"),
        (SegmentationClass("black", (0, 0, 0), (9,)), "have the colour .* which is another's or the background's"),
    ],
)
def test_labels_that_no_tool_can_tell_apart_are_refused(
    selected: Database, classes: ClassMap, out: Path, row: SegmentationClass, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        export_items(ExportSettings("cvat"), ClassMap("bad", (*classes.classes, row)), selected, out)
    assert not out.exists()


def test_items_that_are_not_out_for_labeling_are_refused(selected: Database, classes: ClassMap, out: Path) -> None:
    write_png(out / "labels" / f"{'0' * 64}.png", drawn(0))
    with pytest.raises(QueueError, match="is not in the queue; is this the --db that it was exported from"):
        import_labels(ImportSettings("folder"), out, classes, selected, out / "data")
    (out / "labels" / f"{'0' * 64}.png").unlink()
    waiting = list_items(ListSettings(state="flagged"), selected)[0]["id"]
    write_png(out / "labels" / f"{waiting}.png", drawn(0))
    with pytest.raises(QueueError, match="is flagged: it is not out for labeling; did its lease run out"):
        import_labels(ImportSettings("folder"), out, classes, selected, out / "data")


@pytest.mark.parametrize(
    ("tool", "name", "content", "message"),
    [
        ("label-studio", "x.json", b"{}", "is no JSON export of Label Studio"),
        ("label-studio", "x.json", b"[1", "is no JSON export of Label Studio"),
        ("cvat", "x.xml", b"<annotations", "is no export of CVAT"),
        ("cvat", "x.xml", b"<!DOCTYPE a [<!ENTITY x 'y'>]><annotations/>", "has no document type"),
        ("cvat", "x.xml", b'<a><image name="b" width="99999" height="99999"/></a>', "is out of bounds"),
        ("folder", "nothing", b"", "no labels there; put them into labels/ITEM_ID.png"),
    ],
)
def test_exports_of_another_form_are_told(
    selected: Database, classes: ClassMap, tmp_path: Path, tool: Any, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        import_labels(ImportSettings(tool), path, classes, selected, tmp_path / "data")


def test_a_colour_of_no_class_is_told(selected: Database, classes: ClassMap, tmp_path: Path) -> None:
    done, content = cv2.imencode(".png", np.full((*SIZE, 3), 77, np.uint8))
    assert done
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\n")
        archive.writestr(f"SegmentationClass/{item_id(0)}.png", content.tobytes())
    with pytest.raises(DataError, match=r"has the colour \(77, 77, 77\), which no class has"):
        import_labels(ImportSettings("cvat"), tmp_path / "x.zip", classes, selected, tmp_path / "data")


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="--to 'paper': tools are label-studio, cvat, folder"):
        ExportSettings("paper")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="--rest 'guess': write ignore or prediction"):
        ImportSettings(rest="guess")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="min_confidence must be within 0 to 1, got 2"):
        ImportSettings(min_confidence=2)
    with pytest.raises(ConfigError, match="lease_days must be above 0"):
        ExportSettings(lease_days=0)
