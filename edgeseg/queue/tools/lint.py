"""Frames that a labeling tool would reject, found before anything is written, and by name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgeseg.classes import ClassMap
from edgeseg.errors import UsageError
from edgeseg.queue.tools.task import Task, predicted_masks

BACKGROUND = "background"
_UNFIT = re.compile(r"[:,;\"'<>&\r\n\t]|^\s|\s$")


def check_classes(classes: ClassMap) -> None:
    """Refuses class names and colours that break a tool's list of labels.

    Raises:
        UsageError: A name holds a separator of the tools' files, or two classes cannot be told apart by colour.
    """
    for row in classes.classes:
        if _UNFIT.search(row.name):
            raise UsageError(f"class {row.name!r}: labeling tools take no colons, commas, quotes or tags in a name")
    colors = [row.color for row in classes.classes if row.name != BACKGROUND]
    twice = sorted({color for color in colors if colors.count(color) > 1 or color == (0, 0, 0)})
    if twice:
        names = [row.name for row in classes.classes if row.color == twice[0]]
        raise UsageError(
            f"classes {', '.join(names)} have the colour {twice[0]}, which is another's or the background's; "
            "give each a colour of its own in classes.yaml"
        )


def problems(task: Task, classes: ClassMap) -> Iterator[str]:
    """What a tool would reject of a task; nothing where all is well."""
    for region in task.regions:
        if region.class_id is None:
            continue
        if region.class_id >= classes.num_classes:
            yield f"a region's class {region.class_name!r} has train id {region.class_id}, --classes has none such"
        elif region.class_name != classes.names[region.class_id]:
            there = classes.names[region.class_id]
            yield f"train id {region.class_id} is {region.class_name!r} to the vehicle, {there!r} in --classes"
    unknown = sorted({cls for _, cls, _, _ in predicted_masks(task) if cls >= classes.num_classes})
    if unknown:
        yield f"the predicted map holds train ids {unknown}, --classes has only {classes.num_classes} classes"
