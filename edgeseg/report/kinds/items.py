"""Items of a spool as pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from edgeseg.classes import ClassMap, SegmentationClass, voc_color
from edgeseg.device.spool import SpoolItem
from edgeseg.images import read_image, read_label
from edgeseg.records import Record
from edgeseg.report.kinds import examples
from edgeseg.report.page import Figure


def item_row(item: SpoolItem, classes: ClassMap) -> tuple[Figure, ...]:
    """The frame with its regions, its class map and its entropy, as far as they were kept.

    Raises:
        DataError: A file of it cannot be read.
    """
    record, row = item.record, []
    score = record.scores[0]
    if (path := item.blob("image")) is not None:
        rings = [np.asarray(ring, np.float32) for region in record.regions for ring in region.polygons]
        told = f"{record.frame_id}: {score.name} {score.value:.3g} {score.unit}"
        alt = f"Kept frame {record.frame_id} with its regions"
        row.append(examples.regions(read_image(path), rings, alt, told))
    if (path := item.blob("classes")) is not None:
        named = [region.class_name for region in record.regions if region.class_name]
        doubted = Counter(sorted(named)).most_common(1)[0][0] if named else "nothing"
        caption = f"{len(record.regions)} regions, most often taken for {doubted}"
        row.append(examples.classes(read_label(path), classes, f"Class map of frame {record.frame_id}", caption))
    if (path := item.blob("entropy")) is not None:
        row.append(examples.heat(read_label(path), f"Entropy of frame {record.frame_id}", "entropy"))
    return tuple(row)


def classes_of(records: Iterable[Record]) -> ClassMap:
    """A class map from the names that the records' regions have; colours are of their own."""
    names = {r.class_id: r.class_name for record in records for r in record.regions if r.class_id is not None}
    count = max(names, default=0) + 1
    rows = [SegmentationClass(names.get(i) or f"class {i}", voc_color(i + 1), (i,)) for i in range(count)]
    return ClassMap("records", tuple(rows))
