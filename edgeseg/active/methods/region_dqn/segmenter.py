"""The segmentation network of a game of labeling: short trainings, predictions, and its mIoU."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgeseg.datasets import Dataset
from edgeseg.metrics import ConfusionMatrix
from edgeseg.preprocess import Preprocess, resize_nearest
from edgeseg.students.hardware import Hardware
from edgeseg.students.losses import CrossEntropy
from edgeseg.students.optimizer import build_optimizer
from edgeseg.students.settings import TrainSettings


@dataclass(frozen=True)
class GameFrames:
    """Frames in memory, at the network's size.

    Attributes:
        images: (N, 3, h, w) float32, normalised.
        labels: (N, h, w) uint8 train ids, 255 where nothing counts; () where there are none.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)


def read_images(dataset: Dataset, indices: list[int], preprocess: Preprocess) -> Tensor:
    """Images (N, 3, h, w) of some samples as the network sees them."""
    return torch.stack([torch.from_numpy(preprocess.apply(dataset.image(i))) for i in indices])


def fit_labels(labels: list[NDArray[np.uint8]], preprocess: Preprocess) -> Tensor:
    """Labels (N, h, w) uint8 of label maps of any size, by nearest neighbour; the frame is stretched."""
    return torch.stack([torch.from_numpy(resize_nearest(label, *preprocess.size)) for label in labels])


class Segmenter:
    """A network that goes back to its start, and trains from there.

    Args:
        net: In its first state.
        settings: Batch size and optimiser are those of the loop's trainings.
        hardware: Where it computes.
    """

    def __init__(self, net: nn.Module, settings: TrainSettings, hardware: Hardware) -> None:
        self.net = net.to(hardware.device).to(memory_format=hardware.memory_format)
        self.settings, self.hardware = settings, hardware
        self._loss = CrossEntropy()
        self.keep_start()

    def keep_start(self) -> None:
        """Makes the present state the one that ``restart`` goes back to."""
        self._start = copy.deepcopy(self.net.state_dict())
        self._steps = build_optimizer(self.settings.optimizer, self.net)

    def restart(self) -> None:
        """Goes back to the start, with a new optimiser."""
        self.net.load_state_dict(self._start)
        self._steps = build_optimizer(self.settings.optimizer, self.net)

    def train(self, frames: GameFrames, chance: torch.Generator) -> None:
        """One pass over the frames, at least two of them, in batches of about the loop's size, none of them single."""
        self.net.train()
        order = torch.randperm(len(frames), generator=chance)
        for batch in order.chunk(max(1, len(frames) // max(2, self.settings.batch_size))):
            with self.hardware.autocast:
                logits = self.net(self._moved(frames.images[batch]))
            loss = self._loss(_main(logits), frames.labels[batch].to(self.hardware.device))
            self._steps.zero_grad()
            loss.backward()
            self._steps.step()
        self.net.eval()

    @torch.inference_mode()
    def predict(self, images: Tensor) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Class maps (N, h, w) uint8 and entropies (N, h, w) in nats, in evaluation mode."""
        self.net.eval()
        maps, entropies = [], []
        for batch in torch.split(images, self.settings.batch_size):
            log_probs = functional.log_softmax(_main(self.net(self._moved(batch))).float(), dim=1)
            maps.append(log_probs.argmax(1).to(torch.uint8).cpu())
            entropies.append(-(log_probs.exp() * log_probs).sum(1).cpu())
        return torch.cat(maps).numpy(), torch.cat(entropies).numpy()

    def miou(self, frames: GameFrames, num_classes: int) -> float:
        """MIoU on frames, one confusion matrix over all, void ignored."""
        confusion = ConfusionMatrix(num_classes)
        for label, prediction in zip(frames.labels.numpy(), self.predict(frames.images)[0], strict=True):
            confusion.update(label, prediction)
        return confusion.miou()

    def _moved(self, images: Tensor) -> Tensor:
        return images.to(self.hardware.device, memory_format=self.hardware.memory_format)


def _main(logits: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The main head's logits of a network that has others beside it in training."""
    return logits if isinstance(logits, Tensor) else logits[0]
