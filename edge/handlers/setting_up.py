"""What port 80 says about a name that no site lists: a redirection to https when there is a certificate for it, a friendly page
while there is none yet, 421 for a name that is not welcome.

A visitor who comes here has been led by DNS, perhaps before the rest of the world: the domain's owner who tries it, or one whose
resolver was faster than the CA's. Sent to https they would see a broken connection; here they read how far things are.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

from edge.certs.publisher import NameAnswer
from edge.errors import RequestRefused
from edge.handlers.error_page import prefers_json, respond_error
from edge.handlers.redirect import NOT_SERVED, Redirect
from edge.handlers.served_names import ServedNames
from edge.http.exchange import Exchange
from edge.http.message import ResponseHead
from edge.http.validation import split_authority

LookUp: TypeAlias = Callable[[str, str, Callable[[NameAnswer | None], None]], None]
"""Asks about a name for a client; the last argument is called once, now or within seconds. None: it has a certificate."""

SHORTEST_RETRY: Final = 5
"""Seconds for Retry-After; the page reloads itself as often."""

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="{seconds}">
<title>{name} is being set up</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto 0; padding: 0 1rem; color-scheme: light dark }}
small {{ opacity: .6 }}
</style>
<h1>{name} is being set up</h1>
<p>This domain is welcome here. Its certificate is being obtained, so that it can be visited securely.</p>
{problem}<p><small>This page tries again by itself in {seconds} seconds.</small></p>
</html>
"""

_PROBLEM: Final = """\
<p>The last attempt did not succeed:</p>
<blockquote>{problem}</blockquote>
<p>If you have just changed the DNS records of the domain, this may take a while: others may not see them yet.</p>
"""


class SettingUp:
    """In front of the redirection of plain requests, where names are served on demand."""

    def __init__(self, names: ServedNames[Any], redirect: Redirect, look_up: LookUp) -> None:
        self._names = names
        self._redirect = redirect
        self._look_up = look_up

    def __call__(self, exchange: Exchange) -> None:
        """Answer, perhaps a moment later."""
        authority = exchange.request.authority
        if self._names.find(authority) is not None:
            self._redirect(exchange)
            return
        waiting = _Waiting(exchange)
        name = split_authority(authority)[0]
        self._look_up(name, exchange.peer.address, partial(self._told, waiting, name))

    def _told(self, waiting: _Waiting, name: str, answer: NameAnswer | None) -> None:
        if waiting.is_over:
            return
        exchange = waiting.exchange
        exchange.receiver = None
        if answer is None:
            self._redirect.send(exchange, name.encode("ascii"))
        elif answer.verdict == "refused":
            respond_error(exchange, RequestRefused(421, NOT_SERVED))
        else:
            respond_pending(exchange, answer)


class _Waiting:
    """Implements `Receiver` for a request that waits for what is known about its name."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.is_over = False
        exchange.receiver = self

    def body_received(self, data: bytes) -> None:
        """Whatever it is, it is not for plain HTTP."""

    def body_ended(self) -> None:
        """The answer does not depend on it."""

    def resume_sending(self) -> None:
        """Nothing is being sent."""

    def exchange_aborted(self, reason: str) -> None:
        """The client went away."""
        self.is_over = True


def respond_pending(exchange: Exchange, answer: NameAnswer) -> None:
    """503 with Retry-After, for browsers as a page that says what is going on."""
    seconds = max(int(answer.seconds), SHORTEST_RETRY)
    if prefers_json(exchange.request.field(b"accept")):
        words = {"status": 503, "name": answer.name, "state": answer.verdict, "detail": answer.problem}
        body, kind = json.dumps(words).encode(), b"application/json"
    else:
        problem = _PROBLEM.format(problem=html.escape(answer.problem)) if answer.problem else ""
        text = _PAGE.format(name=html.escape(answer.name), problem=problem, seconds=seconds)
        body, kind = text.encode(), b"text/html; charset=utf-8"
    fields = (
        (b"content-type", kind),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"retry-after", b"%d" % seconds),
        (b"x-request-id", exchange.request_id.encode("ascii")),
    )
    exchange.respond(ResponseHead(503, fields, len(body)), body)
