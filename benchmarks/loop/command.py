"""Commands of edgeseg, each in a process of its own, as a person would type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Commands:
    """Runs commands and remembers what was typed.

    Attributes:
        environment: Variables that are added, such as those by which the object store is found.
        typed: The commands so far, without ``--json``.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    typed: list[str] = field(default_factory=list)

    def __call__(self, *words: object) -> dict[str, Any]:
        """Runs ``edgeseg WORDS --json``.

        Returns:
            Its report.

        Raises:
            SystemExit: The command failed; it has said why on stderr.
        """
        texts = [str(word) for word in words]
        self.typed.append(" ".join(["edgeseg", *texts]))
        done = subprocess.run(
            [sys.executable, "-m", "edgeseg", *texts, "--json"],
            stdout=subprocess.PIPE,
            env={**os.environ, **self.environment},
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"failed with exit code {done.returncode}: {self.typed[-1]}")
        return dict(json.loads(done.stdout))
