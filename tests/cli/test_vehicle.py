"""``edgeseg score``: what its help says of the package."""

from __future__ import annotations

import re

import typer

from edgeseg.cli import app
from edgeseg.device import strategies


def test_help_names_every_strategy() -> None:
    command = typer.main.get_command(app).commands["score"]  # type: ignore[attr-defined]
    (option,) = (parameter for parameter in command.params if parameter.name == "strategy")
    named = re.findall(r"[a-z-]+(?=,)", option.help)
    assert named == list(strategies.names())
