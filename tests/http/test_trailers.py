"""Which fields may stand behind a body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import RequestRefused
from edge.http.limits import MAX_FIELDS, MAX_TRAILERS
from edge.http.trailers import FORBIDDEN, clean_trailers


def test_ordinary_trailers_pass_in_order_with_names_in_lower_case() -> None:
    """What gRPC and checksums say behind a body arrives, white space around values removed."""
    lines = [(b"Grpc-Status", b" 5 "), (b"grpc-message", b"no such thing"), (b"digest", b"sha-256=:x:"), (b"a", b"")]
    assert clean_trailers(lines) == (
        (b"grpc-status", b"5"), (b"grpc-message", b"no such thing"), (b"digest", b"sha-256=:x:"), (b"a", b""),
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [*sorted(FORBIDDEN), b"transfer-encoding", b"te", b"Trailer", b"If-Match", b"x-accel-redirect", b"Set-Cookie"],
)
def test_fields_that_must_be_known_before_the_body_are_left_out(name: bytes) -> None:
    """Framing, routing, authentication, controls and content fields never trail (RFC 9110 §6.5.1); the others still do."""
    assert clean_trailers([(name, b"1"), (b"x", b"y")]) == ((b"x", b"y"),)


@pytest.mark.parametrize("line", [(b"", b"x"), (b"a b", b"x"), (b":status", b"200"), (b"a", b"x\ny"), (b"a", b"\x00")])
def test_broken_syntax_is_an_error(line: tuple[bytes, bytes]) -> None:
    """A name that is no token, a pseudo-field, or a value with control characters is not understood."""
    with pytest.raises(RequestRefused):
        clean_trailers([line])


@pytest.mark.parametrize(
    "lines", [[(b"a", bytes(MAX_TRAILERS).replace(b"\0", b"x"))], [(b"a", b"")] * (MAX_FIELDS + 1)]
)
def test_a_trailer_section_is_limited(lines: list[tuple[bytes, bytes]]) -> None:
    """In bytes and in number."""
    with pytest.raises(RequestRefused, match="trailers-too-large"):
        clean_trailers(lines)


@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=6))
def test_what_passes_is_clean(lines: list[tuple[bytes, bytes]]) -> None:
    """Whatever comes is refused, or becomes lower-case names and clean values, which pass again as they are."""
    try:
        kept = clean_trailers(lines)
    except RequestRefused:
        return
    assert clean_trailers(kept) == kept
    assert not any(name in FORBIDDEN or name != name.lower() or b"\n" in value for name, value in kept)
