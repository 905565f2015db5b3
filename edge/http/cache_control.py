"""The Cache-Control field: what an origin says about keeping its response (RFC 9111 §5.2.2, RFC 5861).

Whatever is doubtful makes a response less cacheable, never more: a number that is none counts as 0, of two numbers the smaller
one holds, a value that breaks the grammar forbids storing. The qualified forms (`private="x-name"`) count as the whole directive,
which the RFC allows to caches that do not look into single fields.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

MAX_SECONDS: Final = 2**31
"""RFC 9111 §1.2.2: what is larger counts as this, 68 years."""

MEMO_VALUES: Final = 256
"""Field values whose meaning is remembered: an application has a handful."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_DIRECTIVE = re.compile(
    rb"[\t ]*(?:(" + _TOKEN + rb")(?:=(?:(" + _TOKEN + rb')|"((?:[^"\\]|\\.)*)"))?)?[\t ]*(?:,|$)', re.DOTALL
).match


class Directives(Struct, frozen=True, gc=False):
    """What a response's Cache-Control says. Numbers are seconds, None where nothing is said."""

    no_store: bool = False
    no_cache: bool = False
    private: bool = False
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None

    @property
    def is_explicitly_shared(self) -> bool:
        """Whether it allows a shared cache what the request's Authorization would forbid (RFC 9111 §3.5)."""
        return self.public or self.must_revalidate or self.s_maxage is not None


_FLAGS: Final = {
    b"no-store": "no_store",
    b"no-cache": "no_cache",
    b"private": "private",
    b"public": "public",
    b"must-revalidate": "must_revalidate",
    b"proxy-revalidate": "proxy_revalidate",
}
_NUMBERS: Final = {
    b"max-age": "max_age",
    b"s-maxage": "s_maxage",
    b"stale-while-revalidate": "stale_while_revalidate",
    b"stale-if-error": "stale_if_error",
}

FORBIDDEN: Final = Directives(no_store=True)
"""What a broken field means."""


@lru_cache(MEMO_VALUES)
def parse_cache_control(value: bytes) -> Directives:
    """The meaning of a field value, several lines joined by commas; directives that nobody knows here are skipped."""
    found: dict[str, bool | int] = {}
    place = 0
    while place < len(value):
        match = _DIRECTIVE(value, place)
        if match is None or match.end() == place:
            return FORBIDDEN
        place = match.end()
        name = (match[1] or b"").lower()
        if name in _FLAGS:
            found[_FLAGS[name]] = True
        elif name in _NUMBERS:
            key = _NUMBERS[name]
            seconds = _seconds(match[2] if match[2] is not None else match[3])
            found[key] = min(seconds, found.get(key, seconds))
    return Directives(**found)  # type: ignore[arg-type]  # each key has the type of its table


def _seconds(argument: bytes | None) -> int:
    """Delta-seconds (RFC 9111 §1.2.2); what is none counts as 0, so that the response is stale at once."""
    if argument is None or not argument.isdigit():
        return 0
    return min(int(argument), MAX_SECONDS) if len(argument) <= 10 else MAX_SECONDS


def has_directive(value: bytes | None, name: bytes) -> bool:
    """Whether a request's Cache-Control has this directive (lower-case)."""
    if value is None:
        return False
    return any(part.strip(b"\t ").lower() == name for part in value.split(b","))
