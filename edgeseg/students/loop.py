"""One epoch of training."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from edgeseg.errors import TrainingError
from edgeseg.nets.base import SegmentationNet
from edgeseg.progress import track
from edgeseg.students.batches import Batch, Loaded, batches_of
from edgeseg.students.compiling import Forward
from edgeseg.students.distribution import ALONE, Distribution
from edgeseg.students.ema import MovingAverage
from edgeseg.students.extra_loss import Step, TrainedExtra
from edgeseg.students.hardware import Hardware
from edgeseg.students.losses import Objective
from edgeseg.students.optimizer import set_rate
from edgeseg.students.reduction import average_over_processes
from edgeseg.students.schedule import rate_factor
from edgeseg.students.semi.supervision import SemiSupervision
from edgeseg.students.settings import TrainSettings


@dataclass
class Learner:
    """What an epoch changes, and how.

    Attributes:
        settings: Of the training.
        hardware: Where it runs.
        net: The trained network.
        forward: Calls it, compiled or not.
        objective: What is minimised.
        optimizer, scaler, average: The optimiser, the fp16 loss scale, the moving average or None.
        semi: What is done with unlabeled samples, or None.
        extra: A further loss, or None.
        together: The processes that share the batches; figures are those of all.
    """

    settings: TrainSettings
    hardware: Hardware
    net: SegmentationNet
    forward: Forward
    objective: Objective
    optimizer: Optimizer
    scaler: GradScaler
    average: MovingAverage | None
    semi: SemiSupervision | None = None
    extra: TrainedExtra | None = None
    together: Distribution = ALONE

    @property
    def result(self) -> torch.nn.Module:
        """The network to validate and save."""
        return self.average.net if self.average else self.net

    def run_epoch(self, loader: DataLoader[Loaded], epoch: int) -> dict[str, Any]:
        """Trains on every batch once.

        Args:
            loader: Batches of the epoch.
            epoch: Counted from 0.

        Returns:
            ``Objective.figures`` of the mean loss terms, the last ``learning_rate``, ``images_per_s``.

        Raises:
            TrainingError: The loss is not finite; the message names epoch, iteration and samples.
        """
        self.net.train()
        per_epoch = len(loader)
        started, images = time.perf_counter(), 0
        watch = _LossWatch(epoch)
        rate = 0.0
        what = f"epoch {epoch + 1}/{self.settings.epochs}"
        for number, batch in enumerate(track(batches_of(loader), what, total=per_epoch)):
            iteration = epoch * per_epoch + number
            total = self.settings.epochs * per_epoch
            rate = self.settings.optimizer.learning_rate * rate_factor(
                self.settings.schedule, iteration, total, per_epoch
            )
            self.objective.kl_weight.set_progress(iteration / total)
            set_rate(self.optimizer, rate)
            watch.add(iteration, batch.sample_ids, self._try_step(batch, iteration / total))
            if self.average:
                self.average.update(iteration)
            if self.semi:
                self.semi.update(iteration)
            if self.extra:
                self.extra.update(iteration)
            images += len(batch.sample_ids) * self.together.world
        figures = {**self.objective.figures(watch.means()), **(self.semi.figures() if self.semi else {})}
        return {**figures, "learning_rate": rate, "images_per_s": images / (time.perf_counter() - started)}

    def _try_step(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        try:
            return self._step(batch, progress)
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"the memory of {self.hardware.device} does not suffice for {len(batch.sample_ids)} samples of "
                f"{batch.images.shape[2]}x{batch.images.shape[3]}; lower batch_size, or height and width"
            ) from error

    def _step(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        device = self.hardware.device
        images = batch.images.to(device, non_blocking=True, memory_format=self.hardware.memory_format)
        label = batch.labels.to(device, non_blocking=True)
        soft = None if batch.soft_labels is None else batch.soft_labels.to(device, non_blocking=True)
        task = self.semi.prepare(batch.unlabeled) if self.semi and batch.unlabeled else None
        with self.hardware.autocast:
            # One pass for both: batch norm then sees twice as many images.
            outputs = self.forward(images if task is None else torch.cat([images, task.images]))
        labeled, unlabeled = _parted(outputs, len(images))
        terms: dict[str, Tensor] = self.objective(labeled, label, soft)
        if self.semi and task:
            terms = self.semi.add(terms, unlabeled, task, self.objective.kl)
        if self.extra:
            step = Step(
                images,
                label,
                main_head(labeled),
                self._logits,
                self.objective.cross_entropy,
                progress,
                batch.sample_ids,
            )
            terms = self.extra.add(terms, step)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(terms["loss"]).backward()  # type: ignore[no-untyped-call]
        if self.extra:
            self.extra.share_gradients()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return {name: value.detach() for name, value in terms.items()}

    def _logits(self, images: Tensor) -> Tensor:
        with self.hardware.autocast:
            return main_head(self.forward(images))


def main_head(outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The main head's logits (N, C, H, W) of what a network gives in training mode."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def _parted(outputs: Tensor | tuple[Tensor, ...], labeled: int) -> tuple[Tensor | tuple[Tensor, ...], Tensor]:
    """Outputs of the labeled images, and the main head's of the unlabeled ones behind them."""
    if isinstance(outputs, tuple):
        return tuple(head[:labeled] for head in outputs), outputs[0][labeled:]
    return outputs[:labeled], outputs[labeled:]


class _LossWatch:
    """Sums loss terms and looks at each loss one iteration late, when a GPU has computed it anyway."""

    def __init__(self, epoch: int) -> None:
        self._epoch, self._count = epoch, 0
        self._sums: dict[str, Tensor] = {}
        self._pending: tuple[int, tuple[str, ...], dict[str, Tensor]] | None = None

    def add(self, iteration: int, sample_ids: tuple[str, ...], terms: dict[str, Tensor]) -> None:
        self._check()
        self._pending = iteration, sample_ids, terms
        self._sums = {name: self._sums.get(name, 0) + value for name, value in terms.items()}
        self._count += 1

    def means(self) -> dict[str, float]:
        """Of all processes."""
        self._check()
        return {name: float(average_over_processes(value)) / self._count for name, value in self._sums.items()}

    def _check(self) -> None:
        if self._pending is None:
            return
        iteration, sample_ids, terms = self._pending
        if not math.isfinite(float(terms["loss"])):
            values = ", ".join(f"{name} {float(value):g}" for name, value in terms.items())
            raise TrainingError(
                f"the loss is not finite ({values}) in epoch {self._epoch + 1}, iteration {iteration}, on the samples "
                f"{', '.join(sample_ids)}; look at these samples, or lower optimizer.learning_rate"
            )
