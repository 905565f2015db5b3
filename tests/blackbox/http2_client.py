"""A small HTTP/2 client over TLS (python-h2, asyncio), for what curl cannot do: WebSockets, reading at will."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from types import TracebackType

import h2.config
import h2.connection
import h2.events
from hyperframe.frame import GoAwayFrame

Field = tuple[str, str]

CONNECTION_WINDOW = 16 * 1024 * 1024
"""Large, so that one stream that is not read does not hold up the others."""


class HTTP2Client:
    """One connection; `async with HTTP2Client(port, context) as client`, then streams."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self.port = port
        self._context = context
        context.set_alpn_protocols(["h2"])
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        # python-h2 would take a GOAWAY for the end of the streams in flight, which it is not (RFC 9113 §6.8).
        self.h2._frame_dispatch_table[GoAwayFrame] = lambda frame: ([], [])
        self.streams: dict[int, HTTP2Stream] = {}
        self.changed = asyncio.Condition()

    async def __aenter__(self) -> HTTP2Client:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self._context, server_hostname="localhost"
        )
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(CONNECTION_WINDOW)
        self.flush()
        self._task = asyncio.create_task(self._read())
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: self.has_settings)
        return self

    @property
    def has_settings(self) -> bool:
        """Whether the server's have arrived."""
        return self.h2.remote_settings.max_concurrent_streams < 2**31

    def flush(self) -> None:
        """Write what h2 has."""
        self._writer.write(self.h2.data_to_send())

    def open(self, *fields: Field, end: bool = True) -> HTTP2Stream:
        """A new stream with this request head, pseudo-fields included."""
        stream = HTTP2Stream(self, self.h2.get_next_available_stream_id())
        self.streams[stream.number] = stream
        self.h2.send_headers(stream.number, [*fields], end_stream=end)
        self.flush()
        return stream

    def get(self, path: str, *fields: Field) -> HTTP2Stream:
        """A GET."""
        return self.open(*_head("GET", path), *fields)

    def websocket(self, path: str) -> HTTP2Stream:
        """An extended CONNECT (RFC 8441)."""
        version = ("sec-websocket-version", "13")
        return self.open(*_head("CONNECT", path), (":protocol", "websocket"), version, end=False)

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(65536):
                await self._take(data)
        async with self.changed:
            for stream in self.streams.values():
                stream.is_over = True
            self.changed.notify_all()

    async def _take(self, data: bytes) -> None:
        async with self.changed:
            for event in self.h2.receive_data(data):
                stream = self.streams.get(getattr(event, "stream_id", 0) or 0)
                if stream is not None:
                    stream.take(event)
            self.changed.notify_all()
        self.flush()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.transport.abort()


def _head(method: str, path: str) -> tuple[Field, ...]:
    return ((":method", method), (":scheme", "https"), (":path", path), (":authority", "localhost"))


class HTTP2Stream:
    """One stream as the client sees it. `is_reading` False: the window is not opened."""

    def __init__(self, client: HTTP2Client, number: int) -> None:
        self.number = number
        self.interim: list[dict[str, str]] = []
        self.fields: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self.body = bytearray()
        self.is_over = False
        self.reset_code: int | None = None
        self.is_reading = True
        self._client = client
        self._owed = 0
        self._unsent: deque[bytes] = deque()

    def take(self, event: h2.events.Event) -> None:
        """Called by the client."""
        match event:
            case h2.events.InformationalResponseReceived():
                self.interim.append(_fields(event.headers))
            case h2.events.ResponseReceived():
                self.fields = _fields(event.headers)
            case h2.events.TrailersReceived():
                self.trailers = _fields(event.headers)
            case h2.events.DataReceived():
                self.body += event.data or b""
                self._owed += event.flow_controlled_length
                if self.is_reading:
                    self.acknowledge()
            case h2.events.StreamEnded():
                self.is_over = True
            case h2.events.StreamReset():
                self.is_over, self.reset_code = True, int(event.error_code or 0)

    def acknowledge(self) -> None:
        """Open the windows for everything received."""
        owed, self._owed = self._owed, 0
        if owed and not self.is_over:
            self._client.h2.acknowledge_received_data(owed, self.number)

    def read_on(self) -> None:
        """Read again after `is_reading` was False."""
        self.is_reading = True
        self.acknowledge()
        self._client.flush()

    async def send(self, data: bytes, *, end: bool = False) -> None:
        """All of it, as the server's windows allow."""
        connection = self._client.h2
        while data:
            async with asyncio.timeout(30), self._client.changed:
                await self._client.changed.wait_for(lambda: connection.local_flow_control_window(self.number) > 0)
            size = min(len(data), connection.local_flow_control_window(self.number), connection.max_outbound_frame_size)
            connection.send_data(self.number, data[:size])
            data = data[size:]
            self._client.flush()
        if end:
            connection.end_stream(self.number)
            self._client.flush()

    async def until(self, condition: object) -> None:
        """Wait until `condition()` holds, or fail."""
        assert callable(condition)
        async with asyncio.timeout(30), self._client.changed:
            await self._client.changed.wait_for(condition)

    async def answered(self) -> HTTP2Stream:
        """Wait for the final head."""
        await self.until(lambda: self.fields or self.is_over)
        return self

    async def ended(self) -> HTTP2Stream:
        """Wait for the end."""
        await self.until(lambda: self.is_over)
        return self


def _fields(headers: object) -> dict[str, str]:
    assert isinstance(headers, list)
    return dict(headers)
