"""Where an origin listens. Parsed once; a value of this type is valid."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from msgspec import Struct, structs

HTTP: Final = "http"
UWSGI: Final = "uwsgi"
H2C: Final = "h2c"
"""Protocols that origins speak: HTTP/1.1, uWSGI's own, and HTTP/2 without TLS."""


class UpstreamAddress(Struct, frozen=True, omit_defaults=True):
    """A TCP origin (`host`, `port`) or a unix socket (`path`); the other part is empty.

    `protocol` is "http", "uwsgi" or "h2c"; "http" with `tls` is HTTPS. `weight` is the origin's share of the requests
    relative to the other origins of its site.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    tls: bool = False
    weight: int = 1
    protocol: str = HTTP

    def __str__(self) -> str:
        """Without the weight: what a log should show."""
        if self.path:
            return f"{_PREFIXES[self.protocol]}unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https://" if self.tls else _SCHEMES[self.protocol]
        return f"{scheme}{host}:{self.port}"


_SCHEMES: Final = {HTTP: "", UWSGI: "uwsgi://", H2C: "h2c://"}
_PREFIXES: Final = {HTTP: "", UWSGI: "uwsgi+", H2C: "h2c+"}
_SOCKET_SCHEMES: Final = {"unix:": HTTP, "uwsgi+unix:": UWSGI, "h2c+unix:": H2C}
_PROTOCOLS: Final = {"": HTTP, "http": HTTP, "https": HTTP, "uwsgi": UWSGI, "h2c": H2C}
_FORMS: Final = "127.0.0.1:8000, or unix:/run/app.sock"
_UWSGI_FORMS: Final = "uwsgi://127.0.0.1:3031, or uwsgi+unix:/run/app.sock"
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?").fullmatch
_PORT = re.compile(r"[0-9]{1,5}").fullmatch
_ENDS_WITH_PORT = re.compile(r".*:[^\]]*", re.DOTALL).fullmatch
_WEIGHT = re.compile(r"weight=([1-9][0-9]{0,2})").fullmatch


def parse_upstream(text: str) -> UpstreamAddress:
    """`127.0.0.1:8000`, `[::1]:8000`, `:8000`, `8000`, `http://host:port`, `https://host[:port]`, `uwsgi://host:port`,
    `h2c://host:port`, `unix:/run/app.sock`, `uwsgi+unix:/run/app.sock`, or `h2c+unix:/run/app.sock`; perhaps ` weight=2` behind.

    Raises: ValueError with one sentence that says what is wrong and shows the right form.
    """
    place, space, word = text.rpartition(" ")
    if not space:
        return _parse_place(text)
    weight = _WEIGHT(word)
    if not weight:
        raise ValueError(
            f"{text!r}: behind an address only its weight can stand, like 127.0.0.1:8001 weight=2 (1 to 999)"
        )
    return structs.replace(_parse_place(place.rstrip()), weight=int(weight.group(1)))


def _parse_place(text: str) -> UpstreamAddress:
    for prefix, protocol in _SOCKET_SCHEMES.items():
        if text.startswith(prefix):
            return UpstreamAddress(path=_parse_socket_path(text, prefix), protocol=protocol)
    scheme, separator, rest = text.rpartition("://")
    if separator and (not scheme or scheme not in _PROTOCOLS):
        raise ValueError(
            f"{text!r}: this version speaks http://, https://, uwsgi:// and h2c:// to upstreams, not {scheme}://; "
            "a socket file is unix:/run/app.sock, uwsgi+unix:/run/app.sock or h2c+unix:/run/app.sock"
        )
    tls = scheme == "https"
    rest = rest.removesuffix("/")
    if tls and rest and not _ENDS_WITH_PORT(rest):
        rest += ":443"
    host, port = _split_host_port(rest)
    if not _PORT(port) or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r}: write host:port, like {_UWSGI_FORMS if text.startswith(UWSGI) else _FORMS}")
    if not (_HOST(host) or _is_ipv6(host)):
        raise ValueError(f"{text!r}: {host!r} is no host name or address")
    return UpstreamAddress(host=host, port=int(port), tls=tls, protocol=_PROTOCOLS[scheme])


def _parse_socket_path(text: str, scheme: str) -> str:
    path = text.removeprefix(scheme)
    if not path.startswith("/"):
        raise ValueError(f"{text!r}: a unix socket needs an absolute path, like {scheme}/run/app.sock")
    if not path.isprintable():
        raise ValueError(f"{text!r}: a socket path has no control characters")
    if len(path.encode()) > 107:
        raise ValueError(f"{text!r}: the kernel takes socket paths of at most 107 bytes")
    return path


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _split_host_port(text: str) -> tuple[str, str]:
    if text.isdigit():
        return "127.0.0.1", text
    if text.startswith("["):
        host, _, port = text[1:].partition("]:")
        return host, port
    host, _, port = text.partition(":")
    return host or "127.0.0.1", port
