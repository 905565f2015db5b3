"""What can go wrong with an origin, as the error that answers the visitor.

One table from constant words (those of `net`, of the origin engine, and our own deadlines) to status and public reason.
A word that is not in the table is the origin breaking HTTP: 502 "upstream-protocol".
"""

from __future__ import annotations

from typing import Final

from edge.errors import UpstreamError
from edge.wire.uwsgi import NUL_IN_PATH, TOO_LARGE

NEVER_ANSWERED: Final = "closed-before-response"
"""The connection ended and no byte of a response had come: the only failure, with `RESET`, that a retry may follow."""

RESET: Final = "reset-before-response"
"""The same by a reset: what happens to connections that wait in an origin's backlog when it stops."""

REFUSED: Final = "stream-refused"
"""An HTTP/2 origin has said that it has not acted upon the request (RFC 9113 §8.7): any may be sent again."""

NO_TUNNEL: Final = "no-tunnel"
"""Not a failure but a refusal: an ordinary answer that the visitor would take for an open tunnel."""

NO_WEBSOCKET: Final = "no-websocket"
"""The origin's protocol has no tunnels."""
STREAM_RESET: Final = "stream-reset"
"""An HTTP/2 origin gave the response up before its head."""

NOT_HTTP2: Final = "not-http2"
"""Somebody listens at an `h2c://` address and speaks something else."""

TRUNCATED: Final = "truncated"
FIRST_BYTE_TIMEOUT: Final = "first-byte-timeout"
IDLE_TIMEOUT: Final = "idle-timeout"
REQUEST_STALLED: Final = "request-stalled"

UNSENT: Final = frozenset((NO_WEBSOCKET, TOO_LARGE, NUL_IN_PATH))
"""Words for requests that the origin's protocol cannot carry. It never heard of them: they say nothing about its health."""

RETRY_AFTER: Final = 2
"""Seconds that we ask a visitor to wait when the origin is down: about one restart of an application server."""

IS_DOWN: Final = frozenset(("refused", "no-such-socket", "backlog-full", "reset"))
"""Words for a connection that could not be opened because nobody listens, nobody takes what waits, or the listener closed at
that moment: what a restart looks like from outside. Nothing has been sent, and a request may wait for the end of it."""

_ANSWERS: Final = {
    "refused": (502, "upstream-refused"),
    "no-such-socket": (502, "upstream-refused"),
    "permission": (502, "upstream-permission"),
    "unreachable": (502, "upstream-unreachable"),
    "socket-error": (502, "upstream-unreachable"),
    "reset": (502, "upstream-closed"),
    "handshake-failed": (502, "upstream-tls"),
    "certificate-expired": (502, "upstream-tls"),
    "certificate-not-yet-valid": (502, "upstream-tls"),
    "certificate-for-another-name": (502, "upstream-tls"),
    "certificate-for-another-address": (502, "upstream-tls"),
    "certificate-untrusted": (502, "upstream-tls"),
    "name-unknown": (502, "upstream-name-unknown"),
    "timeout": (504, "upstream-connect-timeout"),
    "backlog-full": (503, "upstream-busy"),
    "no-descriptors": (503, "out-of-descriptors"),
    NEVER_ANSWERED: (502, "upstream-closed"),
    RESET: (502, "upstream-closed"),
    REFUSED: (503, "upstream-busy"),
    STREAM_RESET: (502, "upstream-closed"),
    NOT_HTTP2: (502, "upstream-not-http2"),
    NO_TUNNEL: (502, "upstream-no-tunnel"),
    NO_WEBSOCKET: (501, "upstream-no-websocket"),
    TOO_LARGE: (431, "head-too-large"),
    NUL_IN_PATH: (400, "path-characters"),
    TRUNCATED: (502, "upstream-truncated"),
    FIRST_BYTE_TIMEOUT: (504, "upstream-first-byte-timeout"),
    IDLE_TIMEOUT: (504, "upstream-idle-timeout"),
    REQUEST_STALLED: (504, "upstream-request-stalled"),
}


def upstream_error(word: str) -> UpstreamError:
    """The error for a constant word; never raises."""
    status, reason = _ANSWERS.get(word, (502, "upstream-protocol"))
    return UpstreamError(status, reason, retry_after=RETRY_AFTER if status == 503 else None, is_down=word in IS_DOWN)


def down_error() -> UpstreamError:
    """The error for a request that waited in vain for an origin to come back, or that found no room to wait."""
    return UpstreamError(503, "upstream-refused", retry_after=RETRY_AFTER, is_down=True)
