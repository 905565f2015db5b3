"""Asks each origin's health path every few seconds, so that a sick one is known before a visitor meets it.

The question looks like a visitor's: it goes to a Host that is served and says X-Forwarded-Proto: https. An origin that is asked
by its address, over plain HTTP, answers what nobody would ever see (Django: 400 for the host, 301 to https), and load
balancers have taken healthy sites down for it.

Every worker asks for itself: no verdict has to travel, and a worker knows what it can reach.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from edge.errors import UpstreamError
from edge.http.exchange import Buffer
from edge.http.message import Fields, ResponseHead
from edge.net.deadlines import Deadlines
from edge.telemetry.logs import get_logger
from edge.upstream.carrier import RequestCarrier
from edge.upstream.connect import ConnectAttempt
from edge.upstream.diagnosis import advice, is_healthy
from edge.upstream.origin import Origin
from edge.upstream.resolver import Resolver

INTERVAL: Final = 2.0
"""Seconds between two questions to one origin. HAProxy: inter 2s."""

ANSWER_TIMEOUT: Final = 2.0
"""Seconds for the whole answer: a health path that takes longer is not well, and questions must not pile up."""

log = get_logger("upstream")


class Prober:
    """One `Probe` per origin, their beginnings spread over the interval."""

    def __init__(
        self,
        origins: Sequence[Origin],
        path: str,
        site_name: str,
        resolver: Resolver,
        deadlines: Deadlines,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        host = probe_host(site_name)
        self._loop = loop
        self._probes = [Probe(origin, path, host, resolver, deadlines, loop) for origin in origins]

    def start(self) -> None:
        """Ask from now on until `close`."""
        for number, probe in enumerate(self._probes):
            probe.ask_in(INTERVAL * number / len(self._probes))

    def close(self) -> None:
        """Ask no more."""
        for probe in self._probes:
            probe.close()


class Probe:
    """Claimer of a connection and receiver of its response, again and again, for one origin."""

    def __init__(
        self,
        origin: Origin,
        path: str,
        host: str,
        resolver: Resolver,
        deadlines: Deadlines,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._origin = origin
        self._path = path
        self._host = host
        self._resolver = resolver
        self._deadlines = deadlines
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._attempt: ConnectAttempt | None = None
        self._connection: RequestCarrier | None = None
        self._last_advice = ""

    def ask_in(self, seconds: float) -> None:
        """Ask once then, and every INTERVAL afterwards."""
        self._timer = self._loop.call_later(seconds, self._ask)

    def close(self) -> None:
        """Ask no more."""
        if self._timer:
            self._timer.cancel()
        self._give_up()

    def _give_up(self) -> None:
        attempt, self._attempt = self._attempt, None
        connection, self._connection = self._connection, None
        if attempt:
            attempt.cancel()
        if connection:
            connection.abort()

    def _ask(self) -> None:
        self._timer = self._loop.call_later(ANSWER_TIMEOUT, self._too_late)
        self._attempt = ConnectAttempt([self._origin], self, self._resolver, self._deadlines, self._loop)
        self._attempt.start()

    def _too_late(self) -> None:
        self._give_up()
        self._failed("no answer in time")

    # -- the connection -----------------------------------------------------------------------------------------------

    def connection_opened(self, connection: RequestCarrier) -> None:
        """Ask."""
        self._attempt = None
        self._connection = connection
        connection.send_request(self, b"GET", self._path.encode("ascii"), probe_fields(self._host), 0)

    def connection_failed(self, error: UpstreamError) -> None:
        """It does not even accept."""
        self._attempt = None
        self._failed(error.reason)

    # -- the response -------------------------------------------------------------------------------------------------

    def interim_received(self, status: int, fields: Fields) -> None:
        """Says nothing about health."""

    def response_received(self, head: ResponseHead, body: Buffer) -> None:  # the status says it all
        """The whole answer at once."""
        self._connection = None
        self._judge(head)

    def head_received(self, head: ResponseHead) -> None:
        """The status is the answer. A body that is still on its way is not worth waiting for."""
        self._give_up()
        self._judge(head)

    def data_received(self, data: Buffer) -> None:
        """Never: a connection with a body to come has been given up."""

    def response_ended(self, trailers: Fields = ()) -> None:
        """Never, for the same reason."""

    def request_drained(self) -> None:
        """Nothing follows the head."""

    def response_failed(self, word: str) -> None:
        """No answer, or none in HTTP."""
        self._connection = None
        self._failed(word)

    # -- the verdict --------------------------------------------------------------------------------------------------

    def _judge(self, head: ResponseHead) -> None:
        if not is_healthy(head.status):
            self._failed(str(head.status))
            return
        if self._origin.health.probe_passed():
            log.info("upstream is healthy again", upstream=str(self._origin.address), path=self._path)
        self._advise(head)
        self._next()

    def _advise(self, head: ResponseHead) -> None:
        """Say it once, and again only when something else is wrong."""
        sentence = advice(head, self._host, self._path)
        if sentence and sentence != self._last_advice:
            log.warning(
                "health path answers, but not as it should",
                upstream=str(self._origin.address),
                status=head.status,
                advice=sentence,
            )
        self._last_advice = sentence

    def _failed(self, reason: str) -> None:
        if self._origin.health.probe_failed():
            log.warning("upstream is unhealthy", upstream=str(self._origin.address), path=self._path, reason=reason)
        self._next()

    def _next(self) -> None:
        if self._timer:
            self._timer.cancel()
        self.ask_in(INTERVAL)


def probe_fields(host: str) -> Fields:
    """A visitor's request as far as an application can tell."""
    name = host.encode("ascii")
    return (
        (b"host", name),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", name),
        (b"x-forwarded-port", b"443"),
        (b"x-forwarded-for", b"127.0.0.1"),
        (b"x-real-ip", b"127.0.0.1"),
        (b"user-agent", b"edge-health"),
        (b"accept", b"*/*"),
    )


def probe_host(name: str) -> str:
    """A Host that belongs to the site called `name`: for a wildcard one that it covers, IPv6 addresses in brackets."""
    if name.startswith("*."):
        return "health" + name[1:]
    return f"[{name}]" if ":" in name else name
