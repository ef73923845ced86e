"""What a cache says of itself, kept in ``info.json`` beside the frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from edgeseg.classes import ClassMap
from edgeseg.errors import CacheError, ConfigError
from edgeseg.files import digest_text
from edgeseg.softlabels.places import Place

FORMAT: Final = "edgeseg-softlabels"
VERSION: Final = 2
INFO_NAME: Final = "info.json"


@dataclass(frozen=True)
class TeacherRecord:
    """A teacher whose soft labels went into a cache.

    Attributes:
        model: As it was named, for people; the digest is what counts.
        temperature: Divisor of its logits.
        digest: SHA-256 of the model.
    """

    model: str
    temperature: float
    digest: str


@dataclass(frozen=True)
class CacheInfo:
    """What a cache holds and what made it.

    Attributes:
        class_map: Meaning of the C channels.
        teachers: The M teachers of the ensemble, in order.
        sample_ids: Frames that the finished cache holds.
        data_digest: Digest of the dataset's sample ids and labels.
        settings: Further settings that decide the content, plain data.
        class_weights: (M, C) weights of eq. 4.1, () before they are measured.
        gate: Figures of teachers and ensemble on the dataset's labels, plain data; {} where there are none.
        complete: Whether every frame was written.
        frames: Frames on disk.
        bytes: Size of all frames on disk.
    """

    class_map: ClassMap
    teachers: tuple[TeacherRecord, ...]
    sample_ids: tuple[str, ...]
    data_digest: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    class_weights: tuple[tuple[float, ...], ...] = ()
    gate: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    frames: int = 0
    bytes: int = 0

    def parts(self) -> dict[str, Any]:
        """What the fingerprint is made of, by name: classes, data, each teacher, each setting."""
        parts: dict[str, Any] = {"classes": list(self.class_map.names), "data": self.data_digest}
        for number, teacher in enumerate(self.teachers, 1):
            parts[f"teacher {number}"] = teacher.digest
            parts[f"temperature of teacher {number}"] = teacher.temperature
        return parts | {f"setting {name}": value for name, value in self.settings.items()}

    @property
    def fingerprint(self) -> str:
        """SHA-256 over teachers, data and settings: equal fingerprints mean equal soft labels."""
        return digest_text(json.dumps({"version": VERSION, **self.parts()}, sort_keys=True))

    def differences(self, other: CacheInfo) -> list[str]:
        """Which parts of the fingerprint differ from ``other``, one line each."""
        mine, theirs = self.parts(), other.parts()
        names = list(dict.fromkeys([*mine, *theirs]))
        return [
            f"{name}: {_short(mine.get(name))} here, {_short(theirs.get(name))} now"
            for name in names
            if mine.get(name) != theirs.get(name)
        ]

    def to_dict(self) -> dict[str, Any]:
        """The report of ``edgeseg cache info``."""
        return {
            "frames": self.frames,
            "frames_planned": len(self.sample_ids),
            "complete": self.complete,
            "bytes": self.bytes,
            "bytes_per_frame": self.bytes / self.frames if self.frames else None,
            "teachers": [vars(t) for t in self.teachers],
            "temperatures": [t.temperature for t in self.teachers],
            "classes": list(self.class_map.names),
            "class_weights": [dict(zip(self.class_map.names, row, strict=True)) for row in self.class_weights],
            "settings": dict(self.settings),
            "gate": dict(self.gate),
            "data_digest": self.data_digest,
            "fingerprint": self.fingerprint,
        }


def write_info(place: Place, info: CacheInfo) -> None:
    """Writes ``info.json``; what can be counted on disk is left out.

    Raises:
        OutputError: The file cannot be written.
    """
    plain = {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": info.fingerprint,
        "class_map": info.class_map.to_dict(),
        "teachers": [vars(t) for t in info.teachers],
        "sample_ids": info.sample_ids,
        "data_digest": info.data_digest,
        "settings": dict(info.settings),
        "class_weights": info.class_weights,
        "gate": dict(info.gate),
        "complete": info.complete,
    }
    place.write(INFO_NAME, (json.dumps(plain, indent=1) + "\n").encode())


def read_info(place: Place) -> CacheInfo:
    """Reads ``info.json``, without counting frames.

    Raises:
        CacheError: The place holds no cache, or a damaged one, or one of another format.
    """
    path = f"{place.name}/{INFO_NAME}"
    plain = _read_plain(place)
    if plain["version"] > VERSION:
        raise CacheError(f"{path}: cache format {plain['version']} is newer than this edgeseg; update edgeseg")
    if plain["version"] < VERSION:
        raise CacheError(
            f"{path}: cache format {plain['version']} is older than this edgeseg, which reads format {VERSION}; "
            "build the cache again with edgeseg cache build"
        )
    try:
        info = CacheInfo(
            class_map=ClassMap.from_dict(plain["class_map"]),
            teachers=tuple(TeacherRecord(**teacher) for teacher in plain["teachers"]),
            sample_ids=tuple(plain["sample_ids"]),
            data_digest=plain["data_digest"],
            settings=plain["settings"],
            class_weights=tuple(tuple(row) for row in plain["class_weights"]),
            gate=plain["gate"],
            complete=plain["complete"],
        )
    except (KeyError, TypeError, ConfigError) as error:
        raise CacheError(f"{path}: is malformed ({error}); build the cache again") from None
    if info.fingerprint != plain["fingerprint"]:
        raise CacheError(f"{path}: does not match its own fingerprint; it was edited or damaged, build the cache again")
    return info


def _read_plain(place: Place) -> dict[str, Any]:
    try:
        plain = json.loads(place.read(INFO_NAME).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise CacheError(
            f"{place.name}: is not a soft-label cache (it has no {INFO_NAME}); make one with: edgeseg cache build"
        ) from None
    except (OSError, ValueError) as error:
        raise CacheError(f"{place.name}/{INFO_NAME}: cannot be read ({error}); build the cache again") from None
    if not isinstance(plain, dict) or plain.get("format") != FORMAT or not isinstance(plain.get("version"), int):
        raise CacheError(f"{place.name}: is not a soft-label cache ({INFO_NAME} is another program's)")
    return plain


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 64 and not _is_digest(text) else f"{text[:12]}…"


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)
