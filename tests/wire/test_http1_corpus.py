"""The corpus of malformed and unusual requests: whole, byte by byte, and with more behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.wire.engine import BodyReceived, RequestEnded, RequestReceived, RequestRefused, StreamAborted
from tests.corpus.http1 import ABORTED, ACCEPTED, OK, REFUSED
from tests.wire.driving import Visit, byte_by_byte, whole

FEEDS = pytest.mark.parametrize("feed", [whole, byte_by_byte])


@FEEDS
@pytest.mark.parametrize("more", [b"", OK, b"\x00" * 9], ids=["alone", "request-behind", "garbage-behind"])
@pytest.mark.parametrize(("raw", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_malformed_request_is_refused_and_nothing_behind_it_is_read(
    raw: bytes, status: int, more: bytes, feed: Callable[[bytes], list[bytes]]
) -> None:
    """One refusal with its status, an answer that says close, and no request: neither this one nor one behind it."""
    visit = Visit().read(feed(raw + more))
    assert [type(event) for event in visit.events] == [RequestRefused]
    assert isinstance(visit.events[0], RequestRefused)
    assert visit.events[0].status == status
    assert visit.written.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nconnection: close\r\n" in visit.written
    assert visit.engine.must_close


@FEEDS
@pytest.mark.parametrize("more", [b"", OK], ids=["alone", "request-behind"])
@pytest.mark.parametrize("raw", [row[1] for row in ABORTED], ids=[row[0] for row in ABORTED])
def test_a_broken_body_never_ends_cleanly(raw: bytes, more: bytes, feed: Callable[[bytes], list[bytes]]) -> None:
    """A body that breaks a rule aborts its request, and the connection, whatever follows; the client is told why."""
    visit = Visit().read(feed(raw + more))
    assert any(isinstance(event, StreamAborted) for event in visit.events)
    assert not any(isinstance(event, RequestEnded) for event in visit.events)
    assert len([event for event in visit.events if isinstance(event, RequestReceived)]) == 1
    assert visit.engine.must_close
    assert visit.written.startswith(b"HTTP/1.1 400 ")
    assert visit.written.count(b"HTTP/1.1 ") == 1


@FEEDS
@pytest.mark.parametrize(("raw", "requests"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_an_unusual_request_is_read_one_way_only(
    raw: bytes, requests: tuple[tuple[bytes, bytes], ...], feed: Callable[[bytes], list[bytes]]
) -> None:
    """Legal requests come out with their bodies, one after the other, each answered once."""
    visit = Visit().read(feed(raw))
    assert visit.requests == list(requests)
    assert visit.written.count(b"HTTP/1.1 200 OK\r\n") == len(requests)


def test_body_bytes_count_once() -> None:
    """The credit of a body event is the number of its bytes."""
    visit = Visit().read(whole(ACCEPTED[1][1]))
    assert BodyReceived(1, b"hi", 2) in visit.events
