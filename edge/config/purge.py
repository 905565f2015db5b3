"""What is to be forgotten by the response cache. Not part of the configuration: it is said while edge runs."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

MAX_PATTERN: Final = 2048

MAX_PURGES: Final = 200
"""Remembered at a time; more become one that forgets everything. They must fit into one message to a worker."""

_PATTERN = re.compile(r"(?:https?://[^/\x00-\x20\x7f*?#]+)?/[\x21-\x7e]*").fullmatch


class Purge(Struct, frozen=True):
    """Forget what was asked for before `at` (POSIX seconds): everything, or what fits.

    `site` is the first name of a site or any host name, "" for all. `pattern` is a URL, or a path for every host; with `*` at
    its end everything that begins so; "" is everything.
    """

    at: float
    site: str = ""
    pattern: str = ""

    def covers(self, key: str, site: str, asked_at: float) -> bool:
        """Whether a response to `key` (`https://host/path?query`) that `site` gave is meant."""
        if asked_at >= self.at:
            return False
        _, _, rest = key.partition("://")
        host, slash, path = rest.partition("/")
        if self.site and self.site not in (site, host.rpartition(":")[0] or host, host):
            return False
        subject = slash + path if self.pattern.startswith("/") else key
        prefix = self.pattern.removesuffix("*")
        return subject.startswith(prefix) if prefix != self.pattern or not self.pattern else subject == self.pattern


def parse_pattern(text: str) -> str:
    """A URL or a path, with `*` at the end for all that begin so. Raises: ValueError with one sentence."""
    if not _PATTERN(text) or "*" in text[:-1] or "#" in text:
        raise ValueError(
            f"{text[:80]!r} is no URL or path; write one like https://example.com/news or /news, with * at its end for all below"
        )
    if len(text) > MAX_PATTERN:
        raise ValueError(f"the URL is longer than {MAX_PATTERN} characters; write its beginning and a *")
    scheme, mark, rest = text.partition("://")
    if not mark:
        return text
    authority, slash, path = rest.partition("/")
    port = ":443" if scheme == "https" else ":80"
    return f"{scheme}://{authority.lower().removesuffix(port)}{slash}{path}"


def add_purge(purges: tuple[Purge, ...], new: Purge) -> tuple[Purge, ...]:
    """The purges that hold with the new one: those that it includes are left out, and too many become one."""
    if not new.site and not new.pattern:
        return (new,)
    kept = tuple(each for each in purges if (each.site, each.pattern) != (new.site, new.pattern))
    return (*kept, new) if len(kept) < MAX_PURGES else (Purge(new.at),)
