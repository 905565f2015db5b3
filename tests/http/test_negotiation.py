"""Content codings (RFC 9110 §12.5.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.http.negotiation import choose_coding, parse_accept_encoding

SIZES = {"identity": 1000, "zstd": 310, "br": 300, "gzip": 350}


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        (None, "identity"),
        (b"", "identity"),
        (b"gzip, deflate, br, zstd", "br"),
        (b"gzip, deflate", "gzip"),
        (b"GZIP", "gzip"),
        (b"x-gzip", "gzip"),
        (b"*", "br"),
        (b"*;q=0", "identity"),
        (b"gzip;q=0, br;q=0.000", "identity"),
        (b"br;q=0, *", "zstd"),
        (b"br;q=0, gzip;q=0.5", "gzip"),
        (b"gzip;q=1.0, br;q=0.5", "gzip"),
        (b"gzip;q=0.5, br;q=0.5", "br"),
        (b"gzip;q=0.1", "gzip"),
        (b"identity;q=0", "identity"),
        (b"identity;q=0, *;q=0", "identity"),
        (b"identity;q=0, gzip;q=0.001", "gzip"),
        (b"identity, gzip;q=0.5", "identity"),
        (b"identity;q=0.5, gzip;q=0.5", "gzip"),
        (b"gzip;q=0.5, *;q=0.8", "br"),
        (b"gzip ; Q=0 , br ; q=1", "br"),
        (b"gzip;q=2, br;q=0.5", "br"),
        (b"gzip;q=0.1234, zstd", "zstd"),
        (b"gzip;level=9, zstd;q=0.1", "zstd"),
        (b"gzip, gzip;q=0", "identity"),
        (b"deflate, compress", "identity"),
        (b",,;;=", "identity"),
    ],
)
def test_the_best_accepted_variant_is_chosen(accept_encoding: bytes | None, coding: str) -> None:
    """Highest weight, then smallest; q=0 refuses; nothing acceptable is the identity, never 406."""
    assert choose_coding(accept_encoding, SIZES) == coding


def test_a_larger_variant_is_no_gain() -> None:
    """A coding that makes the file larger is not used for clients that take both equally."""
    assert choose_coding(b"gzip", {"identity": 10, "gzip": 30}) == "identity"
    assert choose_coding(b"gzip, identity;q=0", {"identity": 10, "gzip": 30}) == "gzip"


def test_only_what_is_stored_is_offered() -> None:
    """A coding without a variant is never chosen."""
    assert choose_coding(b"br, gzip;q=0.1", {"identity": 1000, "gzip": 300}) == "gzip"
    assert choose_coding(b"br, gzip", {"identity": 1000}) == "identity"


@given(st.text(alphabet="gzipbr*identy;q=01. ,", max_size=60).map(str.encode))
def test_any_value_leads_to_a_stored_variant(value: bytes) -> None:
    """Whatever the field says, a variant is chosen, and never a coding that is refused."""
    coding = choose_coding(value, SIZES)
    assert coding in SIZES
    weights = parse_accept_encoding(value)
    assert all(0 <= weight <= 1 for weight in weights.values())
    if coding != "identity":
        assert weights.get(coding, weights.get("*", 0)) > 0
