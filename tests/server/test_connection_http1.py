"""A visitor's HTTP/1.1 connection: turns, deadlines, back-pressure and ends."""

from __future__ import annotations

import pytest

from edge.errors import HTTPError
from edge.http.exchange import Exchange
from edge.http.limits import (
    BODY_IDLE_TIMEOUT,
    HEAD_TIMEOUT,
    HIGH_WATER,
    KEEP_ALIVE_TIMEOUT,
    LINGER_TIMEOUT,
    MAX_LINGER,
    SEND_TIMEOUT,
)
from edge.http.message import ResponseHead
from edge.server.connection import DRAIN_GRACE
from edge.wire.http1 import HTTP1Engine
from tests.server.fakes import Recorder, Visit

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


def post(length: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % length


def answer_at_once(exchange: Exchange) -> None:
    exchange.respond(ResponseHead(200, (), 2), b"ok")


class Later:
    """A handler that keeps every exchange for the test to answer."""

    def __init__(self) -> None:
        self.recorders: list[Recorder] = []

    def __call__(self, exchange: Exchange) -> None:
        self.recorders.append(Recorder(exchange))

    @property
    def last(self) -> Recorder:
        return self.recorders[-1]


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def visit(later: Later) -> Visit:
    return Visit(later, HTTP1Engine(b"http"))


def immediate() -> Visit:
    return Visit(answer_at_once, HTTP1Engine(b"http"))


def test_a_turn_answers_all_its_requests_in_one_write() -> None:
    """Pipelined requests of one read are answered in order."""
    visit = immediate()
    visit.receive(GET * 3)
    assert visit.take().count(b"HTTP/1.1 200 OK") == 3
    assert visit.records == [(200, 2)] * 3


def test_pipelined_requests_wait_for_a_late_answer(visit: Visit, later: Later) -> None:
    """The second request reaches the handler when the first has been answered, and not before."""
    visit.receive(GET * 2)
    assert len(later.recorders) == 1
    later.last.exchange.respond(ResponseHead(200, (), 3), b"one")
    assert len(later.recorders) == 2
    later.last.exchange.respond(ResponseHead(200, (), 3), b"two")
    sent = visit.take()
    assert sent.index(b"one") < sent.index(b"two")


def test_a_refused_request_is_answered_and_the_connection_closed() -> None:
    """The status of the rule that was broken, then the end; with lingering, so that the answer arrives."""
    visit = immediate()
    visit.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert visit.take().startswith(b"HTTP/1.1 400 ")
    assert visit.stream.is_closing
    assert visit.stream.lingering


def test_an_error_of_a_handler_becomes_its_answer() -> None:
    """HTTPError carries the status; the connection goes on."""

    def fail(exchange: Exchange) -> None:
        raise HTTPError(404, "no-route")

    visit = Visit(fail, HTTP1Engine(b"http"))
    visit.receive(GET)
    assert visit.take().startswith(b"HTTP/1.1 404 ")
    assert not visit.stream.is_closing


def test_a_bug_in_a_handler_is_a_500_and_nothing_else_suffers() -> None:
    """An exception that is not an HTTPError costs its exchange only."""

    def fail(exchange: Exchange) -> None:
        raise ValueError("bug")

    visit = Visit(fail, HTTP1Engine(b"http"))
    visit.receive(GET)
    assert visit.take().startswith(b"HTTP/1.1 500 ")
    assert not visit.connection.exchanges


# -- request bodies -------------------------------------------------------------------------------------------------------


def test_a_body_is_delivered_and_its_end_told(visit: Visit, later: Later) -> None:
    """`body_received` for all bytes, then `body_ended` once."""
    visit.receive(post(10) + b"01234")
    visit.receive(b"56789")
    assert later.last.body == b"0123456789"
    assert later.last.heard == ["ended"]


def test_a_paused_body_stops_the_socket(visit: Visit, later: Later) -> None:
    """Nothing is delivered and nothing read until `resume_body`; then all of it, in order, with its end."""
    visit.receive(post(10))
    later.last.exchange.pause_body()
    assert not visit.stream.reading
    visit.receive(b"0123456789")
    assert later.last.body == b""
    assert later.last.heard == []
    later.last.exchange.resume_body()
    assert later.last.body == b"0123456789"
    assert later.last.heard == ["ended"]


def test_a_body_that_stops_is_answered_with_408(visit: Visit, later: Later) -> None:
    """BODY_IDLE_TIMEOUT without a byte; the handler is told."""
    visit.receive(post(10) + b"012")
    visit.wait(BODY_IDLE_TIMEOUT + 1)
    assert later.last.heard == ["body-too-slow"]
    assert visit.take().startswith(b"HTTP/1.1 408 ")


def test_a_body_that_drips_is_answered_with_408(visit: Visit, later: Later) -> None:
    """One byte every few seconds never reaches the minimum rate."""
    visit.receive(post(1000))
    for _ in range(30):
        if not later.last.heard:
            visit.receive(b"x")
            visit.wait(5)
    assert later.last.heard == ["body-too-slow"]


def test_time_spent_paused_is_not_the_clients_fault(visit: Visit, later: Later) -> None:
    """A handler may pause for longer than the idle time."""
    visit.receive(post(10) + b"012")
    later.last.exchange.pause_body()
    visit.wait(BODY_IDLE_TIMEOUT * 3)
    later.last.exchange.resume_body()
    visit.wait(BODY_IDLE_TIMEOUT / 2)
    assert later.last.heard == []
    visit.receive(b"3456789")
    assert later.last.heard == ["ended"]


def test_an_unwanted_body_is_read_to_its_end(visit: Visit, later: Later) -> None:
    """A short rest is thrown away and the connection goes on."""
    visit.receive(post(10) + b"012")
    later.last.exchange.respond(ResponseHead(200, (), 2), b"ok")
    visit.receive(b"3456789" + GET)
    assert len(later.recorders) == 2


def test_a_long_unwanted_body_ends_the_connection(visit: Visit, later: Later) -> None:
    """More than MAX_LINGER is not read: the answer says so and the connection closes."""
    visit.receive(post(MAX_LINGER * 10))
    later.last.exchange.respond(ResponseHead(413, (), 2), b"no")
    assert b"connection: close" in visit.take()
    assert visit.stream.is_closing
    assert visit.stream.lingering
    visit.wait(LINGER_TIMEOUT + 1)
    assert visit.stream.lost


# -- responses --------------------------------------------------------------------------------------------------------------


def test_a_slow_client_stops_the_source(visit: Visit, later: Later) -> None:
    """`can_send` turns False above HIGH_WATER; `resume_sending` follows when the socket has taken it."""
    visit.receive(GET)
    exchange = later.last.exchange
    exchange.send_head(ResponseHead(200, (), HIGH_WATER * 2))
    visit.stream.full = True
    exchange.send_body(b"x" * HIGH_WATER)
    visit.loop.turn()
    assert not exchange.can_send
    assert later.last.heard == []
    visit.stream.drain()
    assert later.last.heard == ["resume"]
    assert exchange.can_send


def test_a_client_that_takes_nothing_is_cut_off(visit: Visit, later: Later) -> None:
    """SEND_TIMEOUT with bytes to send and none leaving."""
    visit.receive(GET)
    visit.stream.full = True
    later.last.exchange.send_head(ResponseHead(200, (), 5))
    visit.loop.turn()
    visit.wait(SEND_TIMEOUT + 1)
    assert visit.stream.lost
    assert later.last.heard == ["aborted"]


@pytest.mark.parametrize("sent", [b"", b"short", b"too long"])
def test_a_response_of_the_wrong_length_is_cut(visit: Visit, later: Later, sent: bytes) -> None:
    """The client sees a reset, never a clean end."""
    visit.receive(GET)
    exchange = later.last.exchange
    exchange.send_head(ResponseHead(200, (), 7))
    exchange.send_body(sent)
    exchange.end()
    visit.loop.turn()
    assert visit.stream.lost == "aborted"


def test_an_aborted_response_is_a_reset(visit: Visit, later: Later) -> None:
    """`abort` after the head: the end must not look like one."""
    visit.receive(GET)
    later.last.exchange.send_head(ResponseHead(200, (), None))
    later.last.exchange.abort("upstream-truncated")
    assert visit.stream.lost == "aborted"


def test_a_client_that_leaves_is_told_to_the_handler(visit: Visit, later: Later) -> None:
    """EOF or a lost stream aborts the exchange, logged as 499."""
    visit.receive(GET)
    visit.connection.eof_received()
    assert later.last.heard == ["client-gone"]
    assert visit.records == [(499, 0)]
    later.last.exchange.respond(ResponseHead(200, (), 2), b"ok")
    assert b"200" not in visit.take()


# -- idle time and ends -------------------------------------------------------------------------------------------------------


def test_an_idle_connection_is_closed() -> None:
    """After KEEP_ALIVE_TIMEOUT, counted from the last answer."""
    visit = immediate()
    visit.wait(KEEP_ALIVE_TIMEOUT / 2)
    visit.receive(GET)
    visit.wait(KEEP_ALIVE_TIMEOUT - 1)
    assert not visit.stream.is_closing
    visit.wait(2)
    assert visit.stream.is_closing


def test_a_head_must_come_in_time() -> None:
    """HEAD_TIMEOUT in all, however the bytes drip."""
    visit = immediate()
    visit.receive(b"GET / HTTP/1.1\r\n")
    for _ in range(int(HEAD_TIMEOUT)):
        if not visit.stream.is_closing:
            visit.receive(b"x")
            visit.wait(1)
    visit.wait(1)
    assert visit.stream.is_closing


def test_a_new_head_has_its_own_time() -> None:
    """A client that always has the next head half sent is as fast as it is: each head is timed by itself."""
    visit = immediate()
    visit.receive(GET[:10])
    for _ in range(int(HEAD_TIMEOUT)):
        visit.wait(HEAD_TIMEOUT / 4)
        visit.receive(GET[10:] + GET[:10])
    assert not visit.stream.is_closing
    visit.wait(HEAD_TIMEOUT + 1)
    assert visit.stream.is_closing


def test_a_slow_answer_is_not_the_clients_fault(visit: Visit, later: Later) -> None:
    """A request without a body may wait as long as its handler takes."""
    visit.receive(GET)
    visit.wait(KEEP_ALIVE_TIMEOUT * 4)
    later.last.exchange.respond(ResponseHead(200, (), 2), b"ok")
    assert b"200" in visit.take()


def test_a_drain_closes_what_is_idle_after_a_grace() -> None:
    """Requests that were on their way are answered, with `connection: close`; who sends none is closed."""
    idle, busy = immediate(), immediate()
    for visit in (idle, busy):
        visit.receive(GET)
        visit.take()
        visit.server.begin_drain()
        assert not visit.stream.is_closing
    busy.receive(GET)
    assert b"connection: close" in busy.take()
    assert busy.stream.is_closing
    idle.wait(DRAIN_GRACE + 0.25)
    assert idle.stream.is_closing


def test_a_drain_finishes_what_is_in_flight(visit: Visit, later: Later) -> None:
    """However long it takes, up to the deadline of the worker."""
    visit.receive(GET)
    visit.server.begin_drain()
    visit.wait(DRAIN_GRACE * 5)
    assert not visit.stream.is_closing
    later.last.exchange.respond(ResponseHead(200, (), 2), b"ok")
    assert b"connection: close" in visit.take()
    assert visit.stream.is_closing


def test_a_connection_that_opens_during_a_drain_is_answered_once(later: Later) -> None:
    """Its client could not know; it gets its answer, then the end."""
    visit = Visit(answer_at_once, HTTP1Engine(b"http"), draining=True)
    visit.receive(GET)
    assert b"connection: close" in visit.take()
    assert visit.stream.is_closing


def test_nothing_is_left_behind(visit: Visit, later: Later) -> None:
    """A lost connection is forgotten by server and deadlines."""
    visit.receive(GET)
    visit.stream.abort()
    assert not visit.server.connections
    assert len(visit.deadlines) == 1  # the reception, which outlives all of them
    assert later.last.heard == ["aborted"]
