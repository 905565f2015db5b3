"""Files that the application names and edge sends: `X-Accel-Redirect: /protected/a.pdf` and `X-Sendfile: /srv/files/a.pdf`.

    application ──head with the name──▶ here: what follows is not wanted ──▶ static file machinery ──▶ visitor

The file comes from an internal mount (`--internal PREFIX=DIR`) or not at all; confinement, ranges, conditions and slow clients
are the business of `edge.handlers.static`. From the application's response stay all fields but those that describe the bytes:
its decision about who may see the file, for how long and under which name counts, its length and entity tag are those of an
empty body.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_from_bytes

from msgspec import structs

from edge.config.schema import StaticMount
from edge.errors import HTTPError
from edge.handlers.error_page import respond_error
from edge.handlers.wrapped_exchange import SubstitutedExchange, WrappedExchange
from edge.http.exchange import Buffer, Exchange, Handler
from edge.http.forwarding import FILE_FIELDS, reaches_visitor
from edge.http.message import Fields, Request, ResponseHead
from edge.http.path import parse_path
from edge.http.prefixes import PrefixTable
from edge.telemetry.logs import get_logger

ACCEL: Final = b"x-accel-redirect"
SENDFILE: Final = b"x-sendfile"

OF_THE_FILE: Final = frozenset(
    (b"accept-ranges", b"content-encoding", b"content-range", b"etag", b"last-modified", b"server")
)
"""Fields that describe the bytes: the file's count, the application's are about its own empty body."""

PRIVATE: Final = (b"cache-control", b"private, no-cache")
"""Unless the application says otherwise: it was asked because not everybody may see the file."""

_ABOUT_GET: Final = frozenset(
    (b"range", b"if-range", b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since")
)

log = get_logger("proxy")


def passes_file_fields(name: bytes) -> bool:
    """`reaches_visitor` for a proxy behind this handler: the names of files come as far as here."""
    return name.lower() in FILE_FIELDS or reaches_visitor(name)


class InternalFiles:
    """The internal mounts of a site, each with the handler that serves it under its prefix."""

    def __init__(self, mounts: Mapping[StaticMount, Handler]) -> None:
        self._mounts = list(mounts)
        self._handlers = list(mounts.values())
        self._prefixes = PrefixTable([mount.prefix for mount in self._mounts])

    def find(self, name: bytes, value: bytes) -> tuple[Handler, bytes] | None:
        """The handler for the file that field `name` names, and its target there; None if it lies in no mount."""
        try:
            return self._find_path(value) if name == SENDFILE else self._find_target(value)
        except HTTPError:
            return None

    def _find_target(self, value: bytes) -> tuple[Handler, bytes] | None:
        """A URL path, encoded or with UTF-8 as it is."""
        target = quote_from_bytes(value.partition(b"?")[0], "/%!$&'()*+,;=:@~").encode("ascii")
        place = self._prefixes.match(target)
        return None if place is None else (self._handlers[place], target)

    def _find_path(self, value: bytes) -> tuple[Handler, bytes] | None:
        """An absolute path on disk, never decoded."""
        if not value.startswith(b"/") or b".." in value.split(b"/"):
            return None
        path = os.path.normpath(value)
        inside = [
            (len(root), mount.prefix, handler, path[len(root) :])
            for mount, handler in zip(self._mounts, self._handlers, strict=True)
            for root in (os.fsencode(mount.directory).rstrip(b"/"),)
            if path.startswith(root + b"/")
        ]
        if not inside:
            return None
        _, prefix, handler, rest = max(inside, key=lambda each: each[0])
        target = prefix.encode() + quote_from_bytes(rest, "/").encode("ascii")
        parse_path(target)
        return handler, target


class SendFile:
    """A handler in front of a proxy that lets the names of files through (`passes_file_fields`)."""

    def __init__(self, files: InternalFiles, handler: Handler) -> None:
        self._files = files
        self._handler = handler

    def __call__(self, exchange: Exchange) -> None:
        """Hand on, and look at the response."""
        self._handler(_LookedAtExchange(exchange, self._files))


class _LookedAtExchange(WrappedExchange):
    """What the proxy answers. A response that names a file ends here, at its head, and the file follows.

    What the application sends behind such a head is not waited for: django-sendfile2 announces the length of the file and
    then sends nothing, which no server can send as a valid response.
    """

    __slots__ = ("_files", "_is_replaced")

    def __init__(self, inner: Exchange, files: InternalFiles) -> None:
        super().__init__(inner)
        self._files = files
        self._is_replaced = False

    def send_head(self, head: ResponseHead) -> None:
        if not _names_file(head):
            self.inner.send_head(head)
            return
        proxy = self.inner.receiver
        if proxy is not None:
            proxy.exchange_aborted("internal-file")
        self._send_file(head)

    def respond(self, head: ResponseHead, body: Buffer = b"") -> None:
        if _names_file(head):
            self._send_file(head)
        else:
            self.inner.respond(head, body)

    def send_body(self, data: Buffer) -> None:
        if not self._is_replaced:
            self.inner.send_body(data)

    def end(self, trailers: Fields = ()) -> None:
        if not self._is_replaced:
            self.inner.end(trailers)

    def abort(self, reason: str) -> None:
        if not self._is_replaced:
            self.inner.abort(reason)

    def resume_body(self) -> None:
        if not self._is_replaced:
            self.inner.resume_body()

    def _send_file(self, head: ResponseHead) -> None:
        exchange = self.inner
        exchange.receiver = None
        exchange.resume_body()  # a rest that nobody wants
        self._is_replaced = True
        name, value = next(line for line in head.fields if line[0] in FILE_FIELDS)
        try:
            found = self._files.find(name, value)
            if found is None:
                raise HTTPError(502, "internal-file-outside")
            handler, target = found
            handler(_FileExchange(exchange, file_request(exchange.request, target), head.fields))
        except HTTPError as error:
            path = repr(value.decode("utf-8", "replace"))
            log.warning("file of the application not sent", field=name.decode(), path=path, reason=error.reason)
            respond_error(exchange, error)


class _FileExchange(SubstitutedExchange):
    """What the static handler answers, with the application's fields."""

    __slots__ = ("_fields",)

    def __init__(self, inner: Exchange, request: Request, fields: Fields) -> None:
        super().__init__(inner, request)
        self._fields = fields

    def _rewritten(self, head: ResponseHead) -> ResponseHead:
        return ResponseHead(head.status, merge_fields(self._fields, head), head.content_length)


