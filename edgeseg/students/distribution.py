"""Several processes that train one network: who this one is, and how they come together.

``torchrun`` starts the processes and tells each its place in the environment; Lightning Fabric joins them and wraps the
network in torch's DistributedDataParallel. A process alone needs none of this and does not import it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import nn

from edgeseg.errors import ConfigError, require
from edgeseg.progress import silenced

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PATIENCE = timedelta(hours=2)
"""How long processes wait for the one that checks the data before they take it for stuck."""
Found = TypeVar("Found")


@dataclass(frozen=True)
class Distribution:
    """This process among those that train together.

    Attributes:
        rank: Its number, from 0; 0 leads: it alone writes and speaks.
        world: How many there are.
        fabric: Lightning Fabric, where there are several.
    """

    rank: int = 0
    world: int = 1
    fabric: Fabric | None = None

    @property
    def leads(self) -> bool:
        """Whether this process writes the results."""
        return self.rank == 0

    def of_leader(self, find: Callable[[], Found]) -> Found:
        """What the leader finds, in every process; the others do not look, but wait."""
        if self.fabric is None:
            return find()
        found: Any = find() if self.leads else None
        return cast(Found, self.fabric.broadcast(found))

    def wrap(self, net: nn.Module) -> nn.Module:
        """A network whose gradients are the processes' averages after each backward pass."""
        if self.fabric is None:
            return net
        wrapped: nn.Module = self.fabric.setup_module(net, move_to_device=False, _reapply_compile=False)
        return wrapped

    def require_share(self, name: str, samples: int) -> None:
        """Raises ``ConfigError`` where a batch cannot be split evenly."""
        if samples % self.world:
            raise ConfigError(
                f"{name}: a batch of {samples} samples cannot be split evenly over {self.world} processes; "
                f"take a multiple of {self.world}, or start fewer processes"
            )


ALONE = Distribution()


def processes_expected() -> int:
    """How many processes the launcher started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int | None:
    """Number of this process on its machine, or None for a process alone."""
    return int(os.environ["LOCAL_RANK"]) if processes_expected() > 1 else None


@contextmanager
def joined(device: torch.device) -> Iterator[Distribution]:
    """Inside, the processes that the launcher started are joined; all but the leader are silent.

    They stay joined until they end, so that the next training need not join them again.

    Args:
        device: What this process computes on.

    Raises:
        MissingDependencyError: There are several, and lightning-fabric is not installed.
    """
    if processes_expected() == 1:
        yield ALONE
        return
    fabric = _launch(device)
    with silenced(fabric.global_rank != 0):
        yield Distribution(fabric.global_rank, fabric.world_size, fabric)
        fabric.barrier()


def _launch(device: torch.device) -> Fabric:
    require("lightning_fabric", "train")
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    here = int(os.environ["LOCAL_WORLD_SIZE"])
    # With a static graph, parameters without gradient (a head that the loss does not look at) do no harm.
    strategy = DDPStrategy(
        process_group_backend="nccl" if device.type == "cuda" else "gloo",
        timeout=PATIENCE,
        static_graph=True,
    )
    fabric = Fabric(accelerator=device.type, devices=here, num_nodes=processes_expected() // here, strategy=strategy)
    fabric.launch()
    return fabric
