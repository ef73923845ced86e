"""Runs the command line as on a machine that has the base install and the cpu extra, and nothing else.

    python base_only.py [+EXTRA ...] ARGUMENTS OF edgeseg

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


class Without(MetaPathFinder):
    """A finder that does not see the top-level modules of any distribution outside the closure."""

    def __init__(self, finder: MetaPathFinder, blocked: set[str]) -> None:
        self.finder, self.blocked = finder, blocked

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname.split(".")[0] in self.blocked else self.finder.find_spec(fullname, path, target)


if __name__ == "__main__":
    extras = [word[1:] for word in sys.argv[1:] if word.startswith("+")]
    del sys.argv[1 : 1 + len(extras)]
    allowed, owners = closure(("cpu", *extras)), packages_distributions()
    blocked = {module for module, dists in owners.items() if not allowed & {normalized(d) for d in dists}}
    assert {"torch", "onnx", "safetensors"} <= blocked, "the block does not hold what it is there for"
    for module in [m for m in sys.modules if m.split(".")[0] in blocked]:
        del sys.modules[module]
    sys.meta_path[:] = [Without(finder, blocked) for finder in sys.meta_path]

    from edgeseg.cli import main

    sys.argv[0] = "edgeseg"
    main()
