"""A request as a uwsgi packet: what takes the place of an HTTP/1.1 head before an application server that speaks uWSGI's own
protocol. Pure.

    0   size of the variables, u16   0   (name size u16, name, value size u16, value)*   then the body, unframed

All numbers are little-endian. The two zeros are the modifiers: "a WSGI request". The variables are those of CGI (RFC 3875), the
answer is an HTTP/1.1 response that ends with the connection.

A visitor's field becomes `HTTP_` and its name, so none can become a variable that uWSGI obeys (`UWSGI_FILE` loads code). What
edge says about the visitor is read from the fields that edge itself wrote: an application sees the same as over HTTP.
"""

from __future__ import annotations

import struct
from typing import Final
from urllib.parse import unquote_to_bytes

from edge.errors import RequestRefused
from edge.http.message import Fields
from edge.http.validation import split_authority

MAX_PACKET: Final = 65535
"""Bytes of all variables together: their size has 16 bits."""

TOO_LARGE: Final = "uwsgi-packet-too-large"
NUL_IN_PATH: Final = "nul-in-path"

_HEADER: Final = struct.Struct("<BHB")
_SIZE: Final = struct.Struct("<H")

_PROTOCOL: Final = b"HTTP/1.1"
"""What edge speaks to every origin. uWSGI begins its answer with this word, so it must be one that the parser knows."""

_COOKIE: Final = b"HTTP_COOKIE"


def format_uwsgi_packet(method: bytes, target: bytes, fields: Fields, content_length: int) -> bytes:
    """A whole packet; the body of `content_length` bytes follows as it is.

    `fields` are those of `upstream_fields`, or hold at least `host` and what that says of the visitor. Raises: RequestRefused
    431 for more than MAX_PACKET bytes, 400 for a path with a NUL, at which C would cut it. Source: the uwsgi protocol 1.0.
    """
    variables = _field_variables(fields)
    _add_line(variables, method, target)
    _add_visitor(variables)
    variables[b"CONTENT_LENGTH"] = b"%d" % content_length
    block = _format_variables(variables)
    return _HEADER.pack(0, len(block), 0) + block


def _field_variables(fields: Fields) -> dict[bytes, bytes]:
    """One variable for each field name: a server that is sent two of the same keeps the last one only.

    `_` and `-` would meet in one variable, so names with `_` are left out, as nginx does it.
    """
    variables: dict[bytes, bytes] = {}
    for field, value in fields:
        if b"_" in field:
            continue
        name = b"CONTENT_TYPE" if field == b"content-type" else b"HTTP_" + field.upper().replace(b"-", b"_")
        known = variables.get(name)
        if known is None:
            variables[name] = value
        else:
            variables[name] = known + (b"; " if name == _COOKIE else b", ") + value
    return variables


def _add_line(variables: dict[bytes, bytes], method: bytes, target: bytes) -> None:
    """The request line: the path decoded once (RFC 3875 §4.1.5), the query as it is. `*` is no path."""
    path, _, query = target.partition(b"?")
    decoded = unquote_to_bytes(path)
    if b"\0" in decoded:
        raise RequestRefused(400, NUL_IN_PATH)
    variables[b"REQUEST_METHOD"] = method
    variables[b"REQUEST_URI"] = target
    variables[b"PATH_INFO"] = b"" if decoded == b"*" else decoded
    variables[b"QUERY_STRING"] = query
    variables[b"SERVER_PROTOCOL"] = _PROTOCOL


def _add_visitor(variables: dict[bytes, bytes]) -> None:
    """Who asks, over which scheme, for which server: what edge has written into the fields."""
    scheme = variables.get(b"HTTP_X_FORWARDED_PROTO", b"http")
    variables[b"REQUEST_SCHEME"] = scheme
    if scheme == b"https":
        variables[b"HTTPS"] = b"on"
    variables[b"REMOTE_ADDR"] = variables.get(b"HTTP_X_REAL_IP", b"")
    variables[b"SERVER_NAME"] = split_authority(variables[b"HTTP_HOST"])[0].encode("ascii")
    variables[b"SERVER_PORT"] = variables.get(b"HTTP_X_FORWARDED_PORT", b"80")


def _format_variables(variables: dict[bytes, bytes]) -> bytes:
    size = _SIZE.pack
    try:
        block = b"".join([size(len(text)) + text for item in variables.items() for text in item])
    except struct.error as exc:
        raise RequestRefused(431, TOO_LARGE) from exc
    if len(block) > MAX_PACKET:
        raise RequestRefused(431, TOO_LARGE)
    return block
