"""One teacher: frame in, softened probabilities of the student's classes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgeseg.classes import ClassMap
from edgeseg.errors import ModelError
from edgeseg.nets.restoring import restored
from edgeseg.remap import Table, remap_matrix
from edgeseg.teachers.ensemble import soften
from edgeseg.teachers.networks import TeacherNetwork, load_network
from edgeseg.teachers.spec import TeacherSpec


class Teacher:
    """A network with a temperature, speaking the student's classes.

    Args:
        spec: Model and temperature.
        network: The loaded model.
        target: The student's classes.
        table: Teacher's class name → student's, where the class maps differ and no shipped table covers them.
        flip: Whether to average the probabilities of the frame and of its mirror image.

    Raises:
        ConfigError: A class of the teacher has no place among the student's.
    """

    def __init__(
        self,
        spec: TeacherSpec,
        network: TeacherNetwork,
        target: ClassMap,
        table: Table | None = None,
        flip: bool = False,
    ) -> None:
        self.spec = spec
        self.digest = network.digest
        self.flip = flip
        self._network = network
        same = network.class_map.same_classes(target)
        self._matrix = None if same else torch.from_numpy(remap_matrix(network.class_map, target, table))

    def probs(self, image: NDArray[np.uint8], height: int, width: int) -> Tensor:
        """Softened probabilities at label size.

        Logits are upsampled bilinearly (corners not aligned), divided by T, softmaxed, and summed into
        the student's classes; what falls into dropped classes is shared out by renormalising.

        Args:
            image: (H, W, 3) uint8 RGB.
            height: Label height in pixels.
            width: Label width in pixels.

        Returns:
            (C, height, width) float32 on the teacher's device, Σ over C = 1.

        Raises:
            ModelError: The logits are not finite, or not one per class.
        """
        probs = self._once(image, height, width)
        if self.flip:
            mirrored = self._once(np.ascontiguousarray(image[:, ::-1]), height, width)
            probs = (probs + mirrored.flip(-1)) / 2
        return probs

    def _once(self, image: NDArray[np.uint8], height: int, width: int) -> Tensor:
        network = self._network
        logits = network.logits(image)
        if logits.shape[0] != network.class_map.num_classes or not bool(torch.isfinite(logits).all()):
            raise ModelError(
                f"teacher {self.spec.model}: its logits have shape {tuple(logits.shape)} for "
                f"{network.class_map.num_classes} classes, or are not finite; check the model with edgeseg eval"
            )
        probs = soften(
            restored(logits[None], network.preprocess, (image.shape[0], image.shape[1]), (height, width))[0],
            self.spec.temperature,
        )
        return probs if self._matrix is None else _remap(probs, self._matrix.to(probs.device))


def load_teacher(
    spec: TeacherSpec,
    target: ClassMap,
    device: str = "cpu",
    flip: bool = False,
    weights: Path | None = None,
    classes: Path | None = None,
    table: Table | None = None,
) -> Teacher:
    """Loads a teacher.

    Args:
        spec: Model and temperature, see ``parse_spec``.
        target: The student's classes.
        device: Torch device, such as ``"cpu"`` or ``"cuda"``.
        flip: Whether to average over the frame and its mirror image.
        weights: Weights of a ``package.module:factory`` teacher.
        classes: Class map and preprocessing of a factory teacher, see ``networks.read_classes``.
        table: Teacher's class name → student's, or None for identical names or a shipped table.

    Raises:
        ConfigError: The spec, the classes or the table cannot be used.
        ModelError: The model cannot be used.
    """
    return Teacher(spec, load_network(spec, device, weights, classes), target, table, flip)


def _remap(probs: Tensor, matrix: Tensor) -> Tensor:
    summed = torch.einsum("shw,st->thw", probs, matrix)
    total = summed.sum(dim=0)
    # A pixel that lies wholly in dropped classes says nothing about the others.
    return torch.where(total > 0, summed / total.clamp_min(torch.finfo(torch.float32).tiny), 1 / matrix.shape[1])
