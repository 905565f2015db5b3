"""Which fields cross edge, and what edge says about the visitor to an origin.

An application believes what `X-Forwarded-Proto` and its relatives say: a visitor who can write them chooses the scheme, the
host and the address that the application sees. So the whole family is removed from a request, in every spelling that some
server folds into the same variable, and then written anew from what edge knows itself. In the other direction an
application's words to its own server (`X-Accel-Redirect`, `X-Sendfile`) are removed, because they name files.

Everything here is pure. Verdicts on names and the lines that repeat from request to request are remembered in bounded memos.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from edge.http.exchange import Peer
from edge.http.message import HOP_BY_HOP, Fields, Request
from edge.http.validation import split_authority

SET_BY_EDGE: Final = frozenset(
    (
        b"host",
        b"content-length",
        b"x-real-ip",
        b"x-request-id",
        b"x-request-start",
    )
)
"""Written anew from the request itself; `x-forwarded-*` is covered by its prefix."""

NEVER_FORWARDED: Final = frozenset(
    (
        b"expect",  # edge answers 100 itself, when it wants the body
        b"forwarded",  # RFC 7239 says the same as X-Forwarded-*: a server that reads it must not read the visitor's
        b"x-url-scheme",  # waitress, Werkzeug and others once took the scheme from these
        b"x-scheme",
        b"front-end-https",
        b"x-original-url",  # routing in IIS, Symfony and others; overrides the path that edge decided on
        b"x-rewrite-url",
        b"proxy",  # becomes HTTP_PROXY in a CGI environment ("httpoxy")
        b"x-sendfile-type",
        b"cf-connecting-ip",  # believed by applications that expect a CDN in front
        b"true-client-ip",
    )
)

FORWARDED_FAMILIES: Final = (b"x-forwarded-", b"x-accel-")
"""No member of these families reaches an origin from outside: -For, -Proto, -Ssl, -Protocol, -Scheme, -Redirect …"""

FILE_FIELDS: Final = frozenset((b"x-accel-redirect", b"x-sendfile"))
"""An application asks its server to send a file. edge does not, and hides the path (it says where files are)."""

ONLY_FOR_EDGE: Final = frozenset((b"server", b"status", b"x-sendfile", b"x-request-id"))
"""Response fields that end here: edge names itself, `Status` is CGI's, and the request id is edge's own."""

_MEMO_NAMES: Final = 2048
"""Distinct field names remembered; visitors choose names, so the memo is bounded."""

_MEMO_NAME: Final = 64
"""Longest name remembered; a name can be as long as a head, and no name in use is that long."""

_MEMO_LINES: Final = 4096
"""Distinct peers and authorities whose lines are remembered."""


class Verdicts(dict[bytes, bool]):
    """Field name → whether it crosses; asks `judge` once per name. One look-up in C for every name seen before."""

    def __init__(self, judge: Callable[[bytes], bool]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, name: bytes) -> bool:
        verdict = self._judge(name)
        if len(name) <= _MEMO_NAME:
            if len(self) >= _MEMO_NAMES:
                self.clear()
            self[name] = verdict
        return verdict


def reaches_origin(name: bytes) -> bool:
    """Whether a visitor's field called `name` (any case) may reach an origin.

    Names with `_` never do: CGI and WSGI map `-` and `_` to the same variable. Names with `.` are judged as if it were `-`,
    since some servers fold that too.
    """
    name = name.lower()
    if b"_" in name:
        return False
    name = name.replace(b".", b"-")
    if name in SET_BY_EDGE or name in NEVER_FORWARDED or name in HOP_BY_HOP:
        return False
    return not name.startswith(FORWARDED_FAMILIES)


def reaches_visitor(name: bytes) -> bool:
    """Whether an origin's response field called `name` may reach a visitor."""
    name = name.lower()
    return name not in ONLY_FOR_EDGE and name not in HOP_BY_HOP and not name.startswith(b"x-accel-")


_to_origin = Verdicts(reaches_origin)
_to_visitor = Verdicts(reaches_visitor)


@lru_cache(_MEMO_LINES)
def _host_lines(scheme: bytes, authority: bytes) -> Fields:
    port = split_authority(authority)[1] or (443 if scheme == b"https" else 80)
    return (
        (b"host", authority),
        (b"x-forwarded-proto", scheme),
        (b"x-forwarded-host", authority),
        (b"x-forwarded-port", b"%d" % port),
    )


@lru_cache(_MEMO_LINES)
def _peer_lines(address: str) -> Fields:
    encoded = address.encode("ascii")
    return ((b"x-forwarded-for", encoded), (b"x-real-ip", encoded))


def upstream_fields(request: Request, peer: Peer, request_id: str, now: float) -> Fields:
    """The field lines of `request` as an origin gets them, framing not included.

    `now` is POSIX time in seconds, for `X-Request-Start: t=<milliseconds>`. Host comes first (RFC 9110 §7.2), then what
    edge says, then the visitor's own fields in their order.
    """
    crosses = _to_origin
    return (
        *_host_lines(request.scheme, request.authority),
        *_peer_lines(peer.address),
        (b"x-request-id", request_id.encode("ascii")),
        (b"x-request-start", b"t=%d" % (now * 1000)),
        *[line for line in request.fields if crosses[line[0]]],
    )


def downstream_fields(fields: Fields, request_id: str, crosses: Verdicts = _to_visitor) -> Fields:
    """The field lines of an origin's response as the visitor gets them: edge's own words removed, the request id added.

    A caller that wants to hear about names brings its own `crosses`, judging by `reaches_visitor`.
    """
    return (*[line for line in fields if crosses[line[0]]], (b"x-request-id", request_id.encode("ascii")))