def _names_file(head: ResponseHead) -> bool:
    return any(name in FILE_FIELDS for name, _ in head.fields)


def file_request(request: Request, target: bytes) -> Request:
    """The request for the file: a GET or HEAD for its target. Ranges and conditions belong to GET and HEAD only."""
    fields = request.fields
    if request.method not in (b"GET", b"HEAD"):
        fields = tuple(line for line in fields if line[0] not in _ABOUT_GET)
    method = b"HEAD" if request.method == b"HEAD" else b"GET"
    return structs.replace(request, method=method, target=target, fields=fields)


def merge_fields(said: Fields, head: ResponseHead) -> Fields:
    """The application's fields, those about the bytes from the file's `head`."""
    kept = [line for line in said if line[0] not in OF_THE_FILE and line[0] not in FILE_FIELDS]
    about = [line for line in head.fields if line[0] in OF_THE_FILE]
    media_type = head.field(b"content-type")
    if media_type is not None:
        is_multipart = media_type.startswith(b"multipart/byteranges")
        if is_multipart or not any(name == b"content-type" for name, _ in kept):
            kept = [line for line in kept if line[0] != b"content-type"]
            about.append((b"content-type", media_type))
    if not any(name == b"cache-control" for name, _ in kept):
        kept.append(PRIVATE)
    return (*about, *kept)
