"""Training and distillation, from settings to the files of a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.amp import GradScaler

from edgeseg import config, datasets, nets, softlabels
from edgeseg.datasets import Dataset
from edgeseg.errors import ConfigError
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.checkpoint import initialize, read_info, save_checkpoint
from edgeseg.preprocess import Preprocess
from edgeseg.progress import say, warn
from edgeseg.students import augment
from edgeseg.students.batches import DecodedFrames, EpochBatches, TrainingSamples, WindowReader, make_loader
from edgeseg.students.ema import MovingAverage
from edgeseg.students.hardware import Hardware, choose
from edgeseg.students.loop import Learner
from edgeseg.students.losses import (
    CrossEntropy,
    Objective,
    SoftLabelKL,
    count_classes,
    enet_weights,
    median_frequency_weights,
)
from edgeseg.students.optimizer import build_optimizer
from edgeseg.students.run_folder import RunFolder, RunState
from edgeseg.students.settings import DistillSettings, TrainSettings
from edgeseg.students.validation import validate


@dataclass(frozen=True)
class TrainResult:
    """What a training gave.

    Attributes:
        best: Checkpoint of the best epoch on the validation data; the last epoch's where there is none.
        last: Checkpoint of the last epoch.
        epochs: Epochs trained.
        best_miou: Mean IoU of ``best`` on the validation data, None where there is none. It was chosen on, so it
            is no figure to report.
    """

    best: Path
    last: Path
    epochs: int
    best_miou: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {**asdict(self), "best": str(self.best), "last": str(self.last)}


def train(settings: TrainSettings, out: Path, resume: bool = False) -> TrainResult:
    """Trains one network on labels.

    Writes ``best.edgeseg``, ``last.edgeseg``, ``metrics.jsonl``, ``config.yaml`` and, after each epoch, the state
    from which ``resume`` goes on to the same result as if the run had never been interrupted.

    Args:
        settings: What to train and how.
        out: Folder of the run.
        resume: Whether to go on with the run in ``out``; without one there, it starts.

    Raises:
        ConfigError: A setting cannot be used, or differs from those of the run to be resumed.
        DataError: The dataset cannot be used.
        ModelError: ``init`` or ``backbone_weights`` does not fit.
        OutputError: ``out`` holds a run, or cannot be written.
        TrainingError: The loss is not finite.
    """
    folder = _folder(out, resume)
    train_data, val_data = _open_data(settings, labels=True)
    return _run(settings, folder, resume, train_data, val_data, None, {})


def distill(settings: DistillSettings, out: Path, resume: bool = False) -> TrainResult:
    """Trains one network on labels and on cached soft labels; see ``train``.

    Raises:
        CacheError: The cache does not fit the dataset; nothing was trained or written.
        ConfigError: See ``train``; also where the settings need labels that the dataset has not.
        DataError: See ``train``.
        ModelError: See ``train``.
        OutputError: See ``train``.
        TrainingError: See ``train``.
    """
    folder = _folder(out, resume)
    cache = softlabels.open(settings.cache)
    train_data, val_data = _open_data(settings, labels=settings.needs_labels)
    softlabels.require_fit(cache, train_data)
    extra = {"soft_labels": cache.info.fingerprint}
    return _run(settings, folder, resume, train_data, val_data, cache.window, extra)


def _folder(out: Path, resume: bool) -> RunFolder:
    folder = RunFolder(out)
    if not resume:
        folder.require_free()
    return folder


def _open_data(settings: TrainSettings, labels: bool) -> tuple[Dataset, Dataset | None]:
    """Opens and checks (training data, validation data or None)."""
    data = datasets.open(settings.data)
    if labels and not data.has_labels:
        raise ConfigError(
            f"{settings.data} has no labels; train on labeled data, or distill with ce_weight=0 and kl_on=all"
        )
    datasets.require_usable(data, labels=labels)
    if settings.val == "none" or (settings.val is None and not data.has_labels):
        return data, None
    if settings.val is None:
        return datasets.holdout(data)
    val = datasets.open(settings.val)
    if not val.has_labels:
        raise ConfigError(f"val {settings.val} has no labels; name a labeled set, or none to choose nothing")
    if not val.class_map.same_classes(data.class_map):
        raise ConfigError(
            f"val {settings.val} has the classes {', '.join(val.class_map.names)}, "
            f"but data {settings.data} has {', '.join(data.class_map.names)}; they must be the same"
        )
    datasets.require_usable(val)
    return data, val


def _run(
    settings: TrainSettings,
    folder: RunFolder,
    resume: bool,
    train_data: Dataset,
    val_data: Dataset | None,
    soft_window: WindowReader | None,
    extra: dict[str, Any],
) -> TrainResult:
    settings = _with_size(settings, train_data)
    assert settings.height and settings.width
    preprocess = settings.preprocess.at(settings.height, settings.width)
    plain, digest = config.to_plain(settings), train_data.digest()
    state = folder.read_state({**plain, **extra}, digest) if resume else None
    torch.manual_seed(settings.seed)
    net = _build_net(settings, train_data, preprocess, fresh=state is None)
    config.write(settings, folder.config)
    uses_labels = not isinstance(settings, DistillSettings) or settings.needs_labels
    frames = DecodedFrames(train_data, settings.memory_mb, uses_labels)
    left = max(0.0, settings.memory_mb - frames.memory_mb)
    val_frames = DecodedFrames(val_data, left) if val_data is not None else None
    hardware = choose(settings)
    learner = _learner(settings, hardware, net, frames)
    info = ModelInfo(
        network=settings.network,
        class_map=train_data.class_map,
        preprocess=preprocess,
        options=settings.network_options,
        training=plain,
        data_digest=digest,
        extra=extra,
    )
    state = _restore(learner, state) if state else RunState({**plain, **extra}, digest)
    samples = TrainingSamples(frames, preprocess, settings.augment, settings.seed, soft_window)
    return _Run(learner, folder, state, info, samples, val_frames).finish()


def _with_size(settings: TrainSettings, data: Dataset) -> TrainSettings:
    if settings.height is not None:
        return settings
    height, width = data.size(0)
    return replace(settings, height=height, width=width)


def _build_net(settings: TrainSettings, data: Dataset, preprocess: Preprocess, fresh: bool) -> SegmentationNet:
    net = nets.build(settings.network, data.class_map.num_classes, **settings.network_options)
    if not fresh:
        return net
    if settings.init is not None:
        _initialize(net, settings.init, data, preprocess)
    elif settings.backbone_weights is not None:
        _load_backbone(net, settings)
    return net


def _initialize(net: SegmentationNet, path: Path, data: Dataset, preprocess: Preprocess) -> None:
    new = initialize(net, path, data.class_map)
    say(f"weights of {path}" + (f", but a new head: {', '.join(new)}" if new else ""))
    theirs = read_info(path).preprocess
    if (theirs.mean, theirs.std, theirs.channel_order) != (preprocess.mean, preprocess.std, preprocess.channel_order):
        warn(
            f"{path} was trained with mean {theirs.mean}, std {theirs.std}, {theirs.channel_order}; "
            f"this training uses mean {preprocess.mean}, std {preprocess.std}, {preprocess.channel_order}"
        )


def _load_backbone(net: SegmentationNet, settings: TrainSettings) -> None:
    load = getattr(net, "load_backbone", None)
    if load is None:
        raise ConfigError(f"network {settings.network} has no backbone; leave out --backbone-weights, or use --init")
    load(settings.backbone_weights)


def _learner(settings: TrainSettings, hardware: Hardware, net: SegmentationNet, frames: DecodedFrames) -> Learner:
    net.to(hardware.device).to(memory_format=hardware.memory_format)
    objective = _objective(settings, net, frames).to(hardware.device)
    return Learner(
        settings=settings,
        hardware=hardware,
        net=net,
        objective=objective,
        optimizer=build_optimizer(settings.optimizer, net),
        scaler=GradScaler(hardware.device.type, enabled=hardware.needs_scaling),
        average=MovingAverage(net, settings.ema_decay) if settings.ema_decay else None,
    )


def _objective(settings: TrainSettings, net: SegmentationNet, frames: DecodedFrames) -> Objective:
    ce_weight = settings.ce_weight if isinstance(settings, DistillSettings) else 1.0
    loss = settings.loss
    cross_entropy = CrossEntropy(
        _class_weights(settings, frames) if ce_weight else None,
        loss.ohem,
        loss.ohem_share,
        loss.ohem_threshold,
        loss.label_smoothing,
    )
    if not isinstance(settings, DistillSettings):
        return Objective(cross_entropy, net.aux_weights)
    kl = SoftLabelKL(settings.temperature, settings.kl_direction, settings.kl_t_squared)
    return Objective(cross_entropy, net.aux_weights, kl, ce_weight, settings.kl_weight, settings.kl_on == "all")


def _class_weights(settings: TrainSettings, frames: DecodedFrames) -> torch.Tensor | None:
    rule = {"enet": enet_weights, "median": median_frequency_weights}.get(settings.loss.class_weighting)
    if rule is None:
        return None
    counts = count_classes(frames.label_maps(), frames.dataset.class_map.num_classes)
    return torch.from_numpy(rule(counts))


def _restore(learner: Learner, state: RunState) -> RunState:
    learner.net.load_state_dict(state.net)
    learner.optimizer.load_state_dict(state.optimizer)
    learner.scaler.load_state_dict(state.scaler)
    if learner.average and state.ema:
        learner.average.net.load_state_dict(state.ema)
    return state


@dataclass
class _Run:
    """Epochs, validation, and what is written after each."""

    learner: Learner
    folder: RunFolder
    state: RunState
    info: ModelInfo
    samples: TrainingSamples
    val_frames: DecodedFrames | None

    def finish(self) -> TrainResult:
        settings = self.learner.settings
        batches = EpochBatches(len(self.samples.frames), settings.batch_size, settings.seed)
        loader = make_loader(self.samples, batches, settings.workers, pin=self.learner.hardware.device.type == "cuda")
        self.folder.write_metrics(self.state.history)
        for epoch in range(self.state.epoch, settings.epochs):
            batches.epoch = epoch
            torch.manual_seed(augment.seed_of(settings.seed, epoch, "network"))  # dropout, the same after a resumption
            figures = self.learner.run_epoch(loader, epoch)
            self._close_epoch(epoch, figures)
        return TrainResult(self.folder.best, self.folder.last, self.state.epoch, self.state.best_miou)

    def _close_epoch(self, epoch: int, figures: dict[str, Any]) -> None:
        """Validates and writes; the state comes last, so that a run killed in between repeats this epoch."""
        miou = self._validate(epoch)
        self.state.history.append({"epoch": epoch + 1, **figures, "miou": miou})
        info = self.info.with_extra(epoch=epoch + 1, val_miou=miou)
        better = miou is not None and (self.state.best_miou is None or miou > self.state.best_miou)
        if better:
            self.state.best_miou = miou
        if better or self.val_frames is None:
            save_checkpoint(self.folder.best, self.learner.result, info)
        save_checkpoint(self.folder.last, self.learner.result, info)
        self.folder.write_metrics(self.state.history)
        self._write_state(epoch + 1)
        _tell(self.state.history[-1], self.learner.settings.epochs)

    def _validate(self, epoch: int) -> float | None:
        settings = self.learner.settings
        due = (epoch + 1) % settings.evaluate_every == 0 or epoch + 1 == settings.epochs
        if self.val_frames is None or not due:
            return None
        net = self.learner.result.eval()
        return validate(net, self.val_frames, self.samples.preprocess, self.learner.hardware).miou()

    def _write_state(self, epochs: int) -> None:
        learner = self.learner
        self.state.epoch = epochs
        self.state.net = learner.net.state_dict()
        self.state.ema = learner.average.net.state_dict() if learner.average else None
        self.state.optimizer = learner.optimizer.state_dict()
        self.state.scaler = learner.scaler.state_dict()
        self.folder.write_state(self.state)


def _tell(line: dict[str, Any], epochs: int) -> None:
    shown = ("loss", "ce", "aux", "kl", "kl_ce_ratio", "miou")
    names = [name for name in shown if line.get(name) is not None]
    figures = ", ".join(f"{name} {line[name]:.4f}" for name in names)
    say(f"epoch {line['epoch']}/{epochs}: {figures}, {line['images_per_s']:.1f} images/s")
