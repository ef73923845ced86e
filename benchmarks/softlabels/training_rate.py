"""What a teacher costs a training: images a second with none, with the cache, with three teachers run live.

    python -m benchmarks.softlabels.training_rate --data camvid:PATH#train[1/8] --results benchmarks/results/softlabels

The arms take turns in one process, on the same samples; figures are medians over the rounds, and ratios to the training
with no teacher of the same round. Beside the images a second stand the milliseconds of processor time that the
training's own process spends on an image: they mean something on a machine that is not quiet, too. Weights of the
teachers are drawn: their speed is all that is asked for. ``--folder`` keeps teachers and cache for the next call.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgeseg import config, datasets, nets, softlabels, students, teachers
from edgeseg.deploy.machine import describe_machine
from edgeseg.files import write_atomic
from edgeseg.modelinfo import ModelInfo
from edgeseg.nets.checkpoint import save_checkpoint
from edgeseg.students.assembly import build_learner, build_net
from edgeseg.students.batches import Batch, DecodedFrames, EpochBatches, TrainingSamples, batches_of, make_loader
from edgeseg.students.groups import PreprocessSettings
from edgeseg.students.hardware import choose, computing_threads
from edgeseg.students.loop import Learner
from edgeseg.teachers.ensemble import combine, soften

TEACHERS: dict[str, tuple[str, dict[str, Any], float]] = {
    "deeplabv3plus-resnet50": ("deeplabv3plus", {"backbone": "resnet50"}, 5.0),
    "erfnet": ("erfnet", {}, 3.0),
    "icnet-resnet18": ("icnet", {"backbone": "resnet18"}, 4.0),
}
"""Name → network, options, temperature."""


@dataclass(frozen=True)
class Live:
    """A loader whose batches get their soft labels from teachers that run for each of them."""

    inner: Any
    networks: Sequence[nn.Module]
    weights: Tensor

    def __len__(self) -> int:
        return len(self.inner)

    def __iter__(self) -> Iterator[Batch]:
        for batch in batches_of(self.inner):
            yield replace(batch, soft_labels=self._soft_labels(batch.images))

    @torch.no_grad()
    def _soft_labels(self, images: Tensor) -> Tensor:
        images = images.to(memory_format=torch.channels_last)
        logits = [network(images) for network in self.networks]
        temperatures = [t for _, _, t in TEACHERS.values()]
        return torch.stack(
            [
                combine([soften(z[i], t) for z, t in zip(logits, temperatures, strict=True)], self.weights)
                for i in range(len(images))
            ]
        )


def measure(base: dict[str, Any], rounds: int, names: Sequence[str], folder: Path) -> dict[str, Any]:
    """Images a second of the arms, round by round."""
    cache = folder / "cache" if (folder / "cache").exists() else _make_cache(base, folder)
    plain = config.resolve(students.TrainSettings, options=base)
    taught = config.resolve(students.DistillSettings, options={**base, "cache": str(cache), "kl_weight": 1.0})
    makers = {
        "none": lambda: _arm(plain, None),
        "cached": lambda: _arm(taught, cache),
        "live": lambda: _arm(taught, None, live=True),
    }
    arms = {name: makers[name]() for name in names}
    rates: dict[str, list[float]] = {name: [] for name in arms}
    spent: dict[str, list[float]] = {name: [] for name in arms}
    with computing_threads(plain.threads):
        for number in range(rounds + 1):
            for name, (learner, loader) in arms.items():
                before = time.process_time()
                rate = learner.run_epoch(loader, number)["images_per_s"]
                if number:  # the first round compiles and warms up
                    rates[name].append(rate)
                    spent[name].append(1e3 * (time.process_time() - before) / (len(loader) * base["batch_size"]))
    return {"images_per_s": rates, "process_ms_an_image": spent, **_ratios(rates, spent)}


def _ratios(rates: dict[str, list[float]], spent: dict[str, list[float]]) -> dict[str, float]:
    def ratio(above: list[float], below: list[float]) -> float:
        return statistics.median(a / b for a, b in zip(above, below, strict=True))

    others = [name for name in rates if name != "cached"]
    return {f"cached_to_{name}": ratio(rates["cached"], rates[name]) for name in others} | {
        f"cached_to_{name}_by_process_time": ratio(spent[name], spent["cached"]) for name in others
    }


def _make_cache(base: dict[str, Any], folder: Path) -> Path:
    data = datasets.open(base["data"])
    height, width = base["height"], base["width"]
    specs = []
    for name, (network, options, temperature) in TEACHERS.items():
        torch.manual_seed(0)
        net = nets.build(network, data.class_map.num_classes, **options)
        info = ModelInfo(network, data.class_map, PreprocessSettings().at(height, width), options=options)
        save_checkpoint(folder / f"{name}.edgeseg", net, info)
        specs.append(f"{folder / name}.edgeseg:{temperature:g}")
    options = {"teachers": specs, "data": base["data"], "class_weights": "equal"}
    teachers.build_cache(config.resolve(teachers.CacheSettings, options=options), folder / "cache")
    return folder / "cache"


def _arm(settings: students.TrainSettings, cache: Path | None, live: bool = False) -> tuple[Learner, Any]:
    data = datasets.open(settings.data)
    assert settings.height is not None and settings.width is not None
    preprocess = settings.preprocess.at(settings.height, settings.width)
    frames = DecodedFrames(data, settings.memory_mb)
    soft_labels = softlabels.open(cache) if cache else None
    if soft_labels and settings.workers == 0:  # as a training does
        soft_labels.keep(settings.memory_mb - frames.memory_mb)
    window = soft_labels.window if soft_labels else None
    samples = TrainingSamples(frames, preprocess, settings.augment, settings.seed, window)
    loader: Any = make_loader(samples, EpochBatches(len(frames), settings.batch_size, 0), settings.workers, pin=False)
    if live:
        classes = data.class_map.num_classes
        networks = [nets.build(name, classes, **options).eval() for name, options, _ in TEACHERS.values()]
        loader = Live(loader, networks, torch.ones(len(networks), classes))
    net = build_net(settings, data.class_map, preprocess, fresh=True)
    return build_learner(settings, net, frames, choose(settings)), loader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="D", help="labeled dataset, a few dozen frames")
    parser.add_argument("--network", default="enet")
    parser.add_argument("--size", type=int, nargs=2, default=(180, 240), metavar=("H", "W"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes that read samples")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", default=["none", "cached", "live"], choices=["none", "cached", "live"])
    parser.add_argument("--folder", type=Path, help="where teachers and cache stay; a temporary one without")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent.parent / "results" / "softlabels")
    given = parser.parse_args()
    base = {
        "data": given.data,
        "network": given.network,
        "height": given.size[0],
        "width": given.size[1],
        "batch_size": 4,
        "epochs": given.rounds + 1,
        "threads": given.threads,
        "workers": given.workers,
        "precision": "fp32",
    }
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(base, given.rounds, given.arms, given.folder or Path(temporary))
    layout, _, place = given.data.partition(":")
    settings = {**base, "data": f"{layout}#{place.partition('#')[2]}", "teachers": list(TEACHERS)}
    report = {"machine": describe_machine(), "settings": settings, **found}
    given.results.mkdir(parents=True, exist_ok=True)
    name = "training_rate.json" if "live" in given.arms else "training_rate-cached.json"
    write_atomic(given.results / name, json.dumps(report, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
