"""What stands in front of a handler: addresses, rates, passwords."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from edge.config.password import hash_password
from edge.config.schema import Authentication, Rate, User
from edge.errors import HTTPError
from edge.handlers.address_filter import AddressFilter
from edge.handlers.basic_auth import MAX_WAITING, BasicAuth, Verifier, is_basic, parse_credentials
from edge.handlers.rate_limit import RateLimit
from edge.handlers.rate_table import RateTable
from edge.http.exchange import Exchange, Handler
from edge.http.message import Field, ResponseHead
from edge.http.networks import Networks, client_key
from tests.fakes import FakeExchange, make_request

AUTH = Authentication((User("anna", hash_password("pä:ss")),), 'a "quoted" realm')


def ok(exchange: Exchange) -> None:
    exchange.respond(ResponseHead(200, (), 0))


def exchange_from(address: str = "192.0.2.1", *fields: Field) -> FakeExchange:
    exchange = FakeExchange(make_request("/", fields=fields))
    exchange.peer = structs.replace(exchange.peer, address=address)
    return exchange


def status_of(handler: Handler, exchange: FakeExchange) -> int:
    try:
        handler(exchange)
    except HTTPError as error:
        return error.status
    return exchange.status


# -- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allow", "deny", "address", "status"),
    [
        ((), (), "192.0.2.1", 200),
        (("192.0.2.0/24",), (), "192.0.2.1", 200),
        (("192.0.2.0/24",), (), "192.0.3.1", 403),
        (("192.0.2.0/24",), ("192.0.2.1/32",), "192.0.2.1", 403),
        ((), ("2001:db8::/32",), "2001:db8::7", 403),
        (("2001:db8::/32",), (), "2001:db8::7", 200),
        (("0.0.0.0/0",), (), "2001:db8::7", 403),
        (("0.0.0.0/0",), (), "", 403),
    ],
)
def test_deny_beats_allow(allow: tuple[str, ...], deny: tuple[str, ...], address: str, status: int) -> None:
    """An empty allow list lets in whom deny does not name; what is no address is not let in by a list."""
    handler = AddressFilter(Networks(allow), Networks(deny), ok)
    for _ in range(2):  # the second time from memory
        assert status_of(handler, exchange_from(address)) == status


# -- rates ------------------------------------------------------------------------------------------------------------


def test_a_burst_then_one_per_interval() -> None:
    """The bucket holds `burst` and gains one request per interval, never more."""
    now = 1000.0
    limit = RateLimit(Rate(interval=2.0, burst=3), "a", RateTable(), ok, lambda: now)
    assert [status_of(limit, exchange_from()) for _ in range(5)] == [200, 200, 200, 429, 429]
    with pytest.raises(HTTPError) as caught:
        limit(exchange_from())
    assert caught.value.retry_after == 2
    now += 2.0
    assert [status_of(limit, exchange_from()) for _ in range(2)] == [200, 429]
    now += 1000.0
    assert [status_of(limit, exchange_from()) for _ in range(5)] == [200, 200, 200, 429, 429]


def test_clients_and_limits_do_not_share() -> None:
    """Each address, each IPv6 customer, each limit has a bucket."""
    table = RateTable()
    limits = [RateLimit(Rate(60.0, 1), name, table, ok, lambda: 5.0) for name in ("a", "b")]
    addresses = ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1")
    for limit in limits:
        assert [status_of(limit, exchange_from(each)) for each in addresses] == [200] * 4
        assert status_of(limit, exchange_from("2001:db8::2")) == 429, "the same /64"


def test_a_flood_of_clients_makes_nobody_guilty() -> None:
    """When places run out the least guilty are forgotten; a newcomer is always let in."""
    table, rate = RateTable(), Rate(60.0, 1)
    assert all(table.wait(b"%d" % number, rate, 1.0) == 0.0 for number in range(100_000))


@given(st.lists(st.floats(0, 5), max_size=60), st.floats(0.1, 3), st.integers(1, 5))
def test_no_window_grants_more_than_burst_and_rate(gaps: list[float], interval: float, burst: int) -> None:
    """Over any span, at most the burst and what the rate adds in it."""
    table, rate, now = RateTable(), Rate(interval, burst), 100.0
    granted = []
    for gap in gaps:
        now += gap
        if table.wait(b"x", rate, now) == 0.0:
            granted.append(now)
    for first in range(len(granted)):
        for last in range(first, len(granted)):
            assert last - first + 1 <= burst + (granted[last] - granted[first]) / interval + 1e-6


def test_a_client_is_an_address_or_a_64() -> None:
    """And anything else one client together."""
    assert client_key("2001:db8::1") == client_key("2001:db8::ffff")
    assert client_key("192.0.2.1") != client_key("192.0.2.2")
    assert client_key("") == b""


# -- passwords --------------------------------------------------------------------------------------------------------


def basic(credentials: str) -> Field:
    return b"authorization", b"Basic " + base64.b64encode(credentials.encode())


def with_auth(scenario: Callable[[BasicAuth, Verifier], object], handler: Handler = ok) -> None:
    """Run `scenario` on a loop; it returns exchanges that must get a response meanwhile."""

    async def run() -> None:
        verifier = Verifier(AUTH, asyncio.get_running_loop())
        try:
            exchanges = scenario(BasicAuth(AUTH, verifier, handler), verifier)
            while isinstance(exchanges, list) and not all(each.is_over for each in exchanges):
                await asyncio.sleep(0)
        finally:
            verifier.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "fields", [(), ((b"authorization", b"Bearer x"),), ((b"authorization", b"Basic " + b"A" * 4000),)]
)
def test_without_credentials_there_is_a_challenge(fields: tuple[Field, ...]) -> None:
    """401, and the realm as a quoted string."""

    def scenario(auth: BasicAuth, _verifier: Verifier) -> None:
        with pytest.raises(HTTPError) as caught:
            auth(exchange_from("192.0.2.1", *fields))
        assert caught.value.status == 401
        challenge = rb'Basic realm="a \"quoted\" realm", charset="UTF-8"'
        assert caught.value.fields == ((b"www-authenticate", challenge),)

    with_auth(scenario)


@pytest.mark.parametrize(
    ("credentials", "status"),
    [("anna:pä:ss", 200), ("anna:wrong", 401), ("bob:pä:ss", 401), (":", 401), ("anna", 401), ("anna:", 401)],
)
def test_the_verdict_comes_later_and_is_remembered(credentials: str, status: int) -> None:
    """Nothing is answered while the password is hashed; the next time the answer is there at once."""

    def first(auth: BasicAuth, verifier: Verifier) -> list[FakeExchange]:
        exchange = exchange_from("192.0.2.1", basic(credentials))
        auth(exchange)
        assert not exchange.head_sent
        assert exchange.is_body_paused
        exchange.resume_body = lambda: again(auth)  # type: ignore[method-assign]  # the last thing that happens
        return [exchange]

    def again(auth: BasicAuth) -> None:
        assert status_of(auth, exchange_from("192.0.2.1", basic(credentials))) == status

    seen: list[FakeExchange] = []

    def scenario(auth: BasicAuth, verifier: Verifier) -> list[FakeExchange]:
        seen.extend(first(auth, verifier))
        return seen

    with_auth(scenario)
    assert seen[0].status == status


def test_the_password_goes_no_further() -> None:
    """The handler behind sees the request without it."""
    requests = []

    def handler(exchange: Exchange) -> None:
        requests.append(exchange.request)
        ok(exchange)

    def scenario(auth: BasicAuth, _verifier: Verifier) -> list[FakeExchange]:
        exchange = exchange_from("192.0.2.1", (b"a", b"1"), basic("anna:pä:ss"), (b"b", b"2"))
        auth(exchange)
        return [exchange]

    with_auth(scenario, handler)
    assert requests[0].fields == ((b"a", b"1"), (b"b", b"2"))


def test_too_many_guesses_at_once_are_refused() -> None:
    """503 beyond what a thread can work off in a second; whoever leaves is not answered."""

    def scenario(auth: BasicAuth, _verifier: Verifier) -> None:
        for number in range(MAX_WAITING):
            exchange = exchange_from("192.0.2.1", basic(f"anna:{number}"))
            auth(exchange)
            exchange.go_away()
        assert status_of(auth, exchange_from("192.0.2.1", basic("anna:last"))) == 503

    with_auth(scenario)


@given(st.binary(max_size=60))
def test_any_credentials_are_read_or_empty(data: bytes) -> None:
    """No Authorization value breaks the reader."""
    value = b"Basic " + data
    assert is_basic(value)
    name, password = parse_credentials(value)
    assert b":" not in name
    assert isinstance(password, bytes)
