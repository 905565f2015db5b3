"""Error pages."""

from __future__ import annotations

import json

import pytest

from edge.errors import HTTPError, RequestRefused, UpstreamError
from edge.handlers.error_page import SENTENCES, prefers_json, respond_error
from edge.http.message import ResponseHead
from tests.fakes import FakeExchange, make_request

BROWSER = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def page(error: HTTPError, accept: bytes = BROWSER, method: bytes = b"GET") -> FakeExchange:
    exchange = FakeExchange(make_request(method=method, fields=((b"accept", accept),)))
    respond_error(exchange, error)
    return exchange


@pytest.mark.parametrize("reason", [*SENTENCES, "something-new"])
@pytest.mark.parametrize("accept", [BROWSER, b"application/json"])
def test_every_reason_has_a_page(reason: str, accept: bytes) -> None:
    """With its status, the request id, and an exact length; never cached, never sniffed."""
    exchange = page(HTTPError(502, reason), accept)
    assert exchange.is_ended
    assert exchange.status == 502
    assert exchange.body.count(exchange.request_id.encode()) == 1
    assert exchange.field("x-request-id") == exchange.request_id
    assert exchange.field("cache-control") == "no-store"
    assert exchange.field("x-content-type-options") == "nosniff"


def test_a_browser_gets_words() -> None:
    """The reason phrase and a sentence, complete in itself."""
    body = page(UpstreamError(504, "upstream-first-byte-timeout")).body
    assert b"<h1>Gateway Timeout</h1>" in body
    assert b"did not answer in time" in body
    assert b"http" not in body.replace(b"http-equiv", b"")


def test_a_program_gets_json() -> None:
    """The same content, to be parsed."""
    exchange = page(UpstreamError(503, "upstream-busy", retry_after=2), b"application/json")
    answer = json.loads(exchange.body)
    assert answer["status"] == 503
    assert answer["reason"] == "upstream-busy"
    assert answer["request_id"] == exchange.request_id
    assert exchange.field("content-type") == "application/json"
    assert exchange.field("retry-after") == "2"


@pytest.mark.parametrize(
    ("accept", "json_wanted"),
    [
        (None, False),
        (b"*/*", False),
        (BROWSER, False),
        (b"application/json", True),
        (b"application/problem+json, */*", True),
        (b"application/json, text/html;q=0.5", False),
    ],
)
def test_json_is_for_who_asks_for_it(accept: bytes | None, json_wanted: bool) -> None:
    """By name, and without accepting HTML."""
    assert prefers_json(accept) is json_wanted


def test_413_names_the_setting() -> None:
    """So that the operator who sees the page knows what to change."""
    assert b"max_body" in page(RequestRefused(413, "body-too-large")).body


def test_after_a_head_there_is_no_page() -> None:
    """A response that has begun is aborted instead."""
    exchange = FakeExchange(make_request())
    exchange.send_head(ResponseHead(200))
    respond_error(exchange, UpstreamError(502, "upstream-truncated"))
    assert exchange.abort_reason == "upstream-truncated"


def test_head_announces_the_page_without_sending_it() -> None:
    """The length is that of the page."""
    exchange = page(RequestRefused(404, "no-route"), method=b"HEAD")
    assert exchange.body == b""
    assert exchange.head
    assert exchange.head.content_length


def test_an_unknown_status_still_has_a_page() -> None:
    """A status without a registered phrase does not raise."""
    assert page(HTTPError(599, "odd")).status == 599
