"""Fits a checkpoint's temperature and writes it into the checkpoint, from where every export takes it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgeseg import datasets
from edgeseg.datasets import require_usable
from edgeseg.deploy.temperature import ece, fit, nll, sample_pixels
from edgeseg.errors import UsageError
from edgeseg.files import digest_file
from edgeseg.nets.checkpoint import load_checkpoint, save_checkpoint
from edgeseg.nets.runner import TorchRunner

PIXELS = 1_000_000
"""Labeled pixels that a fit looks at: one scalar needs no more, and 19 classes of them take 76 MB."""
FIT_KEY = "temperature_fit"
"""Key of the fit's figures in ``ModelInfo.extra``."""


@dataclass(frozen=True)
class TemperatureReport:
    """What was fitted.

    Attributes:
        model: The checkpoint that now has the temperature.
        temperature: The fitted divisor of the logits.
        temperature_before: The one that the checkpoint had.
        ece_before: Expected calibration error at the earlier temperature, in [0, 1].
        ece: The same at the fitted one; both on the pixels of the fit.
        nll_before: Mean negative log likelihood at the earlier temperature, in nats.
        nll: The same at the fitted one.
        pixels: Labeled pixels looked at.
        images: Images they were drawn from.
        data: The dataset's description.
        model_digest: SHA-256 of the checkpoint as written.
    """

    model: str
    temperature: float
    temperature_before: float
    ece_before: float
    ece: float
    nll_before: float
    nll: float
    pixels: int
    images: int
    data: str
    model_digest: str

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def fit_temperature(path: Path, data: str, out: Path | None = None, pixels: int = PIXELS) -> TemperatureReport:
    """Fits one scalar on a validation split and writes it into the checkpoint.

    Args:
        path: The checkpoint.
        data: ``LAYOUT:PATH[#SPLIT]``, labeled; frames that the model was not trained on.
        out: Where the checkpoint with the temperature is written, None to replace ``path``.
        pixels: Labeled pixels to draw, evenly over the frames, the same at every run.

    Raises:
        UsageError: ``path`` is an exported graph, whose temperature is part of its arithmetic.
        ConfigError: The dataset's classes are not the model's, or ``pixels`` is too few.
        DataError: The dataset is empty, unlabeled or damaged, or no temperature fits it.
        ModelError: The checkpoint cannot be read.
        OutputError: The checkpoint cannot be written.
    """
    if path.suffix == ".onnx":
        raise UsageError(f"{path}: an exported graph's temperature is fixed; fit the checkpoint's and export it again")
    checkpoint = load_checkpoint(path)
    dataset = datasets.open(data)
    require_usable(dataset)
    with TorchRunner(path) as runner:
        sample = sample_pixels(runner, dataset, pixels)
    before, after = checkpoint.info.temperature, fit(sample)
    figures = {
        "ece_before": ece(sample, before),
        "ece": ece(sample, after),
        "nll_before": nll(sample, before),
        "nll": nll(sample, after),
        "pixels": len(sample.labels),
        "images": sample.frames,
        "data": dataset.spec,
    }
    info = replace(checkpoint.info, temperature=after).with_extra(
        **{FIT_KEY: {"temperature_before": before, **figures}}
    )
    save_checkpoint(out or path, checkpoint.net, info)
    target = out or path
    return TemperatureReport(
        model=str(target),
        temperature=after,
        temperature_before=before,
        model_digest=digest_file(target),
        **figures,  # type: ignore[arg-type]  # plain data, each value of its field's kind
    )
