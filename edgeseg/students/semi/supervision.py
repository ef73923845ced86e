"""What a training step does with unlabeled images: let the teacher label them, mix them, and learn from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from edgeseg.classes import IGNORE_INDEX
from edgeseg.students.augment import seed_of
from edgeseg.students.compiling import forward_of
from edgeseg.students.ema import MovingAverage
from edgeseg.students.hardware import Hardware
from edgeseg.students.reduction import shared_mean, sum_over_processes
from edgeseg.students.semi import classmix, pseudo_labels
from edgeseg.students.semi.pseudo_labels import PseudoLabels
from edgeseg.students.semi.settings import SemiSettings
from edgeseg.students.semi.unlabeled import UnlabeledBatch

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Task:
    """What the student is to learn from a batch of unlabeled images.

    Attributes:
        images: (N, 3, H, W), what it sees.
        target: Labels of what it sees; None where only soft labels teach.
        soft_labels: (N, C, H, W), all 0 where there are none; or None.
        figures: () float32 each, what is told of the teacher.
    """

    images: Tensor
    target: PseudoLabels | None
    soft_labels: Tensor | None
    figures: Terms


class SemiSupervision:
    """Pseudo-labels of a teacher, by the settings.

    Args:
        settings: Which parts are on.
        net: The student; the teacher starts as its copy.
        hardware: Where it runs.
        class_names: Of the outputs, in order.
        seed: Of the training.
        class_weights: (C,) float32 of the loss on pseudo-labels, or None.
        compiled: Whether the teacher runs through ``torch.compile``.
    """

    def __init__(
        self,
        settings: SemiSettings,
        net: nn.Module,
        hardware: Hardware,
        class_names: tuple[str, ...],
        seed: int,
        class_weights: Tensor | None = None,
        compiled: bool = False,
    ) -> None:
        self.settings, self.net, self.hardware = settings, net, hardware
        self.class_names, self.seed, self.class_weights = class_names, seed, class_weights
        labels = settings.weight > 0
        self.teacher = (
            MovingAverage(net, settings.ema_decay, running_mean) if labels and settings.mean_teacher else None
        )
        self._forward = forward_of(self.teacher.net, compiled) if self.teacher else None
        self._pasted = torch.zeros(len(class_names), dtype=torch.int64, device=hardware.device)

    def prepare(self, batch: UnlabeledBatch) -> Task:
        """Labels and mixes a batch of the loader."""
        batch = batch.to(self.hardware.device, self.hardware.memory_format)
        self._count(classmix.shown_classes(batch.pasted, len(self.class_names)))
        if not self.settings.weight:
            return Task(batch.student_images, None, batch.soft_labels, {})
        target = pseudo_labels.arrange(self._predict(batch.teacher_images), batch.flips, batch.inside)
        task = Task(batch.student_images, target, batch.soft_labels, self._tell(target))
        task = self._with_labels(self._with_labels(task, batch.known), batch.pasted)
        return self._mixed(task, batch.positions) if self.settings.classmix == "plain" else task

    def add(self, terms: Terms, logits: Tensor, task: Task, kl: nn.Module | None) -> Terms:
        """Adds what the unlabeled images cost to the terms of the labeled ones.

        Args:
            terms: Of the labeled images, with ``loss``, and with ``kl_weight`` where ``kl`` is given.
            logits: (N, C, H, W), the student's on ``task.images``.
            task: Of ``prepare``.
            kl: The loss on soft labels, or None.

        Returns:
            The terms with ``loss`` raised, and of what there is: the unweighted ``pseudo_ce`` and ``unlabeled_kl``,
            the ``confidence`` of the teacher and the ``sure`` share of pixels.
        """
        loss, more = terms["loss"], dict(task.figures)
        if task.target is not None:
            threshold = self.settings.threshold if self.settings.confidence_weighting else None
            more["pseudo_ce"] = pseudo_labels.pseudo_label_loss(logits, task.target, threshold, self.class_weights)
            loss = loss + self.settings.weight * more["pseudo_ce"]
        if kl is not None and task.soft_labels is not None:
            more["unlabeled_kl"] = kl(logits, task.soft_labels)
            loss = loss + terms["kl_weight"] * more["unlabeled_kl"]
        return {**terms, "loss": loss, **more}

    def update(self, iteration: int) -> None:
        """Takes the student's state into the teacher after an iteration, counted from 0 over the whole training."""
        if self.teacher is not None:
            self.teacher.update(iteration)

    def figures(self) -> dict[str, Any]:
        """``pasted``: class → images on which it was pasted since the last call; nothing where none is pasted."""
        counts = dict(zip(self.class_names, sum_over_processes(self._pasted).tolist(), strict=True))
        self._pasted.zero_()
        return {} if self.settings.classmix == "off" or not self.settings.weight else {"pasted": counts}

    def _predict(self, images: Tensor) -> PseudoLabels:
        with self.hardware.autocast:
            if self._forward is not None:
                return pseudo_labels.predict(self._forward, images)
            self.net.eval()
            try:
                return pseudo_labels.predict(self.net, images)
            finally:
                self.net.train()

    def _tell(self, target: PseudoLabels) -> Terms:
        counted = (target.labels != IGNORE_INDEX).sum()
        sure = (target.confidence >= self.settings.threshold).sum()
        return {"confidence": shared_mean(target.confidence.sum(), counted), "sure": shared_mean(sure, counted)}

    def _with_labels(self, task: Task, true: Tensor) -> Task:
        """Puts true labels in the place of the teacher's, where there are some."""
        assert task.target is not None
        there = true != IGNORE_INDEX
        labels = torch.where(there, true, task.target.labels)
        return replace(task, target=PseudoLabels(labels, task.target.confidence.masked_fill(there, 1.0)))

    def _mixed(self, task: Task, positions: tuple[int, ...]) -> Task:
        assert task.target is not None
        generator = torch.Generator().manual_seed(seed_of(self.seed, positions[0], "classmix"))
        labels = task.target.labels
        chosen = classmix.draw_half(classmix.shown_classes(labels, len(self.class_names)), generator)
        self._count(chosen)
        mask = classmix.mask_of(labels, chosen)
        return replace(
            task,
            images=classmix.paste_on_next(mask, task.images),
            target=PseudoLabels(
                classmix.paste_on_next(mask, labels), classmix.paste_on_next(mask, task.target.confidence)
            ),
            soft_labels=None if task.soft_labels is None else classmix.paste_on_next(mask, task.soft_labels),
        )

    def _count(self, classes: Tensor) -> None:
        self._pasted += classes.sum(0)


def running_mean(iteration: int) -> float:
    """Decay 1 - 1/(t + 1) of the mean teacher's first iterations: the teacher is the mean of all students so far.

    Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017; as in S4AL. At t = 0 it is 0.
    """
    return 1.0 - 1.0 / (iteration + 1)
