"""Field rules, HSTS and error pages on every answer of a site."""

from __future__ import annotations

import pytest
from msgspec import structs

from edge.config.schema import FieldRules
from edge.errors import HTTPError
from edge.handlers.answers import Answers, FieldChanges
from edge.http.exchange import Exchange, Handler
from edge.http.message import Fields, ResponseHead
from tests.fakes import FakeExchange, make_request

RULES = FieldRules(remove=("x-gone",), set=(("x-set", "new"),), add=(("x-added", "1"),))


def answering(*fields: tuple[bytes, bytes]) -> Handler:
    def handler(exchange: Exchange) -> None:
        exchange.respond(ResponseHead(200, fields, 2), b"ok")

    return handler


def answer(
    handler: Handler, hsts: str = "", pages: dict[int, bytes] | None = None, scheme: bytes = b"https"
) -> FakeExchange:
    exchange = FakeExchange(structs.replace(make_request("/"), scheme=scheme))
    Answers(FieldChanges(RULES, hsts), pages or {}, handler)(exchange)
    return exchange


def fields_of(exchange: FakeExchange) -> Fields:
    assert exchange.head is not None
    return exchange.head.fields


def test_remove_then_set_then_add() -> None:
    """A set field stands once, an added one beside what is there."""
    exchange = answer(answering((b"x-gone", b"1"), (b"x-set", b"old"), (b"x-set", b"older"), (b"x-added", b"0")))
    assert fields_of(exchange) == ((b"x-added", b"0"), (b"x-set", b"new"), (b"x-added", b"1"))


@pytest.mark.parametrize(
    ("fields", "scheme", "expected"),
    [
        ((), b"https", "max-age=300"),
        ((), b"http", None),
        (((b"strict-transport-security", b"max-age=0"),), b"https", "max-age=0"),
    ],
)
def test_hsts_is_said_once_and_over_tls_only(fields: Fields, scheme: bytes, expected: str | None) -> None:
    """What the application says about itself counts."""
    exchange = answer(answering(*fields), "max-age=300", scheme=scheme)
    assert exchange.field("strict-transport-security") == expected


def test_a_head_that_others_use_stays_as_it_is() -> None:
    """Static files send the same head object again and again."""
    head = ResponseHead(200, ((b"x-gone", b"1"),), 0)
    for _ in range(2):
        exchange = answer(lambda exchange: exchange.respond(head))
        assert exchange.field("x-gone") is None
    assert head.fields == ((b"x-gone", b"1"),)


def test_errors_get_the_operators_page_and_the_fields() -> None:
    """Raised further in, seen with the page for its status; other statuses keep edge's own."""

    def failing(_exchange: Exchange) -> None:
        raise HTTPError(502, "upstream-refused", fields=((b"x-own", b"1"),))

    exchange = answer(failing, pages={502: b"<p>{request_id}"})
    assert (exchange.status, exchange.body) == (502, b"<p>" + exchange.request_id.encode())
    assert (exchange.field("x-set"), exchange.field("x-own")) == ("new", "1")
    assert b"not running" in answer(failing, pages={404: b"x"}).body
