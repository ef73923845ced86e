"""Files that a recipe names and the command line gives: ``file:NAME``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeseg.errors import ConfigError
from edgeseg.nets.importing import import_published

PREFIX = "file:"


@dataclass(frozen=True)
class Files:
    """Name → file.

    Attributes:
        named: Files by name.
        out: Folder of the runs, where a published Torch7 ENet (``.net``) is kept as a checkpoint.
    """

    named: dict[str, Path]
    out: Path

    @classmethod
    def parse(cls, given: list[str], out: Path) -> Files:
        """Reads ``NAME=PATH`` texts of the command line."""
        parts = (text.partition("=") for text in given)
        return cls({name: Path(path).resolve() for name, _, path in parts}, out)

    def resolved(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings with paths in the place of ``file:NAME``.

        Raises:
            ConfigError: A file is not given.
        """
        return {key: self._path(value) if _names(value) else value for key, value in settings.items()}

    def portable(self, text: str, data: Path) -> str:
        """The text without this machine's paths."""
        for name, path in self.named.items():
            text = text.replace(str(path), f"{PREFIX}{name}")
        return text.replace(str(data), "CAMVID").replace(str(self.out), "RUN")

    def _path(self, value: str) -> str:
        name = value.removeprefix(PREFIX)
        if name not in self.named:
            raise ConfigError(f"the recipe needs a file: give it with --file {name}=PATH")
        if self.named[name].suffix != ".net":
            return str(self.named[name])
        imported = self.out / f"{name}.edgeseg"
        if not imported.exists():
            import_published(self.named[name], "enet-torch7", imported)
        return str(imported)


def _names(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)
