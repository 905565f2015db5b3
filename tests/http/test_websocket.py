"""The WebSocket handshake as values."""

from __future__ import annotations

import pytest

from edge.http.websocket import accept_of, answer_fields, crossing, handshake_fields, has_version, key_of, new_key

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_example_of_the_rfc() -> None:
    """RFC 6455 §1.3 names a key and what accepts it."""
    assert accept_of(KEY) == ACCEPT


def test_keys_are_well_formed_and_never_repeat() -> None:
    """16 random bytes in Base64, new for every handshake."""
    keys = [new_key() for _ in range(100)]
    assert len(set(keys)) == 100
    assert all(key_of(((b"sec-websocket-key", key),)) == key for key in keys)


@pytest.mark.parametrize(
    "value",
    [b"", b"short==", KEY[:-1], KEY + b"=", b"dGhlIHNhbXBsZSBub25jZR==", b"dGhlIHNhbXBsZSBub25jZQ=*", KEY[:12] + b" " + KEY[13:]],
)  # fmt: skip
def test_a_key_is_the_base64_of_sixteen_bytes(value: bytes) -> None:
    """Anything else is no key, bits that 16 bytes do not have included."""
    assert key_of(((b"sec-websocket-key", value),)) is None


def test_a_handshake_has_one_key_and_one_version() -> None:
    """Two of either mean nothing."""
    assert key_of(((b"sec-websocket-key", KEY), (b"sec-websocket-key", KEY))) is None
    assert not has_version(((b"sec-websocket-version", b"13"), (b"sec-websocket-version", b"8")))
    assert not has_version(((b"sec-websocket-version", b"8"),))
    assert has_version(((b"sec-websocket-version", b"13"),))


def test_protocols_and_extensions_cross_and_nothing_else_of_the_handshake() -> None:
    """The key that an origin sees is ours, whatever the visitor sent."""
    visitors = (
        (b"host", b"a.test"),
        (b"sec-websocket-key", KEY),
        (b"sec-websocket-version", b"13"),
        (b"sec-websocket-protocol", b"chat"),
        (b"sec-websocket-extensions", b"permessage-deflate"),
    )
    ours = handshake_fields(visitors, b"k" * 24)
    assert [value for name, value in ours if name == b"sec-websocket-key"] == [b"k" * 24]
    assert [value for name, value in ours if name == b"sec-websocket-version"] == [b"13"]
    assert set(crossing(visitors)) <= set(ours)
    assert (b"sec-websocket-protocol", b"chat") in ours
    assert crossing(((b"sec-websocket-accept", ACCEPT),)) == ()


def test_the_answer_to_a_visitor_proves_its_own_key() -> None:
    """Connection, Upgrade and the accept value (RFC 6455 §4.2.2)."""
    assert answer_fields(((b"sec-websocket-key", KEY),)) == (
        (b"connection", b"upgrade"),
        (b"upgrade", b"websocket"),
        (b"sec-websocket-accept", ACCEPT),
    )
