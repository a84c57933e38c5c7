"""A request's body, received by the socket into the place where it is kept: nothing copies it on the way.

uvicorn hands a body on in pieces of at most 256 kB, each copied three times and taken through the event loop: that
costs as much as all else of an upload. This is uvicorn's own protocol with one extension of the ASGI scope: a
`ReceiveInto` as the "call" of `EXTENSION`. Whoever does not find it reads the body as ASGI has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

EXTENSION = "satsegment.receive_into"
_LOOK_SECONDS = 0.25

# (room, seconds without a byte, seconds for all of it) -> how many bytes came; fewer than announced where it broke off
ReceiveInto = Callable[[memoryview, float, float], Awaitable[int]]


class DirectBodyProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with bodies of known length received in place where the application asks for that."""

    def on_headers_complete(self) -> None:
        """Offer the extension to a request whose body has a length."""
        length = next((value for name, value in self.headers if name == b"content-length"), b"")
        if not length.isdigit() or self.expect_100_continue:
            super().on_headers_complete()
            return

        async def receive_into(room: memoryview, stall_seconds: float, whole_seconds: float) -> int:
            return await self._receive_into(cycle, room[: int(length)], stall_seconds, whole_seconds)

        self.scope["extensions"] = {EXTENSION: {"call": receive_into}}
        super().on_headers_complete()
        # Another request may follow in the same breath, and be the connection's current one when this one is answered.
        cycle = self.cycle

    async def _receive_into(
        self, cycle: RequestResponseCycle, room: memoryview, stall_seconds: float, whole_seconds: float
    ) -> int:
        # What came with the headers.
        got = len(cycle.body)
        room[:got] = cycle.body
        cycle.body = bytearray()
        if got < len(room):
            if cycle.disconnected or self.transport.is_closing():
                return got
            receiver = _Receiver(self, room[got:])
            got += await receiver.receive(stall_seconds, whole_seconds)
        if got == len(room):
            cycle.more_body = False
        else:
            # Nobody knows any more where the next request would begin.
            cycle.keep_alive = False
        return got

    def give_way_to(self, other: asyncio.BaseProtocol) -> None:
        """Have another protocol get what the socket brings."""
        # uvloop chooses how it reads when reading starts.
        if not self.flow.read_paused:
            self.transport.pause_reading()
        self.transport.set_protocol(other)
        self.transport.resume_reading()

    def take_over(self) -> None:
        """Get what the socket brings again; the body that was under way is over."""
        self.parser = httptools.HttpRequestParser(self)
        if not self.transport.is_closing():
            self.transport.pause_reading()
            self.transport.set_protocol(self)
            # As after any whole body: read on with the next request, once this one is answered.
            self.flow.read_paused = True


class _Receiver(asyncio.BufferedProtocol):
    """Fills a room from a connection, then gives the connection back."""

    def __init__(self, owner: DirectBodyProtocol, room: memoryview) -> None:
        self._owner, self._room = owner, room
        self._got = 0
        self._lost = False
        self._done: asyncio.Future[None] = owner.loop.create_future()

    async def receive(self, stall_seconds: float, whole_seconds: float) -> int:
        """How many bytes came before the room was full, the connection was lost, or time was over."""
        self._owner.give_way_to(self)
        clock = self._owner.loop.time
        began = moved = clock()
        seen = 0
        try:
            while not self._done.done():
                await asyncio.wait([self._done], timeout=min(_LOOK_SECONDS, stall_seconds))
                if self._got > seen:
                    seen, moved = self._got, clock()
                elif clock() - moved > stall_seconds:
                    break
                if clock() - began > whole_seconds:
                    break
        finally:
            if not self._lost:
                self._owner.take_over()
        return self._got

    def get_buffer(self, sizehint: int) -> memoryview:
        """What is still free; never a byte of the request that follows."""
        return self._room[self._got :]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes more are there."""
        self._got += nbytes
        if self._got == len(self._room):
            self._owner.transport.pause_reading()
            self._finish()

    def eof_received(self) -> None:
        """The client sends no more."""
        self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._lost = True
        self._finish()
        self._owner.connection_lost(exc)

    def pause_writing(self) -> None:
        """As the owner."""
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        """As the owner."""
        self._owner.resume_writing()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
