"""The contract of a non-blocking byte stream and of whoever listens to it."""

from __future__ import annotations

from typing import Final, Protocol

from edge.http.exchange import Buffer


class StreamListener(Protocol):
    """Callbacks of a byte stream, all on the event loop's thread."""

    def stream_opened(self) -> None:
        """Connected, TLS handshake done. Nothing else is called before."""

    def data_received(self, data: bytes) -> None:
        """At least one byte."""

    def eof_received(self) -> None:
        """The peer will send no more; writing may still work. Called at most once."""

    def stream_drained(self) -> None:
        """All written bytes have left, after `write` had returned False."""

    def stream_lost(self, reason: str) -> None:
        """The stream is gone: called exactly once, last. `reason` is "" after our own orderly close, else a constant word."""


class ByteStream(Protocol):
    """A connected socket, with or without TLS, driven from reader and writer callbacks; no transport, no task."""

    last_progress: float
    """While `unsent`: monotonic time at which bytes last left the socket, or waiting began (for SEND_TIMEOUT)."""

    @property
    def unsent(self) -> int:
        """Bytes accepted by `write` that have not left."""

    def write(self, data: Buffer) -> bool:
        """Send now what the socket takes, keep the rest in order. True when nothing is left behind."""

    def pause_reading(self) -> None:
        """No `data_received` until `resume_reading`."""

    def resume_reading(self) -> None:
        """Deliver data again."""

    def end_output(self) -> None:
        """Send what is left, then tell the peer that nothing follows; reading goes on. Nothing may be written afterwards."""

    def close(self) -> None:
        """Send what is left, say goodbye (TLS close_notify), then close. Reading stops at once."""

    def abort(self) -> None:
        """Close now; unsent bytes are lost, the peer sees a reset where possible."""


class _Nobody:
    """Who listens to a stream that is lost."""

    def stream_opened(self) -> None:
        """Never."""

    def data_received(self, data: bytes) -> None:
        """Never."""

    def eof_received(self) -> None:
        """Never."""

    def stream_drained(self) -> None:
        """What was under way when the stream was lost may end with this."""

    def stream_lost(self, reason: str) -> None:
        """Never."""


NOBODY: Final = _Nobody()
