"""Label Studio itself, in an environment of its own, on this machine alone, with SQLite."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from edgeseg.progress import say

STARTS_WITHIN_S = 600
USER = "labeler@example.com"


def environment(folder: Path) -> Path:
    """Folder of programs of a virtual environment with Label Studio; made where it is missing."""
    programs = folder / "bin"
    if not (programs / "label-studio").exists():
        say(f"installing label-studio into {folder}")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(programs / "pip"), "install", "--quiet", "label-studio"], check=True)
    return programs


class LabelStudio:
    """A server that ends with the block.

    Args:
        programs: Where ``label-studio`` is.
        data: Folder for its database.
        files: Folder whose ``images/`` it may serve.
    """

    def __init__(self, programs: Path, data: Path, files: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        self._token, data = secrets.token_hex(20), data.resolve()
        data.mkdir(parents=True, exist_ok=True)
        self._log = data / "log"
        password = secrets.token_hex(12)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(programs / "label-studio"), "start", "--no-browser", "--internal-host", "127.0.0.1",
                    "--port", str(self.port), "--data-dir", str(data), "--username", USER, "--password", password,
                    "--user-token", self._token,
                ],
                stdout=log, stderr=log, start_new_session=True, cwd=data,
                env={
                    **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
                    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
                    "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
                    "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(files.resolve()),
                    "DJANGO_DB": "sqlite",
                    "COLLECT_ANALYTICS": "false",
                    "LATEST_VERSION_CHECK": "false",
                },
            )  # fmt: skip

    def wait(self) -> None:
        """Waits until it answers.

        Raises:
            SystemExit: It ended, or did not answer in time; the message has the end of its log.
        """
        give_up = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                self.request("GET", "/api/version")
                return
            except (urllib.error.URLError, OSError):
                if self._process.poll() is not None or time.monotonic() > give_up:
                    log = self._log.read_text(errors="replace")[-3000:]
                    raise SystemExit(f"Label Studio did not start:\n{log}") from None
                time.sleep(1)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """One call of its API; what it answers, JSON decoded where it is JSON."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Token {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            content = answer.read()
            return json.loads(content) if "json" in answer.headers.get("Content-Type", "") else content

    def __enter__(self) -> LabelStudio:
        try:
            self.wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The command starts the server as its child; both are one group.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
