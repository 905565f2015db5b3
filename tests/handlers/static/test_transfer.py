"""Files too large for memory: back-pressure, replacement and truncation while they are sent."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from edge.config.schema import StaticMount
from edge.handlers.static.handler import StaticHandler
from edge.http.limits import WRITE_SLICE
from tests.fakes import FakeExchange, make_request
from tests.handlers.static.conftest import descriptors
from tests.handlers.static.site import MODIFIED, StaticSite

LARGE = os.urandom(10 * WRITE_SLICE + 123)
OTHER = os.urandom(len(LARGE))


def test_a_large_file_arrives_whole(site: StaticSite) -> None:
    """Slices of bounded size, in order, then the end; others get their turn in between."""
    site.put("a.bin", LARGE)
    exchange = site.exchange("/static/a.bin")
    assert len(exchange.slices) < 10
    assert not exchange.is_over
    site.run_deferred()
    assert exchange.is_ended
    assert exchange.body == LARGE
    assert max(map(len, exchange.slices)) <= WRITE_SLICE


def test_a_slow_client_is_waited_for(site: StaticSite) -> None:
    """Nothing is read while the client does not take it, and the rest comes when it does."""
    site.put("a.bin", LARGE)
    exchange = site.slow_exchange("/static/a.bin")
    site.run_deferred()
    assert len(exchange.body) == WRITE_SLICE
    while not exchange.is_over:
        before = len(exchange.body)
        exchange.take(1)
        site.run_deferred()
        assert exchange.is_ended or len(exchange.body) - before <= WRITE_SLICE
    assert exchange.body == LARGE


def test_resuming_while_a_turn_is_due_sends_nothing_twice(site: StaticSite) -> None:
    """A client that takes everything while we wait for our turn does not start a second run."""
    site.put("a.bin", LARGE)
    exchange = site.exchange("/static/a.bin")
    sent = len(exchange.body)
    assert exchange.receiver is not None
    exchange.receiver.resume_sending()
    assert (len(exchange.body), len(site.deferred)) == (sent, 1)
    site.run_deferred()
    assert exchange.body == LARGE


def test_a_body_of_the_request_is_ignored(site: StaticSite) -> None:
    """A GET may come with a body; it means nothing (RFC 9110 §9.3.1)."""
    site.put("a.bin", LARGE)
    exchange = site.slow_exchange("/static/a.bin")
    assert exchange.receiver is not None
    exchange.receiver.body_received(b"x")
    exchange.receiver.body_ended()
    exchange.take(len(LARGE))
    site.run_deferred()
    assert exchange.body == LARGE


def test_a_client_that_goes_away_frees_the_file(site: StaticSite) -> None:
    """After an abort the descriptor is closed and a turn still due does nothing."""
    site.put("a.bin", LARGE)
    before = descriptors()
    exchange = site.exchange("/static/a.bin")
    sent = len(exchange.body)
    exchange.go_away()
    site.run_deferred()
    assert len(exchange.body) == sent
    assert len(descriptors() - before) <= 1, "only the root may stay open"


def test_a_file_replaced_while_it_is_sent(site: StaticSite) -> None:
    """Who began with the old version gets it to the end; who comes later gets the new one."""
    site.put("a.bin", LARGE)
    exchange = site.slow_exchange("/static/a.bin")
    os.rename(site.put("b.bin", OTHER, MODIFIED + 1), site.root / "a.bin")
    later = site.get("/static/a.bin")
    exchange.take(len(LARGE))
    site.run_deferred()
    assert exchange.is_ended
    assert exchange.body == LARGE
    assert later.body == OTHER
    assert later.field("etag") != exchange.field("etag")


def test_a_file_removed_while_it_is_sent(site: StaticSite) -> None:
    """Removing does not hurt whoever is reading; the next one gets 404 at once, there being nothing to send."""
    path = site.put("a.bin", LARGE)
    exchange = site.slow_exchange("/static/a.bin")
    path.unlink()
    exchange.take(len(LARGE))
    site.run_deferred()
    assert exchange.body == LARGE
    assert site.status("/static/a.bin") == 404


def test_a_file_cut_short_while_it_is_sent(site: StaticSite) -> None:
    """What was announced cannot be kept: the exchange is aborted, never ended as if it were whole."""
    path = site.put("a.bin", LARGE)
    exchange = site.slow_exchange("/static/a.bin")
    os.truncate(path, WRITE_SLICE + 5)
    exchange.take(len(LARGE))
    assert exchange.abort_reason == "static-file-changed"
    assert len(exchange.body) == WRITE_SLICE


def test_a_file_written_to_while_it_is_sent(site: StaticSite) -> None:
    """Bytes of two versions never end up in one answer that looks whole."""
    path = site.put("a.bin", LARGE)
    exchange = site.slow_exchange("/static/a.bin")
    path.write_bytes(OTHER)
    exchange.take(len(LARGE))
    assert exchange.abort_reason == "static-file-changed"


def test_a_large_file_that_shrank_since_the_last_look(site: StaticSite) -> None:
    """Head and body always describe the same version, even between two looks."""
    site.put("a.bin", LARGE)
    site.get("/static/a.bin")
    site.put("a.bin", b"small now", MODIFIED + 1)
    answer = site.get("/static/a.bin")
    assert answer.body == b"small now"


def test_a_large_variant(site: StaticSite) -> None:
    """A file that is streamed may have a sidecar that comes from memory, and the other way round."""
    site.put("a.js", LARGE)
    site.put("a.js.br", b"b" * 10)
    assert site.get("/static/a.js", accept_encoding="br").body == b"b" * 10
    assert site.get("/static/a.js").body == LARGE
    assert site.exchange("/static/a.js", "HEAD").head is not None


@pytest.mark.parametrize("capacity", [1, float("inf")])
def test_on_a_real_event_loop(tmp_path: Path, capacity: float) -> None:
    """Turns are taken through the running loop."""
    (tmp_path / "a.bin").write_bytes(LARGE)
    handler = StaticHandler(StaticMount("", str(tmp_path)))
    exchange = FakeExchange(make_request("/a.bin"), capacity)

    async def serve() -> None:
        handler(exchange)
        while not exchange.is_over:
            if not exchange.can_send:
                exchange.take(WRITE_SLICE)
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(serve(), 30))
    handler.close()
    assert exchange.body == LARGE
