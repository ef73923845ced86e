"""What ``doctor`` asks a machine, behind one small class, so that tests can be other machines."""

from __future__ import annotations

import importlib.util
import subprocess
from importlib import metadata
from pathlib import Path

from edgeseg.deploy.machine import describe_machine
from edgeseg.deploy.tensorrt.driver import Driver, probe_driver

COMMAND_S = 2.0
"""Seconds after which a command counts as one that does not answer."""


class Machine:
    """This machine. Nothing here imports what it asks about: importing torch takes longer than all the rest."""

    def describe(self) -> dict[str, object]:
        """As ``describe_machine`` gives it."""
        return describe_machine()

    def version(self, distribution: str) -> str | None:
        """Version of an installed distribution, None where it is not installed."""
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            return None

    def has_module(self, name: str) -> bool:
        """Whether a top-level module could be imported."""
        return importlib.util.find_spec(name) is not None

    def package_file(self, module: str, path: str) -> str | None:
        """Text of a file inside a top-level module's folder, None where there is none."""
        spec = importlib.util.find_spec(module)
        folder = Path(spec.origin).parent if spec and spec.origin else None
        return None if folder is None else self.read(str(folder / path))

    def package_files(self, module: str, pattern: str) -> tuple[str, ...]:
        """Names of a module's files that match a glob pattern."""
        spec = importlib.util.find_spec(module)
        return tuple(sorted(p.name for p in Path(spec.origin).parent.glob(pattern))) if spec and spec.origin else ()

    def read(self, path: str) -> str | None:
        """Text of a file, None where it cannot be read."""
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace").rstrip("\0\n")
        except OSError:
            return None

    def run(self, *command: str) -> str | None:
        """What a command prints, None where it is missing, fails or does not answer."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout

    def driver(self) -> Driver | None:
        """NVIDIA's driver and the GPUs."""
        return probe_driver()
