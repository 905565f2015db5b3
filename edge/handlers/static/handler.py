"""Answers exchanges from one mount of static files.

The common request, a GET for a small file that was looked at within the last second, takes one dictionary look-up, one scan
over the request's fields and one call with bytes that were ready before. Everything else is a step further away:

    __call__                  ready bytes
    ├─ _find                  another spelling, time for another look, a directory, nothing (404)
    └─ _answer_carefully      If-*, Range, files too large for memory
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from edge.config.schema import StaticMount
from edge.errors import HTTPError
from edge.handlers.static.catalogue import Catalogue
from edge.handlers.static.entry import Entry
from edge.handlers.static.heads import METHOD_REFUSAL, OPTIONS_ANSWER, redirect_head
from edge.handlers.static.names import file_name
from edge.handlers.static.reply import cut, reply_to
from edge.handlers.static.transfer import Defer, Transfer
from edge.http.conditional import CONDITION_FIELDS
from edge.http.exchange import Exchange
from edge.http.path import TargetPath, format_path, parse_path
from edge.http.prefixes import split_prefix

_READ_METHODS: Final = frozenset((b"GET", b"HEAD"))
_ACCEPT_ENCODING: Final = b"accept-encoding"
_NOTICED: Final = CONDITION_FIELDS | {_ACCEPT_ENCODING}


def call_soon(function: Callable[[], None]) -> object:
    """Have the running event loop call `function` in its next turn."""
    return asyncio.get_running_loop().call_soon(function)


class StaticHandler:
    """Serves the files of `mount` (a `Handler`); the request's target lies under the mount's prefix.

    A missing directory is no error: it answers 404 until it appears. Raises HTTPError: 404; 400 for a target that breaks a
    rule; 503 when the disk or the process cannot serve. `clock` is monotonic, `wall_clock` POSIX, both in seconds.
    """

    def __init__(
        self,
        mount: StaticMount,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        defer: Defer = call_soon,
    ) -> None:
        self._prefix = split_prefix(mount.prefix)
        self._catalogue = Catalogue(mount.directory, clock, wall_clock, uploads=mount.uploads)
        self._has_indexes = not mount.uploads
        self._entries = self._catalogue.cache.entries
        self._clock = clock
        self._defer = defer

    def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange, at once or as the client takes the bytes."""
        request = exchange.request
        if request.method not in _READ_METHODS:
            exchange.respond(OPTIONS_ANSWER if request.method == b"OPTIONS" else METHOD_REFUSAL)
            return
        entry = self._entries.get(request.target)
        if entry is None or entry.look_again_at <= self._clock():
            entry = self._find(exchange)
            if entry is None:
                return
        accept_encoding = None
        for name, value in request.fields:
            if name in _NOTICED:
                if name != _ACCEPT_ENCODING or accept_encoding is not None:
                    self._answer_carefully(exchange, entry)
                    return
                accept_encoding = value
        variant = entry.variant_for(accept_encoding)
        if variant.body is None:
            self._answer_carefully(exchange, entry)
        else:
            exchange.respond(variant.heads.whole, variant.body)

    def close(self) -> None:
        """Forget all files and give their descriptors back."""
        self._catalogue.close()

    def _find(self, exchange: Exchange) -> Entry | None:
        """The entry that the target names; None when the exchange has been answered already, with a redirect."""
        target = exchange.request.target
        known = self._entries.get(target.partition(b"?")[0])
        if known is not None and known.look_again_at > self._clock():
            return known  # a query, most often a version number, names no other file
        path = parse_path(target)
        if not (path.segments[-1] or self._has_indexes):
            raise HTTPError(404, "static-directory")
        name = file_name(path.segments, self._prefix)
        found = self._catalogue.look_up(format_path(path.segments), name)
        if isinstance(found, Entry):
            return found
        if not found.is_directory:
            raise HTTPError(404, "static-absent")
        exchange.respond(redirect_head(_with_slash(path)))
        return None

    def _answer_carefully(self, exchange: Exchange, entry: Entry, *, is_second_look: bool = False) -> None:
        reply = reply_to(exchange.request, entry)
        if reply.variant.body is not None or not reply.pieces:
            exchange.respond(reply.head, cut(reply.variant.body or b"", reply.pieces))
            return
        opened = self._catalogue.open_variant(entry, reply.variant)
        if opened is not None:
            Transfer(exchange, opened, reply.pieces, self._defer).start(reply.head)
            return
        if is_second_look:
            raise HTTPError(503, "static-file-unstable", retry_after=1)
        fresh = self._find(exchange)
        if fresh is not None:
            self._answer_carefully(exchange, fresh, is_second_look=True)


def _with_slash(path: TargetPath) -> bytes:
    """Where the directory is, as a path on the same host: the canonical spelling never begins with two slashes, because
    `file_name` has refused empty segments."""
    query = b"" if path.query is None else b"?" + path.query
    return format_path((*path.segments, b"")) + query
