"""A trained policy on disk: its network, and which frames it knows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import save

from edgeseg.active.methods.region_dqn.query_network import QueryNetwork
from edgeseg.files import write_atomic
from edgeseg.nets.weights import load_exactly, read_state_dict

_WEIGHTS, _FRAMES = "policy.safetensors", "policy.json"


@dataclass(frozen=True)
class KnownFrames:
    """Frames of Q, by index, that the policy was trained with.

    Attributes:
        state: D_S, whose predictions are the state.
        reward: D_R, whose labels it was given.
    """

    state: tuple[int, ...]
    reward: tuple[int, ...]


def save_policy(network: QueryNetwork, frames: KnownFrames, folder: Path) -> None:
    """Writes a policy into a folder."""
    write_atomic(folder / _WEIGHTS, save(network.state_dict()))
    write_atomic(folder / _FRAMES, json.dumps(asdict(frames)) + "\n")


def load_policy(folder: Path, num_classes: int, regions: int) -> tuple[QueryNetwork, KnownFrames]:
    """Reads a policy, its network in evaluation mode.

    Args:
        folder: Where ``save_policy`` left it.
        num_classes: C.
        regions: Of a frame.

    Raises:
        ModelError: The file does not fit.
    """
    plain = json.loads((folder / _FRAMES).read_text())
    frames = KnownFrames(tuple(plain["state"]), tuple(plain["reward"]))
    network = QueryNetwork(num_classes, len(frames.state) * regions)
    load_exactly(network, read_state_dict(folder / _WEIGHTS), str(folder / _WEIGHTS), "let the run begin anew")
    return network.eval(), frames
