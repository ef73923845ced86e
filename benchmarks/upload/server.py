"""A real S3 and WebDAV server on this machine, bounded in ports, disk and memory: SeaweedFS from its PyPI package."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType

ACCESS, SECRET, BUCKET = "benchmark", "not-a-secret-of-anyone", "fleet"
PARTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
MORE_PARTS = ("filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc", "webdav.port")
STARTS_WITHIN_S = 60


class S3Server:
    """``weed server -s3 -webdav`` in a folder that goes with it.

    Attributes:
        port: Where it listens on 127.0.0.1.
        webdav_port: Where it takes plain HTTP.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="s3-"))
        ports = dict(zip((*PARTS, *MORE_PARTS), _free_ports(9), strict=True))
        self.port, self.webdav_port = ports["s3.port"], ports["webdav.port"]
        self._ports = tuple(ports.values())
        config = self._folder / "s3.json"
        identity = {"name": ACCESS, "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}], "actions": ["Admin"]}
        config.write_text(json.dumps({"identities": [identity]}))
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("weed")), "server", "-s3", "-webdav",
                    "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                    f"-dir={self._folder}", f"-s3.config={config}", "-s3.iam=false",
                    "-s3.port.iceberg=0", "-s3.port.lance=0",
                    "-volume.max=16", "-master.volumeSizeLimitMB=64", "-master.telemetry=false",
                    *(f"-{name}={port}" for name, port in ports.items()),
                ],
                stdout=log, stderr=log, env={**os.environ, "GOMEMLIMIT": "300MiB", "GOMAXPROCS": "2"},
            )  # fmt: skip

    def wait(self) -> None:
        """Waits until it takes objects, and makes the bucket."""
        give_up = time.monotonic() + STARTS_WITHIN_S
        while not self._takes_objects():
            if self._process.poll() is not None or time.monotonic() > give_up:
                log = (self._folder / "log").read_text(errors="replace")
                raise SystemExit(f"the S3 server did not start:\n{log[-2000:]}")
            time.sleep(0.1)

    def environment(self, port: int | None = None) -> dict[str, str]:
        """Variables by which clients find it, or a proxy before it at another port."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def _takes_objects(self) -> bool:
        import obstore
        from obstore.store import S3Store

        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1).close()
            store = S3Store(
                BUCKET, endpoint=f"http://127.0.0.1:{self.port}", access_key_id=ACCESS, secret_access_key=SECRET,
                region="us-east-1", client_options={"allow_http": True}, retry_config={"max_retries": 0},
            )  # fmt: skip
            obstore.put(store, "ready", b"yes")
            obstore.delete(store, "ready")
        except (OSError, obstore.exceptions.BaseError):
            return False
        return True

    def __enter__(self) -> S3Server:
        try:
            self.wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # It holds nothing that is worth a graceful end of half a minute.
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        for port in self._ports:
            for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                socket_file.unlink(missing_ok=True)


def _free_ports(count: int) -> list[int]:
    """Ports that are free, and stay so as a rule; all are held until the last is found."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
