"""From settings to the parts that unlabeled frames need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from edgeseg.preprocess import Preprocess
from edgeseg.students.batches import DecodedFrames
from edgeseg.students.loop import Learner
from edgeseg.students.semi.donors import Donors
from edgeseg.students.semi.samples import UnlabeledSamples
from edgeseg.students.semi.sources import Unlabeled
from edgeseg.students.semi.stream import UnlabeledStream
from edgeseg.students.semi.supervision import SemiSupervision
from edgeseg.students.semi.tail import pixels_by_frame, tail_ids
from edgeseg.students.settings import TrainSettings


def build_samples(
    settings: TrainSettings, unlabeled: Unlabeled, labeled: DecodedFrames, preprocess: Preprocess, memory_mb: float
) -> UnlabeledSamples:
    """Makes the unlabeled samples.

    Args:
        settings: Of the training.
        unlabeled: The frames.
        labeled: Labeled frames, of which ``balanced`` ClassMix pastes classes.
        preprocess: The network's input.
        memory_mb: Most memory for decoded unlabeled frames.

    Raises:
        ConfigError: No label shows a rare class.
        DataError: A frame cannot be read.
    """
    frames = DecodedFrames(unlabeled.dataset, memory_mb, labels=False)
    view = settings.semi.augment or settings.augment
    donors = _donors(settings, labeled, preprocess)
    known = _known_labels(unlabeled, labeled) if settings.semi.known_labels else None
    return UnlabeledSamples(frames, preprocess, view, settings.seed, donors, unlabeled.soft_labels, known)


def build_stream(settings: TrainSettings, frames: int) -> UnlabeledStream:
    """Makes the order in which so many unlabeled frames come."""
    semi = settings.semi
    return UnlabeledStream(frames, semi.samples(settings.batch_size), settings.seed, semi.first_epoch(settings.epochs))


def build_supervision(settings: TrainSettings, learner: Learner, class_names: tuple[str, ...]) -> SemiSupervision:
    """Makes what the training step needs."""
    weights = learner.objective.cross_entropy.class_weights if settings.semi.class_weights else None
    return SemiSupervision(
        settings.semi, learner.net, learner.hardware, class_names, settings.seed, weights, settings.compile
    )


def _known_labels(unlabeled: Unlabeled, labeled: DecodedFrames) -> Callable[[int], Tensor | None]:
    places = {sample_id: index for index, sample_id in enumerate(labeled.dataset.sample_ids)}
    return partial(_known_label, labeled, [places.get(sample_id) for sample_id in unlabeled.dataset.sample_ids])


def _known_label(labeled: DecodedFrames, places: Sequence[int | None], frame: int) -> Tensor | None:
    place = places[frame]
    return None if place is None else labeled[place][1]


def _donors(settings: TrainSettings, labeled: DecodedFrames, preprocess: Preprocess) -> Donors | None:
    semi = settings.semi
    if semi.classmix != "balanced" or not semi.weight:
        return None
    class_map = labeled.dataset.class_map
    pixels = pixels_by_frame(labeled.label_maps(), class_map.num_classes)
    tail = tail_ids(semi.tail_classes, class_map, pixels)
    return Donors(labeled, preprocess, settings.augment, pixels, tail, semi.pasted_tail, semi.pasted_head)
