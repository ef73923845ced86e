"""A recipe on one copy of CamVid, and the command line that starts it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml

from benchmarks.common.files import Files

RecipeT = TypeVar("RecipeT")


@dataclass(frozen=True)
class CamvidJob(Generic[RecipeT]):
    """A recipe on one copy of the data.

    Attributes:
        recipe: What is trained.
        data: CamVid in the SegNet layout.
        out: Folder of the runs.
        files: What ``file:NAME`` in the recipe stands for.
    """

    recipe: RecipeT
    data: Path
    out: Path
    files: Files

    def spec(self, split: str) -> str:
        """Dataset spec of a split."""
        return f"camvid:{self.data}#{split}"

    def portable(self, text: str) -> str:
        """The text without this machine's paths."""
        return self.files.portable(text, self.data)


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a recipe's fields."""
    plain: dict[str, Any] = yaml.safe_load(path.read_text())
    return plain


def command_line(description: str | None, here: Path) -> argparse.ArgumentParser:
    """The options that recipes share, of the recipe in a folder ``benchmarks/NAME``."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="CamVid in the SegNet layout")
    parser.add_argument("--file", action="append", default=[], metavar="NAME=PATH", help="file that the recipe names")
    parser.add_argument("--recipe", type=Path, default=here / "recipe.yaml")
    parser.add_argument("--out", type=Path, default=Path("runs") / here.name)
    parser.add_argument("--results", type=Path, default=here.parent / "results" / here.name)
    parser.add_argument("--tables", action="store_true", help="only write the tables of what is there")
    return parser


def places(given: argparse.Namespace) -> tuple[Path, Path, Files]:
    """The job's data, folder of the runs, and files, by the options."""
    out = given.out.resolve()
    return given.data.resolve(), out, Files.parse(given.file, out)
