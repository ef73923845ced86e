from __future__ import annotations

from typing import Any

import pytest

from edgeseg.cluster import connection
from edgeseg.errors import ClusterError


class FakeRay:
    """A connection that is there already, to nodes with these CPUs and GPUs."""

    def __init__(self, *nodes: tuple[float, float]) -> None:
        self._nodes = nodes

    def is_initialized(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]]:
        dead = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
        return [dead, *({"Alive": True, "Resources": {"CPU": cpus, "GPU": gpus}} for cpus, gpus in self._nodes)]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([(1, 0), (1, 0)], (2, 1, 0)),
        ([(8, 0)], (1, 8, 0)),
        ([(4, 0), (9, 0)], (3, 4, 0)),
        ([(0, 0), (8, 0)], (1, 8, 0)),
        ([(16, 2), (16, 1), (64, 0)], (3, 1, 1)),
    ],
)
def test_a_worker_takes_a_gpu_or_a_node(
    monkeypatch: pytest.MonkeyPatch, nodes: list[tuple[float, float]], expected: tuple[int, float, int]
) -> None:
    monkeypatch.setattr(connection, "require", lambda module, extra: FakeRay(*nodes))
    cluster = connection.connect(None)
    assert (cluster.workers, cluster.cpus, cluster.gpus) == expected and not cluster.is_ours


def test_cluster_without_processors_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "require", lambda module, extra: FakeRay((0, 0)))
    with pytest.raises(ClusterError, match=r"has neither CPUs nor GPUs; start nodes with: ray start --address"):
        connection.connect(None)
