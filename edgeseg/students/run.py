"""The epochs of a run, and what is validated and written after each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import save_checkpoint
from edgeseg.progress import say
from edgeseg.students import augment
from edgeseg.students.batches import DecodedFrames, EpochBatches, TrainingSamples, make_loader
from edgeseg.students.loop import Learner
from edgeseg.students.run_folder import RunFolder, RunState
from edgeseg.students.semi.unlabeled import UnlabeledKey
from edgeseg.students.validation import validate

_SHOWN = (
    "loss",
    "ce",
    "aux",
    "kl",
    "kl_ce_ratio",
    "kl_weight",
    "pseudo_ce",
    "confidence",
    "sure",
    "unlabeled_kl",
    "extra",
    "miou",
)


@dataclass
class Run:
    """A training under way.

    Attributes:
        learner: Network and optimiser.
        folder: Where results go.
        state: What is done so far.
        info: What the checkpoints say of the model.
        samples: Training samples.
        val_frames: Frames that choose the best checkpoint, or None.
        unlabeled: Unlabeled samples of each iteration, see ``EpochBatches``; or None.
    """

    learner: Learner
    folder: RunFolder
    state: RunState
    info: ModelInfo
    samples: TrainingSamples
    val_frames: DecodedFrames | None
    unlabeled: Callable[[int, int], list[UnlabeledKey]] | None = None

    def finish(self) -> None:
        """Trains the epochs that are left."""
        settings = self.learner.settings
        together = self.learner.together
        batches = EpochBatches(
            len(self.samples.frames),
            settings.batch_size,
            settings.seed,
            self.unlabeled,
            together.rank,
            together.world,
            settings.iterations_per_epoch,
        )
        loader = make_loader(self.samples, batches, settings.workers, pin=self.learner.hardware.device.type == "cuda")
        for epoch in range(self.state.epoch, settings.epochs):
            batches.epoch = epoch
            # Dropout: the same after a resumption, another in each process.
            own = (together.rank,) if together.rank else ()
            torch.manual_seed(augment.seed_of(settings.seed, epoch, "network", *own))
            self._close_epoch(epoch, self.learner.run_epoch(loader, epoch))

    def restore(self) -> None:
        """Puts the saved state into network, average and optimiser, and takes back what was written after it."""
        learner, state = self.learner, self.state
        learner.net.load_state_dict(state.net)
        learner.optimizer.load_state_dict(state.optimizer)
        learner.scaler.load_state_dict(state.scaler)
        if state.objective:  # a state from before objectives had one has none
            learner.objective.load_state_dict(state.objective)
        if learner.average is not None and state.ema is not None:
            learner.average.net.load_state_dict(state.ema)
        if learner.semi is not None and learner.semi.teacher is not None and state.teacher is not None:
            learner.semi.teacher.net.load_state_dict(state.teacher)
        if learner.extra is not None and state.extra is not None:
            learner.extra.load_state_dict(state.extra)
        if learner.together.leads:
            self.folder.write_metrics(state.history)

    def _close_epoch(self, epoch: int, figures: dict[str, Any]) -> None:
        """Validates and writes; the state comes last, so that a run killed in between repeats this epoch."""
        miou = self._validate(epoch)
        self.state.history.append({"epoch": epoch + 1, **figures, "miou": miou})
        info = self.info.with_extra(epoch=epoch + 1, val_miou=miou)
        better = miou is not None and (self.state.best_miou is None or miou > self.state.best_miou)
        if better:
            self.state.best_miou = miou
        self.state.epoch = epoch + 1
        if self.learner.together.leads:
            self._write(info, best=better or self.val_frames is None)
            self._tell()

    def _write(self, info: ModelInfo, best: bool) -> None:
        if best:
            save_checkpoint(self.folder.best, self.learner.result, info)
        save_checkpoint(self.folder.last, self.learner.result, info)
        if self.learner.extra:
            self.folder.write_extra(self.learner.extra.result.state_dict())
        self.folder.write_metrics(self.state.history)
        self._write_state()

    def _validate(self, epoch: int) -> float | None:
        settings = self.learner.settings
        due = (epoch + 1) % settings.evaluate_every == 0 or epoch + 1 == settings.epochs
        if self.val_frames is None or not due:
            return None
        net = self.learner.result.eval()
        learner = self.learner
        return validate(net, self.val_frames, self.samples.preprocess, learner.hardware, learner.together).miou()

    def _write_state(self) -> None:
        learner = self.learner
        self.state.net = learner.net.state_dict()
        self.state.ema = learner.average.net.state_dict() if learner.average else None
        teacher = learner.semi.teacher if learner.semi else None
        self.state.teacher = teacher.net.state_dict() if teacher else None
        self.state.optimizer = learner.optimizer.state_dict()
        self.state.scaler = learner.scaler.state_dict()
        self.state.objective = learner.objective.state_dict()
        self.state.extra = learner.extra.state_dict() if learner.extra else None
        self.folder.write_state(self.state)

    def _tell(self) -> None:
        line = self.state.history[-1]
        figures = ", ".join(f"{name} {line[name]:.4f}" for name in _SHOWN if line.get(name) is not None)
        say(f"epoch {line['epoch']}/{self.learner.settings.epochs}: {figures}, {line['images_per_s']:.1f} images/s")
