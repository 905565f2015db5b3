"""Metrics: the text, and the page that answers with it whatever is thrown at it."""

from __future__ import annotations

import asyncio
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.status import CertificateStatus
from edge.config.endpoint import Endpoint
from edge.process import metrics_page
from edge.process.exposition import exposition
from edge.process.metrics_page import MetricsPage
from edge.telemetry.traffic import RequestCounter, Traffic, total
from tests.blackbox.edge_process import free_port

STATUS = CertificateStatus(
    "a.test-1",
    ("a.test", "b.test"),
    "valid",
    "Let's Encrypt",
    in_use=True,
    not_after=1803144341.0,
    renew_at=1800569282.25,
)
MISSING = CertificateStatus("c-1", (), "missing", "", in_use=True, failures=3, attention="there is no certificate yet")

_SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="(\\.|[^"\\\n])*",?)*\})? -?[0-9.e+]+')


def test_the_page_has_what_alarms_need() -> None:
    """Expiry, renewal and failures of each certificate, events at CAs, and traffic."""
    text = exposition([STATUS, MISSING], {("CA", "failed", "rate"): 2}, Traffic(7, (0, 0, 41, 0, 1, 0)))
    for line in (
        'edge_certificate_not_after_seconds{name="a.test",issuer="Let\'s Encrypt"} 1803144341',
        'edge_certificate_renewal_due_seconds{name="a.test",issuer="Let\'s Encrypt"} 1800569282.25',
        'edge_certificate_valid{name="c-1"} 0',
        'edge_certificate_failures{name="c-1"} 3',
        'edge_certificate_attention{name="c-1"} 1',
        'edge_acme_events_total{ca="CA",event="failed",kind="rate"} 2',
        "edge_connections 7",
        'edge_requests_total{status="2xx"} 41',
    ):
        assert line in text.splitlines()
    assert text.endswith("\n")


@given(st.text(max_size=20))
def test_any_name_makes_a_line_that_can_be_parsed(name: str) -> None:
    """Quotes, backslashes and line feeds are escaped."""
    text = exposition([CertificateStatus("d", (name or "x",), "valid", name, in_use=True)], {}, Traffic())
    for line in text.split("\n")[:-1]:
        assert line.startswith("#") or _SAMPLE.fullmatch(line), line


def test_no_line_comes_twice() -> None:
    """Prometheus would refuse the page; the certificate that ends first is told."""
    soon = msgspec.structs.replace(STATUS, directory="a.test-2", not_after=1.0)
    lines = exposition([STATUS, soon, STATUS], {}, Traffic()).splitlines()
    assert len(lines) == len(set(lines))
    assert 'edge_certificate_not_after_seconds{name="a.test",issuer="Let\'s Encrypt"} 1' in lines


def test_traffic_adds_up() -> None:
    """Of several workers, those that have ended too."""
    counter = RequestCounter()
    for status in (200, 204, 404, 101, 0, 499, 999):
        counter.count(status)
    assert counter.requests() == (2, 1, 2, 0, 2, 0)
    assert total([Traffic(1, counter.requests()), Traffic(2, counter.requests())]) == Traffic(3, (4, 2, 4, 0, 4, 0))


async def _until(port: int, *, is_open: bool) -> None:
    """Until the page listens there, or no longer."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            if not is_open:
                return
        else:
            writer.close()
            if is_open:
                return
        await asyncio.sleep(0.01)


async def _ask(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


def _serving(port: int, *requests: bytes) -> list[bytes]:
    async def main() -> list[bytes]:
        page = asyncio.create_task(MetricsPage(lambda: "m 1\n", lambda: Endpoint("127.0.0.1", port)).run())
        await _until(port, is_open=True)
        answers = [await _ask(port, request) for request in requests]
        page.cancel()
        await asyncio.gather(page, return_exceptions=True)
        return answers

    return asyncio.run(main())


def test_one_path_answers() -> None:
    """GET and HEAD of /metrics; everything else is refused in one line."""
    end = b" HTTP/1.1\r\nHost: x\r\n\r\n"
    requests = [
        method + end for method in (b"GET /metrics", b"HEAD /metrics", b"GET /metrics?x", b"GET /", b"POST /metrics")
    ]
    got, head, query, other, post = _serving(free_port(), *requests)
    assert got.endswith(b"\r\n\r\nm 1\n")
    assert b"Content-Type: text/plain; version=0.0.4" in got
    assert query == got
    assert head == got.removesuffix(b"m 1\n")
    assert other.startswith(b"HTTP/1.1 404 ")
    assert post.startswith(b"HTTP/1.1 405 ")


def test_nonsense_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that is too long, or does not end in time, gets nothing; the next one is answered."""
    monkeypatch.setattr(metrics_page, "TIMEOUT", 0.1)
    late, long, binary, good = _serving(
        free_port(), b"GET /met", b"x" * 70_000, b"\x16\x03\x01\r\n\r\n", b"GET /metrics HTTP/1.0\r\n\r\n"
    )
    assert late == b""
    assert long == b""
    assert binary.startswith(b"HTTP/1.1 405 ")
    assert good.endswith(b"m 1\n")


def test_a_reload_moves_the_page() -> None:
    """To another address, to none, and back; an address in use is tried again."""
    ports: list[int] = [free_port(), free_port()]
    endpoint: Endpoint | None = Endpoint("127.0.0.1", ports[0])

    async def main() -> None:
        nonlocal endpoint
        page = MetricsPage(lambda: "m 1\n", lambda: endpoint)
        running = asyncio.create_task(page.run())
        for port in (ports[0], None, ports[1]):
            endpoint = Endpoint("127.0.0.1", port) if port else None
            page.reconfigure()
            for each in ports:
                await _until(each, is_open=each == port)
            if port:
                assert (await _ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")).endswith(b"m 1\n")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
