"""Which responses a shared cache may keep, and for how long (RFC 9111 §3 and §4.2).

Only what the origin wants to be shared is kept: there are no heuristics, a response without a lifetime is not stored unless the
operator gave its route one. Of all that the RFC would allow, three things are left out because they cost people their accounts
or their sites: a response that sets a cookie, one that varies by cookie, and an answer to a request with a cookie that is not
marked for sharing by name (`public` or `s-maxage`): an application that forgets `Vary: Cookie` on somebody's page forgets
`public` as well. Errors but 404 and 410 are not stored either, so that nobody can have one stored by a strange request.

Times are POSIX seconds: what is stored outlives processes.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from edge.http.cache_control import Directives, parse_cache_control
from edge.http.dates import format_http_date, parse_http_date
from edge.http.forwarding import FILE_FIELDS
from edge.http.message import Fields, Request, ResponseHead

KEPT_STATUSES: Final = frozenset((200, 203, 204, 300, 301, 302, 307, 308, 404, 410))
"""206 is missing because parts are not stored, 405 and 414 because a request chooses them."""

STATUSES_WITH_TTL: Final = frozenset((200, 301, 308))
"""What gets the lifetime that the operator chose. nginx: 200, 301, 302."""

ERROR_STATUSES: Final = frozenset((500, 502, 503, 504))
"""Answers in whose place `stale-if-error` lets a stored one go out (RFC 5861 §4)."""

OVERRIDES: Final = frozenset((b"x-http-method-override", b"x-http-method", b"x-method-override"))
"""Fields that make some applications take a GET for another method: such a request has nothing to do with the stored GET."""

_EPHEMERAL: Final = frozenset((b"age", b"set-cookie", b"x-request-id", b"x-accel-buffering"))
"""Response fields that belong to one exchange."""

_FROM_STORED: Final = frozenset((b"content-encoding", b"content-type", b"content-range", b"content-length"))
"""Fields that a 304 does not update: they describe the body that stays (RFC 9111 §3.2)."""


class Lifetime(Struct, frozen=True, gc=False):
    """How long a stored response may be used. All but `born` are seconds; `born` is the moment at which its age was 0."""

    born: float
    fresh: float
    while_revalidating: float = 0.0
    """Beyond `fresh` it is sent at once, and asked for anew behind the visitor's back."""

    if_error: float = 0.0
    """Beyond `fresh` it is sent when the origin fails."""

    def age(self, now: float) -> int:
        """The value of the Age field; 0 when the clock was set back."""
        return max(0, int(now - self.born))

    def left(self, now: float) -> float:
        """Seconds of freshness left; negative when stale."""
        return self.born + self.fresh - now

    def may_wait(self, now: float) -> bool:
        """Whether it may be sent while it is asked for anew."""
        return self.left(now) + self.while_revalidating > 0

    def may_replace_error(self, now: float) -> bool:
        """Whether it may be sent in place of an error."""
        return self.left(now) + self.if_error > 0


class Storable(Struct, frozen=True):
    """A response that is to be kept. `for_all`: also for requests with Authorization (RFC 9111 §3.5)."""

    lifetime: Lifetime
    vary: tuple[bytes, ...]
    for_all: bool


def judge(request: Request, head: ResponseHead, asked_at: float, now: float, ttl: float = 0.0) -> Storable | None:
    """Whether and how to keep the response to a GET, asked for at `asked_at`; `ttl` is the operator's lifetime, 0 for none.

    Source: RFC 9111 §3.
    """
    if head.status not in KEPT_STATUSES:
        return None
    names = {name for name, _ in head.fields}
    if b"set-cookie" in names or b"content-range" in names or names & FILE_FIELDS or _is_stream(head):
        return None
    directives = parse_cache_control(_combined(head.fields, b"cache-control") or b"")
    if directives.no_store or directives.no_cache or directives.private:
        return None
    vary = parse_vary(head.fields)
    if vary is None:
        return None
    asker = {name for name, _ in request.fields}
    if b"authorization" in asker and not directives.is_explicitly_shared:
        return None
    if b"cookie" in asker and not (directives.public or directives.s_maxage is not None):
        return None
    lifetime = lifetime_of(head, directives, asked_at, now, ttl)
    if lifetime is None or lifetime.left(now) + lifetime.while_revalidating <= 0:
        return None
    return Storable(lifetime, vary, directives.is_explicitly_shared)


