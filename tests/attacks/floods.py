"""HTTP/2 floods: bytes behind the client's preface and first SETTINGS, each of which a server should answer with the end of the
connection. Frames are legal one by one, or wrong in a way that is cheap to send and dear to receive."""

from __future__ import annotations

from collections.abc import Callable

from tests.blackbox.http2_visitor import request
from tests.wire import http2_frames as wire


def rapid_reset(count: int) -> bytes:
    return b"".join(wire.headers(2 * n + 1, request()) + wire.rst_stream(2 * n + 1) for n in range(count))


def made_to_reset(count: int) -> bytes:
    """Streams that edge itself must reset: window overflow by an update (CVE-2025-8671)."""
    return b"".join(
        wire.headers(2 * n + 1, request(method=b"POST"), end=False) + wire.window_update(2 * n + 1, 0x7FFFFFFF)
        for n in range(count)
    )


def made_to_refuse(count: int) -> bytes:
    """Requests whose length is wrong, one after the other."""
    return b"".join(
        wire.headers(2 * n + 1, request(b"/", b"POST", (b"content-length", b"5")), end=False)
        + wire.data(2 * n + 1, b"toolong", end=True)
        for n in range(count)
    )


FLOODS: dict[str, Callable[[], bytes]] = {
    "rapid reset": lambda: rapid_reset(2000),
    "made to reset": lambda: made_to_reset(2000),
    "made to refuse": lambda: made_to_refuse(2000),
    "settings": lambda: wire.settings({3: 100}) * 20_000,
    "empty settings": lambda: wire.settings() * 20_000,
    "unknown settings": lambda: wire.settings({n: n for n in range(100, 120)}) * 5_000,
    "settings of many entries": lambda: wire.settings(dict.fromkeys(range(1, 2000), 1)),
    "ping": lambda: wire.ping() * 20_000,
    "window updates": lambda: wire.window_update(0, 1) * 20_000,
    "priority": lambda: b"".join(wire.frame(wire.PRIORITY, 0, 2 * n + 1, b"\0\0\0\0\1") for n in range(20_000)),
    "priority update": lambda: wire.frame(wire.PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1") * 20_000,
    "unknown frames": lambda: wire.frame(0x42, 0, 0, b"x") * 20_000,
    "continuation": lambda: (
        wire.frame(wire.HEADERS, 0, 1, wire.block(request()))
        + wire.frame(wire.CONTINUATION, 0, 1, wire.block([(b"x", b"y" * 100)])) * 10_000
    ),
    "empty continuation": lambda: (
        wire.frame(wire.HEADERS, 0, 1, wire.block(request())) + wire.frame(wire.CONTINUATION, 0, 1) * 10_000
    ),
    "empty data": lambda: wire.headers(1, request(method=b"POST"), end=False) + wire.data(1, b"") * 20_000,
    "padding": lambda: (
        wire.headers(1, request(method=b"POST"), end=False) + wire.frame(0, wire.PADDED, 1, b"\x01\0") * 20_000
    ),
    "large frame": lambda: wire.frame(wire.DATA, 0, 1, b"x" * 100_000, length=(1 << 24) - 1),
    "header bomb": lambda: wire.frame(
        wire.HEADERS, 5, 1, wire.block(request()) + b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 10_000
    ),
    "table sizes": lambda: wire.frame(wire.HEADERS, 5, 1, b"\x3f\xe1\x1f\x20" * 4000 + wire.block(request())),
    "push": lambda: wire.frame(wire.PUSH_PROMISE, 4, 1, b"\0\0\0\2" + wire.block(request())),
    "interrupted block": lambda: wire.frame(wire.HEADERS, 1, 1, wire.block(request())) + wire.ping(),
}
