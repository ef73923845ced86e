"""The connection to a Ray cluster, and how many workers it has room for."""

from __future__ import annotations

import logging
import os
import socket
from dataclasses import dataclass
from typing import Any, Final

from edgeseg.errors import ClusterError, require

_CONNECT_SECONDS: Final = 10


@dataclass(frozen=True)
class Cluster:
    """A connected cluster.

    Attributes:
        ray: The module; only who uses this engine needs it installed.
        name: For messages.
        workers: How many it has room for.
        cpus: CPUs of each worker.
        gpus: GPUs of each worker, 0 or 1.
        is_ours: Whether the connection was made here.
    """

    ray: Any
    name: str
    workers: int
    cpus: float
    gpus: int
    is_ours: bool

    def close(self) -> None:
        """Ends the connection if it was made here, and with it a cluster that was started for it."""
        if self.is_ours:
            self.ray.shutdown()


def connect(address: str | None) -> Cluster:
    """Connects, or takes the connection that this process has.

    Args:
        address: See ``EngineSettings``.

    Raises:
        ClusterError: No cluster answers at the address, or it has neither CPUs nor GPUs.
        MissingDependencyError: Ray is not installed.
    """
    # Set before the import, which reads it: nothing about a run leaves the machines.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray takes the node's daemon for this process's parent unless it is told otherwise, and a parent 1, as of a service
    # or after nohup, for a dead one: at the first failed message it would end the process without a word.
    os.environ.setdefault("RAY_RAYLET_PID", str(os.getpid()))
    ray: Any = require("ray", "cluster")
    is_ours = not ray.is_initialized()
    name = f"the Ray cluster at {address}" if address else "the Ray cluster"
    if is_ours:
        _require_answer(address)
        try:
            ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ClusterError(f"--address {address}: cannot join {name} ({error})") from None
    cpus, gpus = _per_node(ray, "CPU"), _per_node(ray, "GPU")
    workers, share = _share(cpus, gpus)
    if not workers:
        if is_ours:
            ray.shutdown()
        raise ClusterError(f"{name} has neither CPUs nor GPUs; start nodes with: ray start --address ...")
    return Cluster(ray, name, workers, share, int(bool(gpus)), is_ours)


def _share(cpus: list[float], gpus: list[float]) -> tuple[int, float]:
    """Workers, and CPUs of each: one a GPU; without GPUs as many as the smallest node has CPUs, on every node."""
    if gpus:
        return int(sum(gpus)), min(1.0, *cpus) if cpus else 0.0
    if not cpus:
        return 0, 0.0
    return int(sum(node // min(cpus) for node in cpus)), min(cpus)


def _per_node(ray: Any, resource: str) -> list[float]:
    found = [node["Resources"].get(resource, 0.0) for node in ray.nodes() if node["Alive"]]
    return [amount for amount in found if amount >= 1]


def _require_answer(address: str | None) -> None:
    """Ray itself tries for minutes."""
    place = (address or "").rpartition("://")[2]
    host, colon, port = place.rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"--address {address}: no Ray cluster answers there ({error.strerror or error}); start one with: "
            "ray start --head, and give the address that it prints"
        ) from None
