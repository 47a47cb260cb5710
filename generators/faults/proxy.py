"""The network between the program and a store, which can be made to fail: a TCP proxy on loopback, in a thread."""

import asyncio
import contextlib
import dataclasses
import random
import socket
import struct
import threading
from typing import Literal

Way = Literal["pass", "refuse", "stall", "cut", "slow", "unavailable"]
_CHUNK = 1 << 16
_LOOK_S = 0.02
_DRIP, _DRIP_S = 512, 0.004  # bytes at a time, and how long they take
_SORRY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_UNAVAILABLE = (
    f"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: {len(_SORRY)}\r\n"
    "Connection: close\r\n\r\n"
).encode()


class _BrokenError(Exception):
    """A connection that is to end now."""


@dataclasses.dataclass(slots=True)
class _Link:
    """One connection: its two ends, and in which era it was last disturbed."""

    sock: socket.socket
    here: asyncio.StreamWriter | None = None
    there: asyncio.StreamWriter | None = None
    disturbed: int = 0


class Proxy:
    """Passes connections on to a server, in the way that was told last.

    Args:
        port: the server's, on loopback.
        seed: determines where connections are cut.

    Attributes:
        port: its own.
        hits: how many connections were disturbed since the way was told.
    """

    def __init__(self, port: int, seed: int = 0) -> None:
        self.hits = self._era = 0
        self._target, self._rng = port, random.Random(seed)
        self._way: Way = "pass"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=socket.SOMAXCONN)
        self._listener.settimeout(0)
        self.port: int = self._listener.getsockname()[1]
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self._serving: dict[asyncio.Task[None], _Link] = {}
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._ready.wait(10.0)

    def behave(self, way: Way) -> None:
        """Treat connections, those that are open included, in some way from now on.

        Args:
            way: "pass"; "refuse" breaks each at once; "stall" takes what is sent and passes nothing on; "cut" breaks
                each in the middle of a request or an answer; "slow" lets bytes drip; "unavailable" answers 503.
        """
        self._era += 1
        self.hits, self._way = 0, way

    def close(self) -> None:
        """End all connections and the thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10.0)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._listener, self._begin)  # an asyncio.Server loses what it took as it was closed
        self._ready.set()
        await self._over.wait()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _begin(self) -> None:
        with contextlib.suppress(OSError):  # it has gone again
            link = _Link(self._listener.accept()[0])
            task = asyncio.ensure_future(self._serve(link))
            self._serving[task] = link
            task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        """Break what a task served, however it ended: one that is cancelled early never had its turn."""
        link = self._serving.pop(task)
        for end in (link.here, link.there):
            if end is not None:
                _reset(end)
        if link.here is None:
            link.sock.close()

    async def _serve(self, link: _Link) -> None:
        try:
            asks, link.here = await asyncio.open_connection(sock=link.sock)
            self._break_if_refused(link)
            answers, link.there = await asyncio.open_connection("127.0.0.1", self._target)
            async with asyncio.TaskGroup() as passing:
                passing.create_task(self._pass_on(asks, link.there, link))
                passing.create_task(self._pass_on(answers, link.here, link))
        except* (OSError, _BrokenError):  # the connection has ended, one way or the other
            pass

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: _Link) -> None:
        while data := await source.read(_CHUNK):
            await self._treat(data, sink, link)
        with contextlib.suppress(OSError):
            sink.write_eof()

    async def _treat(self, data: bytes, sink: asyncio.StreamWriter, link: _Link) -> None:
        """Pass some bytes on, or not."""
        self._break_if_refused(link)
        while self._way == "stall":
            self._count(link)
            await asyncio.sleep(_LOOK_S)
        if self._way == "cut" and self._rng.random() < 0.5:  # half of all requests and half of their answers
            self._count(link)
            sink.write(data[: self._rng.randrange(len(data))])
            await sink.drain()
            raise _BrokenError
        if self._way == "unavailable" and sink is link.there and (asker := link.here):
            self._count(link)
            asker.write(_UNAVAILABLE if data.startswith(b"HEAD ") else _UNAVAILABLE + _SORRY)
            await asker.drain()
            asker.write_eof()
            await asyncio.sleep(0.2)  # for the answer to arrive before the connection breaks
            raise _BrokenError
        while data and self._way == "slow":
            self._count(link)
            sink.write(data[:_DRIP])
            await sink.drain()
            data = data[_DRIP:]
            await asyncio.sleep(_DRIP_S)
        sink.write(data)
        await sink.drain()

    def _break_if_refused(self, link: _Link) -> None:
        if self._way == "refuse":
            self._count(link)
            raise _BrokenError

    def _count(self, link: _Link) -> None:
        if link.disturbed != self._era:
            link.disturbed = self._era
            self.hits += 1


def _reset(end: asyncio.StreamWriter) -> None:
    """End a connection as a network does that is gone: without a farewell."""
    sock = end.get_extra_info("socket")
    if isinstance(sock, asyncio.trsock.TransportSocket):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()
