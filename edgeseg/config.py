"""Settings: frozen dataclasses read from YAML, overridden from the command line, written beside results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from edgeseg.errors import ConfigError
from edgeseg.files import write_atomic

STRICT = ConfigDict(extra="forbid")
"""Set as ``__pydantic_config__`` on a settings dataclass, so that an unknown key is an error."""

OFF_WORD = BeforeValidator(lambda value: "off" if value is False else value)
"""Annotates a setting that may be ``off``, which YAML reads as false."""

Settings = TypeVar("Settings")


def resolve(
    kind: type[Settings],
    config: Path | None = None,
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Settings:
    """Builds settings from a file, then ``--set`` overrides, then explicit options; later ones win.

    Args:
        kind: A frozen dataclass; nested dataclasses are reached by dotted names.
        config: YAML file, or None.
        overrides: Texts ``"a.b=value"``; the value is read as YAML.
        options: Dotted name → value; None values are left out, so an option not given changes nothing.

    Raises:
        ConfigError: The file cannot be read, or a setting is unknown, missing or out of range; the
            message lists each by its dotted name.
    """
    plain = read_mapping(config) if config else {}
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"--set {text!r}: write it as name=value, such as --set optimizer.learning_rate=0.01")
        _put(plain, name, _parse(value, text))
    for name, value in (options or {}).items():
        if value is not None:
            _put(plain, name, value)
    try:
        return TypeAdapter(kind).validate_python(plain)
    except ValidationError as error:
        raise ConfigError("settings cannot be used: " + "; ".join(map(_problem, error.errors()))) from None


def to_plain(settings: Any) -> dict[str, Any]:
    """Settings as plain data for YAML and JSON: tuples become lists, paths become texts."""
    plain = TypeAdapter(type(settings)).dump_python(settings, mode="json")
    return dict(plain)


def plain_defaults(settings: Any) -> dict[str, Any]:
    """The same settings with every default in force, as ``to_plain`` gives them."""
    made = {f.name: f.default_factory() for f in fields(settings) if f.default_factory is not MISSING}
    given = {f.name: f.default for f in fields(settings) if f.default is not MISSING}
    return to_plain(replace(settings, **made, **given))


def write(settings: Any, path: Path) -> None:
    """Writes resolved settings as YAML.

    Raises:
        OutputError: The place cannot be written.
    """
    write_atomic(path, to_yaml(settings))


def to_yaml(settings: Any) -> str:
    """Settings as the text of a file that ``resolve`` reads."""
    return str(yaml.safe_dump(to_plain(settings), sort_keys=False, allow_unicode=True))


def read_mapping(path: Path) -> dict[str, Any]:
    """Reads a YAML or JSON file that holds one mapping.

    Raises:
        ConfigError: The file is missing, malformed, or holds something else.
    """
    content = read_document(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must hold a mapping of names to values, got {type(content).__name__}")
    return content


def read_document(path: Path) -> Any:
    """Reads a YAML or JSON file, whatever it holds.

    Raises:
        ConfigError: The file is missing or malformed.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({error})") from None


def _parse(value: str, text: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {text!r}: the value is not valid YAML") from None


def _problem(error: ErrorDetails) -> str:
    where = ".".join(map(str, error["loc"])) or "settings"
    if error["type"] == "missing" and len(error["loc"]) == 1:
        return f"{where} is not given, and has no default; give it as an option, or in --config"
    return f"{where}: {error['msg']} (got {error['input']!r})"


def _put(plain: dict[str, Any], name: str, value: Any) -> None:
    *parents, leaf = name.split(".")
    for parent in parents:
        inner = plain.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{name}: {parent} is {inner!r}, not a group of settings")
        plain = inner
    plain[leaf] = value