def _is_stream(head: ResponseHead) -> bool:
    media_type = head.field(b"content-type") or b""
    return media_type.lower().startswith(b"text/event-stream") or head.field(b"x-accel-buffering") == b"no"


def parse_vary(fields: Fields) -> tuple[bytes, ...] | None:
    """The request fields that chose this response, sorted; None for what cannot be kept: `*`, by cookie, by Authorization."""
    names = {name.strip(b"\t ").lower() for name in (_combined(fields, b"vary") or b"").split(b",")} - {b""}
    if names & {b"*", b"cookie", b"authorization"}:
        return None
    return tuple(sorted(names))


def lifetime_of(
    head: ResponseHead, directives: Directives, asked_at: float, now: float, ttl: float = 0.0
) -> Lifetime | None:
    """How long the response may be used; None without a word about it.

    `stale-while-revalidate` and `stale-if-error` hold beside `s-maxage`, although that implies proxy-revalidate (§5.2.2.10):
    an origin that sends both means both, and CDNs read it so. An explicit must-revalidate or proxy-revalidate wins.

    Source: RFC 9111 §4.2.1, §4.2.3; RFC 5861.
    """
    fresh = _fresh_for(head, directives, now)
    if fresh is None:
        fresh = ttl if head.status in STATUSES_WITH_TTL and ttl else None
    if fresh is None:
        return None
    strict = directives.must_revalidate or directives.proxy_revalidate
    return Lifetime(
        born=now - _initial_age(head, asked_at, now),
        fresh=fresh,
        while_revalidating=0.0 if strict else float(directives.stale_while_revalidate or 0),
        if_error=0.0 if strict else float(directives.stale_if_error or 0),
    )


def _fresh_for(head: ResponseHead, directives: Directives, now: float) -> float | None:
    """Seconds from the origin's own words: s-maxage, else max-age, else Expires."""
    for seconds in (directives.s_maxage, directives.max_age):
        if seconds is not None:
            return float(seconds)
    expires = [value for name, value in head.fields if name == b"expires"]
    if not expires:
        return None
    ends = [parse_http_date(value, now) for value in expires]
    date = parse_http_date(head.field(b"date") or b"", now)
    return min(0.0 if end is None else end - (now if date is None else date) for end in ends)


def _initial_age(head: ResponseHead, asked_at: float, now: float) -> float:
    """How old it was when it came (RFC 9111 §4.2.3)."""
    date = parse_http_date(head.field(b"date") or b"", now)
    apparent = (
        0.0 if date is None else max(0.0, now - date - 1)
    )  # a Date has whole seconds: it is up to one in the past
    said = head.field(b"age") or b""
    age = float(said) if said.isdigit() and len(said) <= 10 else 0.0
    return max(apparent, age + max(0.0, now - asked_at) if age else 0.0)


def stored_fields(fields: Fields, now: float) -> Fields:
    """The fields that are kept, with a Date (RFC 9110 §6.6.1)."""
    kept = tuple(line for line in fields if line[0] not in _EPHEMERAL)
    if any(name == b"date" for name, _ in kept):
        return kept
    return (*kept, (b"date", format_http_date(now)))


def updated_fields(stored: Fields, fresh: Fields, now: float) -> Fields:
    """The stored fields after a 304 with `fresh` ones: each name that it has replaces all lines of that name (RFC 9111 §3.2)."""
    news = tuple(line for line in stored_fields(fresh, now) if line[0] not in _FROM_STORED)
    names = {name for name, _ in news}
    return (*[line for line in stored if line[0] not in names], *news)


def _combined(fields: Fields, name: bytes) -> bytes | None:
    values = [value for key, value in fields if key == name]
    return b", ".join(values) if values else None
