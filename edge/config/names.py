"""Names that a site is served under: host names as lower-case A-labels, wildcards, IP addresses in canonical form.

One spelling per name, because names are compared byte for byte everywhere else: with the server name of a ClientHello, with
the authority of a request, with the names in a certificate.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import idna

MAX_NAME: Final = 253
"""Characters in a host name (RFC 1035 §2.3.4: 255 bytes on the wire)."""

LOCAL_SUFFIXES: Final = frozenset({
    # RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476 and ICANN's reservation of .internal (2024)
    "localhost", "test", "example", "invalid", "local", "onion", "home.arpa", "alt", "internal",
    # never delegated because private networks use them (ICANN name collision list; RFC 6762 appendix G)
    "lan", "home", "corp", "mail", "intranet", "private",
})  # fmt: skip
"""Domains below which no public CA certifies a name."""

_PLAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?").fullmatch
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)").fullmatch


def parse_name(text: str) -> str:
    """The one spelling of `example.com`, `*.example.com`, `bücher.example`, `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`.

    Raises: ValueError with one sentence that says what is wrong and shows the right form.
    """
    if len(text) > 2 * MAX_NAME:
        raise ValueError(f"{text[:40]!r}… is longer than a host name can be ({MAX_NAME} characters)")
    if "://" in text:
        raise ValueError(f"{text!r} is a URL; write only the host name, like example.com")
    if "," in text or any(character.isspace() for character in text):
        raise ValueError(f"{text!r}: write one name at a time")
    address = _parse_address(text)
    if address is not None:
        return address
    if ":" in text:
        raise ValueError(f"{text!r}: leave the port out of the name; --https-port and --http-port set the ports")
    return _parse_host(text)


def _parse_address(text: str) -> str | None:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:
            raise ValueError(f"{text!r}: an address with a zone means nothing to visitors on other machines")
        if address.ipv4_mapped:
            raise ValueError(f"{text!r}: write the IPv4 address itself, {address.ipv4_mapped}")
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"{text!r} is no address that visitors can ask for; --bind says where to listen")
    return str(address)


def _parse_host(text: str) -> str:
    wildcard = text.startswith("*.")
    host = _to_ascii(text.removeprefix("*.") if wildcard else text)
    name = f"*.{host}" if wildcard else host
    if len(name) > MAX_NAME:
        raise ValueError(f"{text[:40]!r}… is longer than a host name can be ({MAX_NAME} characters)")
    if _NUMERIC_END(host):
        raise ValueError(f"{text!r} ends like an IP address but is none; write all of it, like 192.0.2.1")
    return name


def _to_ascii(text: str) -> str:
    """Lower-case A-labels without a final dot (RFC 5891, mapped by UTS 46 as browsers do)."""
    if not text:
        raise ValueError("'' is no host name; write one like example.com")
    if "*" in text:
        raise ValueError(f"{text!r}: a wildcard stands for the whole first label, like *.example.com")
    plain = text.lower().removesuffix(".")
    if text.isascii() and _PLAIN(plain) and "xn--" not in plain:
        return plain
    try:
        encoded = idna.encode(text.removesuffix("."), uts46=True, std3_rules=True).decode("ascii").lower()
    except UnicodeError as error:  # IDNAError is one
        raise ValueError(f"{text!r} is no host name: {_in_words(error)}") from error
    if not _PLAIN(encoded):
        raise ValueError(f"{text!r} is no host name: labels hold letters, digits and inner hyphens")
    return encoded


def _in_words(error: UnicodeError) -> str:
    words = str(error).strip() or "it cannot be written in ASCII"
    return words[0].lower() + words[1:]


def is_public(name: str) -> bool:
    """Whether a public CA could certify `name`, a value of `parse_name`: below a delegated top-level domain, or a globally
    routed address."""
    host = name.removeprefix("*.")
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        labels = host.split(".")
    return len(labels) > 1 and LOCAL_SUFFIXES.isdisjoint((labels[-1], ".".join(labels[-2:])))


def is_address(name: str) -> bool:
    """Whether `name`, a value of `parse_name`, is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
