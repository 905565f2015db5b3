"""URLs of a CA: https, or not asked at all."""

from __future__ import annotations

from urllib.parse import urlsplit

from edge.certs.acme.problems import clean


def host_of(url: str) -> str:
    """The host of a URL, for messages."""
    try:
        return urlsplit(url).hostname or "the CA"
    except ValueError:
        return "the CA"


def authority_of(url: str) -> str:
    """Host and, unless it is 443, port: what tells two servers apart."""
    host = host_of(url)
    try:
        port = urlsplit(url).port
    except ValueError:
        port = None
    return host if port in (None, 443) else f"{host}:{port}"


def require_https(url: str) -> None:
    """Raises: ValueError for a URL that is not https, or carries a user name (RFC 8555 §6.1: all interactions are TLS)."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise ValueError(f"{clean(url)} is not an https URL")


def same_server(one: str, other: str) -> bool:
    """Whether two URLs lead to the same host and port."""
    try:
        return urlsplit(one).netloc.lower() == urlsplit(other).netloc.lower()
    except ValueError:
        return False
