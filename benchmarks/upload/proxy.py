"""A bad line to an HTTP server: requests and answers dropped, delayed, cut off, or answered with 500 or 503."""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections import Counter
from types import TracebackType
from typing import Final

FAULTS: Final = ("drop", "lose-answer", "cut-request", "cut-answer", "500", "503", "500-after")
"""``lose-answer`` and ``500-after`` let the server do what was asked, and hide it."""


class BadLine:
    """A proxy on 127.0.0.1 before one server.

    Args:
        server_port: The server's.
        failing: Share of requests that fail, each in one of the ``FAULTS``, evenly drawn.
        delayed: Share of the others that are delayed, by 20 to 200 ms.
        seed: Of the draws.

    Attributes:
        port: Where it listens.
        counts: Requests by what was done to them; ``"ok"`` and ``"delayed"`` came through.
    """

    def __init__(self, server_port: int, failing: float, delayed: float = 0.05, seed: int = 0) -> None:
        self.failing, self.delayed = failing, delayed
        self.counts: Counter[str] = Counter()
        self.port = 0
        self._server_port = server_port
        self._draw = random.Random(seed)
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="bad-line", daemon=True)

    def __enter__(self) -> BadLine:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = listening.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        listening.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Handles one request; False ends the connection."""
        head, body = await _message(reader, None)
        fault = self._fault()
        self.counts[fault] += 1
        if fault == "drop":
            return False
        if fault in ("500", "503"):
            return await _send(writer, _answer(fault))
        if fault == "delayed":
            await asyncio.sleep(self._draw.uniform(0.02, 0.2))
        answer = await self._forward(head, body[: len(body) // 2] if fault == "cut-request" else body, len(body))
        if answer is None or fault in ("lose-answer", "cut-request"):
            return False
        if fault == "500-after":
            return await _send(writer, _answer("500"))
        if fault == "cut-answer":
            await _send(writer, answer[: len(answer) // 2])
            return False
        return await _send(writer, answer)

    async def _forward(self, head: bytes, body: bytes, length: int) -> bytes | None:
        """The server's answer; None where the request was cut off."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        try:
            await _send(writer, head + body)
            if len(body) < length:
                return None
            return b"".join(await _message(reader, head.split(b" ", 1)[0]))
        finally:
            writer.close()

    def _fault(self) -> str:
        draw = self._draw.random()
        if draw < self.failing:
            return self._draw.choice(FAULTS)
        return "delayed" if draw < self.failing + (1 - self.failing) * self.delayed else "ok"


async def _message(reader: asyncio.StreamReader, answers: bytes | None) -> tuple[bytes, bytes]:
    """Head and body of a request, or of the answer to a request of the method ``answers``."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head.lower())
    if answers == b"HEAD":
        return head, b""
    if length:
        return head, await reader.readexactly(int(length[1]))
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        return head, await reader.readuntil(b"0\r\n\r\n")
    return head, b""


async def _send(writer: asyncio.StreamWriter, content: bytes) -> bool:
    writer.write(content)
    await writer.drain()
    return True


def _answer(status: str) -> bytes:
    reason = {"500": "Internal Server Error", "503": "Slow Down"}[status]
    return f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\n\r\n".encode()
