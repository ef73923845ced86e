"""Before the first round: the frames that the policy is trained with, and its training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import torch

from edgeseg.active.methods.base import Start
from edgeseg.active.methods.chance import chance_of
from edgeseg.active.methods.region_dqn.episodes import EpisodeFigures, train_policy
from edgeseg.active.methods.region_dqn.game import SegmentationGame
from edgeseg.active.methods.region_dqn.policy import KnownFrames, save_policy
from edgeseg.active.methods.region_dqn.query_network import QueryNetwork
from edgeseg.active.methods.region_dqn.segmenter import GameFrames, Segmenter, fit_labels, read_images
from edgeseg.active.methods.region_dqn.settings import RalisSettings
from edgeseg.errors import ConfigError
from edgeseg.files import write_atomic
from edgeseg.progress import say
from edgeseg.students import hardware
from edgeseg.students.assembly import build_net


@dataclass(frozen=True)
class Split:
    """Which frames are what; no two parts share one.

    Attributes:
        begin: Frames of P that the game's network is trained on before.
        asked: D_T, frames of P whose labeling is played.
        known: Of Q.
    """

    begin: tuple[int, ...]
    asked: tuple[int, ...]
    known: KnownFrames


def split(initial: int, pool: int, settings: RalisSettings, seed: int) -> Split:
    """Draws the frames.

    Args:
        initial: Frames of P.
        pool: Frames of Q.
        settings: See there.
        seed: Of the run.

    Raises:
        ConfigError: P or Q has too few.
    """
    if initial < 3 or pool < 4:
        raise ConfigError(
            f"method ralis: needs 3 frames or more labeled at the start and 4 or more to ask about, got {initial} and "
            f"{pool}; change initial"
        )
    first = chance_of(seed, "ralis", "P").permutation(initial).tolist()
    begin = min(settings.start_frames, max(2, initial // 3))
    second = chance_of(seed, "ralis", "Q").permutation(pool).tolist()
    reward = min(settings.reward_frames, pool // 4)
    known = KnownFrames(tuple(second[reward:][: settings.state_frames]), tuple(second[:reward]))
    return Split(tuple(first[:begin]), tuple(first[begin:][: settings.pool_frames]), known)


def prepare_policy(start: Start, settings: RalisSettings, seed: int) -> None:
    """Trains the policy, writes it into ``start.folder``, and tells how the last episodes went.

    Raises:
        ConfigError: There are too few frames.
    """
    parts = split(len(start.initial), len(start.pool), settings, seed)
    classes = start.initial.class_map.num_classes
    with hardware.computing_threads(start.training.threads):
        game = _game(start, parts, settings, seed)
        torch.manual_seed(seed)
        network = QueryNetwork(classes, len(parts.known.state) * settings.rows * settings.columns)
        told: list[EpisodeFigures] = []

        def tell(figures: EpisodeFigures) -> None:
            told.append(figures)
            say(
                f"ralis: episode {figures.episode} of {settings.episodes}, {figures.gain:+.2f} points of mIoU, "
                f"exploring {figures.exploration:.2f} of the steps, loss {figures.q_loss:.3f}"
            )

        train_policy(game, network, settings, seed, tell)
    _write_log(start, told)
    start.figures["ralis_reward_frames"] = len(parts.known.reward)
    save_policy(network, parts.known, start.folder)


def _game(start: Start, parts: Split, settings: RalisSettings, seed: int) -> SegmentationGame:
    """The game, its network trained on ``parts.begin`` already."""
    training, initial, class_map = start.training, start.initial, start.initial.class_map
    size = (training.height, training.width) if training.height and training.width else initial.size(0)
    # The game cuts frames into regions in the network's input, which therefore has to show just the frame.
    preprocess = replace(training.preprocess, resize="stretch").at(*size)

    def frames_of_p(indices: Sequence[int]) -> GameFrames:
        labels = [initial.label(i) for i in indices]
        return GameFrames(read_images(initial, list(indices), preprocess), fit_labels(labels, preprocess))

    known, pool = frames_of_p(parts.begin), start.pool.frames
    segmenter = Segmenter(build_net(training, class_map, preprocess, fresh=True), training, hardware.choose(training))
    chance = torch.Generator().manual_seed(seed)
    for _ in range(settings.start_passes):
        segmenter.train(known, chance)
    segmenter.keep_start()
    rewarding = GameFrames(
        read_images(pool, list(parts.known.reward), preprocess),
        fit_labels([start.outside.label(i) for i in parts.known.reward], preprocess),
    )
    state = read_images(pool, list(parts.known.state), preprocess)
    return SegmentationGame(
        segmenter, known, frames_of_p(parts.asked), state, rewarding, class_map.num_classes, settings, seed
    )


def _write_log(start: Start, told: list[EpisodeFigures]) -> None:
    write_atomic(start.folder / "episodes.jsonl", "".join(json.dumps(asdict(figures)) + "\n" for figures in told))
