"""What port 80 says about names that get their certificate on demand."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from edge.certs.publisher import NameAnswer
from edge.handlers.redirect import Redirect
from edge.handlers.served_names import ServedNames
from edge.handlers.setting_up import SettingUp
from edge.http.exchange import Peer
from edge.http.message import Request
from tests.fakes import FakeExchange

NAMES = ServedNames[object]({"service.test": 1})


class LookUp:
    """Keeps who asked; `answer` answers all of them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.waiting: list[Callable[[NameAnswer | None], None]] = []

    def __call__(self, name: str, client: str, told: Callable[[NameAnswer | None], None]) -> None:
        self.asked.append((name, client))
        self.waiting.append(told)

    def answer(self, answer: NameAnswer | None) -> None:
        for told in self.waiting:
            told(answer)


def visit(look_up: LookUp, authority: bytes, *fields: tuple[bytes, bytes], target: bytes = b"/a?b") -> FakeExchange:
    exchange = FakeExchange(Request(b"GET", b"http", authority, target, fields))
    exchange.peer = Peer("192.0.2.1", 4711)
    SettingUp(NAMES, Redirect(NAMES, 8443), look_up)(exchange)
    return exchange


def test_listed_names_are_redirected_at_once() -> None:
    """Nobody is asked about them."""
    look_up = LookUp()
    exchange = visit(look_up, b"service.test:80")
    assert exchange.head is not None
    assert exchange.head.status == 308
    assert not look_up.asked


def test_a_name_with_a_certificate_is_redirected() -> None:
    """To itself, the target byte for byte."""
    look_up = LookUp()
    exchange = visit(look_up, b"shop.test:80")
    assert look_up.asked == [("shop.test", "192.0.2.1")]
    before = exchange.head_sent
    look_up.answer(None)
    assert not before
    assert exchange.head is not None
    assert exchange.head.fields == ((b"location", b"https://shop.test:8443/a?b"),)


@pytest.mark.parametrize("verdict", ["pending", "failed"])
def test_a_name_without_one_gets_a_page(verdict: str) -> None:
    """503 with Retry-After; the problem is there as text, never as markup."""
    look_up = LookUp()
    exchange = visit(look_up, b"shop.test")
    look_up.answer(NameAnswer("shop.test", verdict, 42.9, "<script>alert(1)</script>"))  # type: ignore[arg-type]  # both words are right
    assert exchange.head is not None
    assert exchange.head.status == 503
    assert dict(exchange.head.fields)[b"retry-after"] == b"42"
    assert dict(exchange.head.fields)[b"cache-control"] == b"no-store"
    assert b"shop.test is being set up" in exchange.body
    assert b"<script>" not in exchange.body
    assert b"&lt;script&gt;" in exchange.body


def test_programs_get_json() -> None:
    """The same facts."""
    look_up = LookUp()
    exchange = visit(look_up, b"shop.test", (b"accept", b"application/json"))
    look_up.answer(NameAnswer("shop.test", "failed", 1.0, "no A record"))
    assert json.loads(exchange.body) == {
        "status": 503, "name": "shop.test", "state": "failed", "detail": "no A record",
    }  # fmt: skip


def test_a_stranger_gets_421() -> None:
    """As every host that is not ours."""
    look_up = LookUp()
    exchange = visit(look_up, b"stranger.test")
    look_up.answer(NameAnswer("stranger.test", "refused", 60.0))
    assert exchange.head is not None
    assert exchange.head.status == 421


def test_a_client_that_left_is_not_answered() -> None:
    """The exchange is not used again after its end."""
    look_up = LookUp()
    exchange = visit(look_up, b"shop.test")
    assert exchange.receiver is not None
    exchange.receiver.body_received(b"x")
    exchange.receiver.exchange_aborted("reset")
    look_up.answer(None)
    assert exchange.head is None
