"""Runs the command line as on a machine that has the base install and the cpu extra, and nothing else.

    python base_only.py ARGUMENTS OF edgeseg

What may be imported follows from the package's own metadata: the closure of its requirements.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from types import ModuleType

from packaging.requirements import Requirement


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(extras: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    waiting: list[tuple[str, tuple[str, ...]]] = [("edgeseg", extras)]
    while waiting:
        name, wanted = waiting.pop()
        if normalized(name) in found:
            continue
        found.add(normalized(name))
        try:
            texts = requires(name) or []
        except PackageNotFoundError:
            continue
        for requirement in map(Requirement, texts):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                waiting.append((requirement.name, tuple(requirement.extras)))
    return found


class Blocker(MetaPathFinder):
    """Refuses the top-level modules of every installed distribution outside the closure."""

    def __init__(self, allowed: set[str]) -> None:
        owners = packages_distributions()
        self.blocked = {m for m, dists in owners.items() if not allowed & {normalized(d) for d in dists}}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top = fullname.split(".")[0]
        if top in self.blocked:
            raise ModuleNotFoundError(f"No module named {top!r} (blocked)", name=top)
        return None


if __name__ == "__main__":
    blocker = Blocker(closure(("cpu",)))
    assert {"torch", "onnx", "safetensors"} <= blocker.blocked, "the block does not hold what it is there for"
    for module in [m for m in sys.modules if m.split(".")[0] in blocker.blocked]:
        del sys.modules[module]
    sys.meta_path.insert(0, blocker)

    from edgeseg.cli import main

    sys.argv[0] = "edgeseg"
    main()
