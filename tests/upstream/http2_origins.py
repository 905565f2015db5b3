"""An HTTP/2 origin (python-h2) that does what a script says, on a real loopback or unix socket without TLS."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import TypeAlias

import h2.config
import h2.connection
import h2.events
import h2.settings
from hyperframe.frame import GoAwayFrame

from edge.config.address import H2C, UpstreamAddress

PATIENCE = 5.0
"""Seconds after which a test that waits for something fails instead of hanging."""

Fields = Iterable[tuple[bytes, bytes]]


class Call:
    """One request as the origin sees it, and its response."""

    def __init__(self, line: Line, stream_id: int, fields: list[tuple[bytes, bytes]]) -> None:
        self.line = line
        self.stream_id = stream_id
        self.fields = fields
        self.body = bytearray()
        self.is_complete = False
        self.reset_code: int | None = None
        self.is_reading = True
        self.is_answered = False
        self._owed = 0

    def field(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.fields if key == name), None)

    async def complete(self) -> bytes:
        """The whole body."""
        await self.until(lambda: self.is_complete)
        return bytes(self.body)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE), self.line.changed:
            await self.line.changed.wait_for(condition)

    async def cancelled(self) -> int:
        """The code of edge's RST_STREAM."""
        await self.until(lambda: self.reset_code is not None)
        assert self.reset_code is not None
        return self.reset_code

    def interim(self, status: int, *fields: tuple[bytes, bytes]) -> None:
        self.line.h2.send_headers(self.stream_id, [(b":status", b"%d" % status), *fields])
        self.line.flush()

    def head(self, status: int = 200, *fields: tuple[bytes, bytes], end: bool = False) -> None:
        self.line.h2.send_headers(self.stream_id, [(b":status", b"%d" % status), *fields], end_stream=end)
        self.line.flush()

    async def data(self, data: bytes, *, end: bool = False) -> None:
        """All of it, as far as edge opens the window."""
        connection = self.line.h2
        while data:
            await self.until(
                lambda: self.reset_code is not None or connection.local_flow_control_window(self.stream_id) > 0
            )
            if self.reset_code is not None:
                raise ConnectionResetError
            size = min(len(data), connection.local_flow_control_window(self.stream_id), 16_384)
            connection.send_data(self.stream_id, data[:size])
            data = data[size:]
            self.line.flush()
        if end:
            connection.end_stream(self.stream_id)
            self.line.flush()

    def trailers(self, *fields: tuple[bytes, bytes]) -> None:
        self.line.h2.send_headers(self.stream_id, [*fields], end_stream=True)
        self.line.flush()

    def reset(self, code: int) -> None:
        self.line.h2.reset_stream(self.stream_id, code)
        self.line.flush()

    def read_on(self) -> None:
        """Give the credit back that was held while `is_reading` was False."""
        self.is_reading = True
        self.take_credit(0)
        self.line.flush()

    def take_credit(self, size: int) -> None:
        self._owed += size
        if self.is_reading and self._owed and self.reset_code is None:
            self.line.h2.acknowledge_received_data(self._owed, self.stream_id)
            self._owed = 0


App: TypeAlias = Callable[[Call], Awaitable[None]]


class Line:
    """One connection as the origin sees it; `number` counts from 1."""

    def __init__(
        self, origin: HTTP2Origin, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.origin = origin
        self.number = number
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self.calls: dict[int, Call] = {}
        self.changed = asyncio.Condition()
        self.pings = 0
        self.has_goaway = False
        self._reader, self._writer = reader, writer
        self._tasks: set[asyncio.Task[None]] = set()

    def flush(self) -> None:
        self._writer.write(self.h2.data_to_send())

    def go_away(self, last_stream_id: int, *, code: int = 0) -> None:
        """GOAWAY, after which python-h2 would say nothing more: so it is written by hand."""
        self._writer.write(GoAwayFrame(0, last_stream_id=last_stream_id, error_code=code).serialize())

    @property
    def is_open(self) -> bool:
        """Whether edge has not closed it."""
        return not self._writer.is_closing()

    def hang(self) -> None:
        """Read nothing more, and so answer nothing."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport of a socket can

    def garble(self) -> None:
        """Say what is no frame."""
        self._writer.write(b"\xff" * 64)

    def close(self) -> None:
        self._writer.close()

    def drop(self) -> None:
        self._writer.transport.abort()

    async def run(self) -> None:
        streams = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.origin.max_streams}
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=streams)
        self.h2.initiate_connection()
        self.flush()
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(65536):
                async with self.changed:
                    for event in self.h2.receive_data(data):
                        self._take(event)
                    self.changed.notify_all()
                self.flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                call = self.calls[event.stream_id] = Call(self, event.stream_id, [*event.headers])
                task = asyncio.ensure_future(self._answer(call))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                call.is_complete = event.stream_ended is not None
            case h2.events.DataReceived():
                call = self.calls[event.stream_id]
                call.body += event.data or b""
                call.take_credit(event.flow_controlled_length)
            case h2.events.StreamEnded():
                self.calls[event.stream_id].is_complete = True
            case h2.events.StreamReset():
                self.calls[event.stream_id].reset_code = int(event.error_code or 0)
            case h2.events.ConnectionTerminated():
                self.has_goaway = True
            case h2.events.PingReceived():
                self.pings += 1

    async def _answer(self, call: Call) -> None:
        self.origin.calls.append(call)
        with contextlib.suppress(ConnectionError):
            await self.origin.app(call)


class HTTP2Origin:
    """`async with HTTP2Origin(app) as origin`: every request runs the app; `lines` are the connections so far."""

    def __init__(self, app: App, path: str = "", *, max_streams: int = 100, port: int = 0) -> None:
        self.app = app
        self.max_streams = max_streams
        self.lines: list[Line] = []
        self.calls: list[Call] = []
        self._path = path
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> HTTP2Origin:
        if self._path:
            self._server = await asyncio.start_unix_server(self._accept, self._path)
            self.address = UpstreamAddress(path=self._path, protocol=H2C)
        else:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
            self.address = UpstreamAddress("127.0.0.1", self._server.sockets[0].getsockname()[1], protocol=H2C)
        return self

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(self, len(self.lines) + 1, reader, writer)
        self.lines.append(line)
        task = asyncio.ensure_future(self._run(line, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, line: Line, writer: asyncio.StreamWriter) -> None:
        try:
            await line.run()
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()
        for task in list(self._tasks):
            if kind:
                task.cancel()
            await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), PATIENCE)


async def say_ok(call: Call) -> None:
    """Reads the request, answers `ok`."""
    await call.complete()
    call.head(200, (b"content-length", b"2"))
    await call.data(b"ok", end=True)
