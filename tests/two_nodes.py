"""A Ray cluster of two nodes on this machine, each with one CPU."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def two_nodes(code: Path, **environment: str) -> Iterator[str]:
    """Address of a cluster of two nodes with an address of the loopback interface each.

    Args:
        code: Folder of modules that its workers can import.
        environment: Of the workers.
    """
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        # Inherited by the workers. Ray would replace 127.0.0.1 by the address of another interface.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(code), *filter(None, sys.path)]))
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        # As ``cluster.connection`` sets it; here Ray is imported before.
        patch.setenv("RAY_RAYLET_PID", str(os.getpid()))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.syspath_prepend(code)
        ray_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed: the cluster did not run")
        found = ray_utils.Cluster(initialize_head=True, head_node_args={**node, "node_ip_address": "127.0.0.2"})
        try:
            found.add_node(**node, node_ip_address="127.0.0.3")
            yield found.address
        finally:
            found.shutdown()
