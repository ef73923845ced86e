"""Training and distillation, from settings to the files of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgeseg import config, datasets, softlabels
from edgeseg.modelinfo import ModelInfo
from edgeseg.students.assembly import build_learner, build_net
from edgeseg.students.batches import DecodedFrames, TrainingSamples
from edgeseg.students.distribution import Distribution, joined, local_rank
from edgeseg.students.hardware import Hardware, choose, computing_threads
from edgeseg.students.run import Run
from edgeseg.students.run_folder import RunFolder, RunState
from edgeseg.students.semi.assembly import build_samples, build_stream, build_supervision
from edgeseg.students.semi.sources import Unlabeled, open_unlabeled
from edgeseg.students.settings import DistillSettings, TrainSettings
from edgeseg.students.sources import Sources, open_sources


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

    Started by ``torchrun``, the processes share every batch and the validation, and the first one writes. But for
    dropout and rounding the result is that of one process.

    Args:
        settings: What to train and how.
        out: Folder of the run.
        resume: Whether to go on with the run in ``out``; without one there, it starts.

    Raises:
        ConfigError: A setting cannot be used, or differs from those of the run to be resumed.
        DataError: The dataset cannot be used.
        ModelError: ``init`` or ``backbone_weights`` does not fit.
        OutputError: ``out`` holds a run, another process trains there, or it cannot be written.
        TrainingError: The loss is not finite, or memory does not suffice.
    """
    with _begun(settings, out, resume) as start:
        sources = open_sources(settings, uses_labels=True)
        return _run(settings, start, sources, open_unlabeled(settings, sources))


def distill(settings: DistillSettings, out: Path, resume: bool = False) -> TrainResult:
    """Trains one network on labels and on cached soft labels; arguments and files as of ``train``.

    Raises:
        CacheError: The cache does not fit the dataset, or its ensemble fails the gate; nothing was trained or written.
        ConfigError: See ``train``; also where the settings need labels that the dataset has not.
        DataError: See ``train``.
        ModelError: See ``train``.
        OutputError: See ``train``.
        StoreError: The object store of a cache does not answer, or refuses.
        TrainingError: See ``train``.
    """
    with _begun(settings, out, resume) as start:
        cache = softlabels.open(settings.cache)
        sources = open_sources(settings, settings.needs_labels)
        softlabels.require_fit(cache, sources.train)
        softlabels.check_gate(cache, settings.require_ensemble_gain)
        unlabeled = open_unlabeled(settings, sources, cache)
        return _run(settings, start, sources, unlabeled, cache, {"soft_labels": cache.info.fingerprint})


@dataclass(frozen=True)
class _Begun:
    folder: RunFolder
    resume: bool
    hardware: Hardware
    together: Distribution


@contextmanager
def _begun(settings: TrainSettings, out: Path, resume: bool) -> Iterator[_Begun]:
    hardware, folder = choose(settings, local_rank()), RunFolder(out)
    with (
        computing_threads(settings.threads),
        joined(hardware.device) as together,
        folder.claimed(resume) if together.leads else nullcontext(),
    ):
        yield _Begun(folder, resume, hardware, together)


def _run(
    settings: TrainSettings,
    begun: _Begun,
    sources: Sources,
    unlabeled: Unlabeled | None,
    cache: softlabels.SoftLabels | None = None,
    extra: dict[str, Any] | None = None,
) -> TrainResult:
    folder, together = begun.folder, begun.together
    _require_usable(settings, together, sources, unlabeled)
    settings = _with_size(settings, sources)
    info = _model_info(settings, sources, {**(extra or {}), **(unlabeled.facts if unlabeled else {})})
    start = RunState({**info.training, **info.extra}, info.data_digest)
    saved = together.of_leader(lambda: _saved(settings, folder, start)) if begun.resume else None
    net = build_net(settings, info.class_map, info.preprocess, fresh=saved is None)
    if together.leads:
        config.write(settings, folder.config)
    frames = DecodedFrames(sources.train, settings.memory_mb, sources.uses_labels)
    val_frames = _val_frames(settings, sources, frames)
    if cache and settings.workers == 0 and not unlabeled:
        # Decoding would hold the training up here; loader processes do it beside the training.
        cache.keep(settings.memory_mb - frames.memory_mb - (val_frames.memory_mb if val_frames else 0))
    soft_window, forkable = (cache.window, cache.forkable) if cache else (None, True)
    samples = TrainingSamples(frames, info.preprocess, settings.augment, settings.seed, soft_window, forkable=forkable)
    learner = build_learner(settings, net, frames, begun.hardware, together)
    run = Run(learner, folder, saved or start, info, samples, val_frames)
    if unlabeled:
        _add_unlabeled(run, unlabeled)
    if saved:
        run.restore()
    run.finish()
    return TrainResult(folder.best, folder.last, run.state.epoch, run.state.best_miou)


def _saved(settings: TrainSettings, folder: RunFolder, start: RunState) -> RunState | None:
    return folder.read_state(start.settings, start.data_digest, config.plain_defaults(settings))


def _require_usable(
    settings: TrainSettings, together: Distribution, sources: Sources, unlabeled: Unlabeled | None
) -> None:
    together.require_share("batch_size", min(settings.batch_size, len(sources.train)))
    if unlabeled:
        together.require_share("semi.batch_size", settings.semi.samples(settings.batch_size, together.world))
    if together.leads:
        sources.require_usable()
        if unlabeled:
            datasets.require_usable(unlabeled.dataset, labels=False)


def _add_unlabeled(run: Run, unlabeled: Unlabeled) -> None:
    settings, samples = run.learner.settings, run.samples
    taken = samples.frames.memory_mb + (run.val_frames.memory_mb if run.val_frames else 0)
    drawn = build_samples(settings, unlabeled, samples.frames, samples.preprocess, settings.memory_mb - taken)
    samples.unlabeled = drawn.draw
    if unlabeled.soft_labels:
        samples.forkable &= unlabeled.soft_labels.cache.forkable
    run.unlabeled = build_stream(settings, len(unlabeled.dataset)).keys
    run.learner.semi = build_supervision(settings, run.learner, run.info.class_map.names)


def _with_size(settings: TrainSettings, sources: Sources) -> TrainSettings:
    if settings.height is not None:
        return settings
    height, width = sources.train.size(0)
    return replace(settings, height=height, width=width)


def _model_info(settings: TrainSettings, sources: Sources, extra: dict[str, Any]) -> ModelInfo:
    assert settings.height is not None and settings.width is not None
    return ModelInfo(
        network=settings.network,
        class_map=sources.train.class_map,
        preprocess=settings.preprocess.at(settings.height, settings.width),
        options=settings.network_options,
        training=config.to_plain(settings),
        data_digest=sources.train.digest(),
        extra=extra,
    )


def _val_frames(settings: TrainSettings, sources: Sources, frames: DecodedFrames) -> DecodedFrames | None:
    if sources.val is None:
        return None
    return DecodedFrames(sources.val, settings.memory_mb - frames.memory_mb)
