"""A camera on the network."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Scene = Callable[[int], NDArray[np.uint8]]


class CameraServer:
    """Motion JPEG over HTTP; each connection is cut off after some frames.

    Attributes:
        url: Its address, with a password.
        connections: How often somebody connected.
    """

    def __init__(self, scene: Scene, frames_a_connection: int) -> None:
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.connections += 1
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                for number in range(frames_a_connection):
                    jpeg = io.BytesIO()
                    Image.fromarray(scene(20 * number + outer.connections)).save(jpeg, "JPEG", quality=95)
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {jpeg.tell()}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg.getvalue() + b"\r\n")
                    time.sleep(0.02)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://root:hunter22@127.0.0.1:{self._server.server_port}/stream.mjpg"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def camera(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[CameraServer]:
    from edgeseg.frames import reconnect

    monkeypatch.setattr(reconnect, "FIRST_WAIT_S", 0.02)
    server = CameraServer(scene, frames_a_connection=4)
    yield server
    server.close()
