"""Every attack by its name: a function that does it until a moment of the monotonic clock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial

from tests.attacks import crowds
from tests.attacks.floods import FLOODS
from tests.attacks.target import Target
from tests.wire import http2_frames as wire

Attack = Callable[[Target, float], None]

CROWD = 400
"""Connections of an attacker that needs many: enough to be seen, few enough for any machine."""

COME_BACK = 5000
"""Connections at most of an attacker that returns after each."""


def flood_again(make: Callable[[], bytes], target: Target, until: float) -> None:
    """One flood after the other, each on a new connection."""
    flood = make()
    for _ in range(COME_BACK):
        if time.monotonic() > until:
            return
        with contextlib.suppress(OSError, AssertionError, ValueError), target.http2() as attacker:
            attacker.sock.settimeout(0.5)
            attacker.pour(flood)
            attacker.read_until(lambda: time.monotonic() > until)


def hold(opening: crowds.Opening, piece: bytes, target: Target, until: float) -> None:
    """A crowd that sends a little now and then."""
    with crowds.crowd(target, CROWD, opening) as held:
        crowds.drip(held, piece, until, 1.0 if piece else 0.1)
        time.sleep(max(0.0, until - time.monotonic()))


def dribble(target: Target, until: float) -> None:
    """Windows opened byte by byte, for as long as the server lets it happen."""
    updates = b"".join(wire.window_update(2 * n + 1, 1) for n in range(100))
    while time.monotonic() < until:
        with contextlib.suppress(OSError, AssertionError), target.http2({4: 1}) as attacker:
            attacker.send(b"".join(wire.headers(2 * n + 1, target.fields()) for n in range(100)))
            while time.monotonic() < until and not attacker.is_closed:
                attacker.pour(updates)


def ask_again(request: Callable[[Target], bytes], target: Target, until: float) -> None:
    """One request after the other, on a connection for as long as it lasts."""
    for _ in range(COME_BACK):
        if time.monotonic() > until:
            return
        with contextlib.suppress(OSError), target.dial_tls() as sock:
            while time.monotonic() < until:
                sock.sendall(request(target))
                if not sock.recv(1 << 20):
                    break


def hello_flood(target: Target, until: float) -> None:
    """See `crowds.hello_flood`."""
    crowds.hello_flood(target, until)


ATTACKS: dict[str, Attack] = {
    **{f"http2: {name}": partial(flood_again, make) for name, make in FLOODS.items()},
    "http2: one-byte windows": dribble,
    "http2: zero windows": partial(hold, crowds.zero_window, b""),
    "http2: slow heads": partial(hold, crowds.slow_head_http2, b""),
    "http2: slow bodies": partial(hold, crowds.slow_body_http2, wire.data(1, b"x")),
    "http2: idle connections": partial(hold, crowds.idle_http2, b""),
    "http1: slow heads": partial(hold, crowds.slow_head, b"X: y\r\n"),
    "http1: slow bodies": partial(hold, crowds.slow_body, b"x"),
    "http1: slow readers": partial(hold, crowds.slow_reader, b""),
    "http1: unread pipelines": partial(hold, crowds.unread_pipeline, b""),
    "http1: idle connections": partial(hold, crowds.idle, b""),
    "http1: malformed": partial(ask_again, lambda target: target.head(b"Bad Name: x")),
    "http1: endless head": partial(ask_again, lambda target: target.head(b"X: " + b"y" * (1 << 20))),
    "http1: 10,000 fields": partial(ask_again, lambda target: target.head(*[b"X: y"] * 10_000)),
    "http1: 100 hosts": partial(ask_again, lambda target: target.head(*[b"Host: x"] * 99)),
    "http1: 1,000 ranges": partial(
        ask_again, lambda target: target.head(b"Range: bytes=" + b",".join(b"%d-" % n for n in range(1000)))
    ),
    "tls: silence": partial(hold, crowds.silence, b""),
    "tls: half hellos": partial(hold, crowds.half_hello, b"\0"),
    "tls: handshake flood": hello_flood,
}
