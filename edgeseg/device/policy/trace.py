"""A recorded drive as a policy saw it: one line a frame, to be replayed under any other policy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from edgeseg.device.policy.candidate import Candidate
from edgeseg.errors import DataError, OutputError


class TraceWriter:
    """Writes a trace line by line, so that a long drive takes no memory.

    Args:
        path: The file; what it held is replaced.

    Raises:
        OutputError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise self._refused(error) from None

    def add(self, candidate: Candidate) -> None:
        """Adds a frame.

        Raises:
            OutputError: The disk is full.
        """
        try:
            self._file.write(json.dumps(candidate.to_dict()) + "\n")
        except OSError as error:
            raise self._refused(error) from None

    def close(self) -> None:
        """Ends the file.

        Raises:
            OutputError: The disk is full.
        """
        try:
            self._file.close()
        except OSError as error:
            raise self._refused(error) from None

    def _refused(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot write {self._path}: {error.strerror}; check that the folder is writable and has space"
        )


def read_trace(path: Path) -> list[Candidate]:
    """Reads a trace.

    Raises:
        DataError: It is missing, empty, or a line cannot be used; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: cannot be read as a trace ({error}); make one with edgeseg score --trace FILE"
        ) from None
    found = list(_candidates(path, text))
    if not found:
        raise DataError(f"{path}: holds no frame; make a trace with edgeseg score --trace FILE")
    if any(after.time_s < before.time_s for before, after in pairwise(found)):
        raise DataError(f"{path}: its times do not rise; a trace holds one drive")
    return found


def _candidates(path: Path, text: str) -> Iterator[Candidate]:
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        try:
            if line:
                yield Candidate.from_dict(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            # A recording that was killed ends in half a line.
            if number < len(lines):
                raise DataError(f"{path}, line {number}: is no frame of a trace ({error})") from None
