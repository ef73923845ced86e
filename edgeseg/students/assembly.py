"""From settings to the parts of a training: network, objective, optimiser."""

from __future__ import annotations

import torch
from torch import nn
from torch.amp import GradScaler

from edgeseg import nets
from edgeseg.classes import ClassMap
from edgeseg.nets.base import SegmentationNet
from edgeseg.nets.checkpoint import initialize, read_info
from edgeseg.preprocess import Preprocess
from edgeseg.progress import say, warn
from edgeseg.students import extra_loss
from edgeseg.students.batches import DecodedFrames
from edgeseg.students.compiling import forward_of
from edgeseg.students.distribution import ALONE, Distribution
from edgeseg.students.ema import MovingAverage
from edgeseg.students.extra_loss import TrainedExtra
from edgeseg.students.hardware import Hardware
from edgeseg.students.loop import Learner
from edgeseg.students.losses import CrossEntropy, KLWeight, Objective, registry
from edgeseg.students.optimizer import build_optimizer
from edgeseg.students.settings import DistillSettings, TrainSettings
from edgeseg.students.shared_batch_norm import share_batch_norms
from edgeseg.students.weighting import class_weights


def build_net(settings: TrainSettings, class_map: ClassMap, preprocess: Preprocess, fresh: bool) -> SegmentationNet:
    """Builds the network; a fresh one starts from the seed, ``init`` or ``backbone_weights``.

    Args:
        settings: Of the training.
        class_map: Classes of its outputs.
        preprocess: Its input.
        fresh: Whether it starts; otherwise its weights are about to be restored.

    Raises:
        ConfigError: The network is unknown, has no such option, or no backbone for ``backbone_weights``.
        ModelError: A file of weights does not fit.
    """
    torch.manual_seed(settings.seed)
    net = nets.build(settings.network, class_map.num_classes, **settings.network_options)
    if fresh and settings.backbone_weights is not None:
        nets.load_backbone(net, settings.backbone_weights)
    if fresh and settings.init is not None:
        new = initialize(net, settings.init, class_map)
        say(f"weights of {settings.init}" + (f"; new, since the classes differ: {', '.join(new)}" if new else ""))
        _compare(read_info(settings.init).preprocess, preprocess, settings)
    return net


def build_learner(
    settings: TrainSettings,
    net: SegmentationNet,
    frames: DecodedFrames,
    hardware: Hardware,
    together: Distribution = ALONE,
) -> Learner:
    """Makes everything that an epoch needs.

    Args:
        settings: Of the training.
        net: The network.
        frames: Training samples, whose labels give the class weights.
        hardware: Where it runs.
        together: The processes that share the batches.

    Raises:
        ConfigError: The loss on soft labels has no such option.
        DataError: No pixel is labeled, but class weights are asked for.
    """
    net.to(hardware.device).to(memory_format=hardware.memory_format)
    if together.world > 1:
        share_batch_norms(net, hardware.device)
    extra = _extra(settings, frames, hardware, together)
    return Learner(
        settings=settings,
        hardware=hardware,
        net=net,
        forward=forward_of(net, settings.compile, together.wrap),
        objective=_objective(settings, net, frames).to(hardware.device),
        optimizer=build_optimizer(settings.optimizer, net, extra.module if extra else None),
        scaler=GradScaler(hardware.device.type, enabled=hardware.needs_scaling),
        average=MovingAverage(net, settings.ema_decay) if settings.ema_decay else None,
        extra=extra,
        together=together,
    )


def _extra(
    settings: TrainSettings, frames: DecodedFrames, hardware: Hardware, together: Distribution
) -> TrainedExtra | None:
    if settings.extra_loss is None:
        return None
    classes = frames.dataset.class_map.num_classes
    module = extra_loss.build(settings.extra_loss, classes, settings.extra_options, settings.seed)
    if settings.extra_init is not None:
        extra_loss.load_weights(module, settings.extra_init)
    return TrainedExtra(module.to(hardware.device), settings.ema_decay, together)


def _compare(theirs: Preprocess, ours: Preprocess, settings: TrainSettings) -> None:
    if (theirs.mean, theirs.std, theirs.channel_order) != (ours.mean, ours.std, ours.channel_order):
        warn(
            f"{settings.init} expects mean {theirs.mean}, std {theirs.std}, {theirs.channel_order}; this training uses "
            f"mean {ours.mean}, std {ours.std}, {ours.channel_order} (preprocess.mean and preprocess.std change it)"
        )


def _objective(settings: TrainSettings, net: SegmentationNet, frames: DecodedFrames) -> Objective:
    if not isinstance(settings, DistillSettings):
        return Objective(_cross_entropy(settings, frames), net.aux_weights)
    return Objective(
        _cross_entropy(settings, frames) if settings.ce_weight else CrossEntropy(),
        net.aux_weights,
        _soft_label_loss(settings, frames),
        settings.ce_weight,
        KLWeight(settings.kl_weight, settings.kl_ratio, settings.kl_schedule),
        settings.kl_on == "all",
        settings.kl_aux,
    )


def _cross_entropy(settings: TrainSettings, frames: DecodedFrames) -> CrossEntropy:
    loss = settings.loss
    weights = None if loss.class_weighting == "none" else class_weights(loss.class_weighting, frames)
    return CrossEntropy(weights, loss.ohem, loss.ohem_share, loss.ohem_threshold, loss.label_smoothing)


def _soft_label_loss(settings: DistillSettings, frames: DecodedFrames) -> nn.Module:
    return registry.build(
        settings.kl_kind,
        settings.temperature,
        settings.kl_t_squared,
        settings.kl_options,
        lambda weighting: class_weights(weighting, frames, settings.cache),
    )
