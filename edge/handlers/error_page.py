"""What a visitor sees when an exchange cannot go on: a small page, or JSON for programs, and a request id to quote.

The page is complete in itself (no style sheet, script or image to fetch) and says nothing about the inside: no address, no
path, no text from the network. What the operator needs is in the log under the same request id. An operator's own page takes
the place of ours for browsers; programs get JSON all the same.
"""

from __future__ import annotations

import html
import json
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from msgspec import Struct

from edge.errors import HTTPError
from edge.http.exchange import Exchange
from edge.http.message import Fields, ResponseHead

SENTENCES: Final = {
    "authority-not-served": "This server does not serve the host that was asked for.",
    "certificate-for-another-name": "This connection is for another host. Please try again on a new one.",
    "body-too-large": "The request body is larger than this site accepts (setting: max_body).",
    "address-not-allowed": "This part of the site is not open to your address.",
    "credentials-needed": "This part of the site asks for a name and a password.",
    "credentials-wrong": "The name or the password is not right.",
    "credentials-busy": "Too many passwords are being checked at the moment. Please try again in a moment.",
    "rate-exceeded": "There were too many requests from your address. Please wait a moment.",
    "static-absent": "There is nothing at this address.",
    "internal-file-outside": "The application behind this site named a file that it may not send.",
    "forwarded-conflict": "The proxies in front of this server do not agree about who is asking.",
    "no-route": "There is nothing at this address.",
    "upstream-refused": "The application behind this site is not running. It may be restarting; please try again.",
    "upstream-permission": "The application behind this site cannot be reached: this server may not open its socket.",
    "upstream-unreachable": "The application behind this site cannot be reached.",
    "upstream-tls": "This server cannot be sure that it speaks to the application behind this site.",
    "upstream-name-unknown": "The application behind this site cannot be found.",
    "upstream-busy": "The application behind this site is overloaded. Please try again in a moment.",
    "upstream-closed": "The application behind this site ended the connection without an answer.",
    "upstream-protocol": "The application behind this site did not give a valid answer.",
    "upstream-not-http2": "The application behind this site does not speak HTTP/2, which this server expects of it.",
    "upstream-no-tunnel": "The application behind this site did not open the WebSocket.",
    "upstream-no-websocket": "The application behind this site is reached by a protocol that has no WebSockets (uwsgi).",
    "upstream-truncated": "The application behind this site did not finish its answer.",
    "upstream-connect-timeout": "The application behind this site does not accept connections in time.",
    "upstream-first-byte-timeout": "The application behind this site did not answer in time.",
    "upstream-idle-timeout": "The application behind this site stopped in the middle of its answer.",
    "upstream-request-stalled": "The application behind this site stopped reading the request.",
    "out-of-descriptors": "This server is overloaded. Please try again in a moment.",
    "only-if-cached": "Nothing is stored at this address that could be sent without asking.",
    "maintenance": "This site is under maintenance. Please come back in a while.",
    "spool-unavailable": "This server cannot take the request body at the moment.",
}
"""Reason (a constant word) → what it means for a visitor. A reason without a sentence shows its status only."""

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{status} {phrase}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto 0; padding: 0 1rem; color-scheme: light dark }}
small {{ opacity: .6 }}
</style>
<h1>{phrase}</h1>
<p>{sentence}</p>
<p><small>{status} · request <code>{request_id}</code></small></p>
</html>
"""

_ID_HOLE: Final = "0" * 32
"""Stands where the request id goes, between two halves that are made once."""

REQUEST_ID: Final = b"{request_id}"
"""Stands for the request id in an operator's own page."""


class _Page(Struct, frozen=True):
    before: bytes
    after: bytes
    fields: Fields


@lru_cache(256)  # statuses × reasons × two forms: all of them constants of ours
def _page(status: int, reason: str, retry_after: int | None, as_json: bool) -> _Page:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
    sentence = SENTENCES.get(reason, "The request cannot be answered.")
    if as_json:
        text = json.dumps(
            {"status": status, "error": phrase, "detail": sentence, "reason": reason, "request_id": _ID_HOLE}
        )
    else:
        text = _PAGE.format(status=status, phrase=phrase, sentence=html.escape(sentence), request_id=_ID_HOLE)
    before, after = text.encode().split(_ID_HOLE.encode())
    fields: Fields = (
        (b"content-type", b"application/json" if as_json else b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    )
    if retry_after is not None:
        fields = (*fields, (b"retry-after", b"%d" % retry_after))
    return _Page(before, after, fields)


def prefers_json(accept: bytes | None) -> bool:
    """Whether a program asks rather than a browser: JSON is acceptable by name and HTML is not."""
    return accept is not None and b"json" in accept and b"text/html" not in accept


def respond_error(exchange: Exchange, error: HTTPError) -> None:
    """Answer with the page for `error`, or abort if a response has begun. The exchange is over afterwards."""
    if exchange.head_sent:
        exchange.abort(error.reason)
        return
    as_json = prefers_json(exchange.request.field(b"accept"))
    page = _page(error.status, error.reason, error.retry_after, as_json)
    request_id = exchange.request_id.encode("ascii")
    own = None if as_json else exchange.own_error_page(error.status)
    body = page.before + request_id + page.after if own is None else own.replace(REQUEST_ID, request_id)
    fields = (*page.fields, *error.fields, (b"x-request-id", request_id))
    exchange.respond(ResponseHead(error.status, fields, len(body)), body)
