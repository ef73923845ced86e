"""What the machines of a cluster have in common: this package in one version, and files under the same paths."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeseg import __version__
from edgeseg.datasets import parse_spec
from edgeseg.errors import ClusterError, EdgesegError


def absolute_data(spec: str) -> str:
    """The same dataset, ``LAYOUT:PATH[#SPLIT]``, with an absolute path; what is drawn has no path."""
    layout = parse_spec(spec)[0]
    if layout == "synthetic":
        return spec
    # Joined as text, since what follows the last # is no part of the path and must stay as it is.
    return f"{layout}:{os.path.join(Path.cwd(), spec.partition(':')[2])}"  # noqa: PTH118


def require_version(version: str) -> None:
    """Raises ``ClusterError`` where another version of this package asks for work than does it."""
    if __version__ != version:
        raise ClusterError(f"edgeseg {__version__} instead of {version}; install the same on every node")


@contextmanager
def naming_node() -> Iterator[None]:
    """Errors of ours that are raised inside name this machine."""
    try:
        yield
    except EdgesegError as error:
        raise type(error)(f"on node {socket.gethostname()}: {error}") from None
