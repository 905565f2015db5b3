"""Raw settings outside sites become the tables of `schema`. Each `parse_*` raises ValueError with one sentence."""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args, get_type_hints

from edge.config.ca_settings import parse_directory, resolve_external_account, resolve_fallback
from edge.config.dns_settings import resolve_dns
from edge.config.files import certificate_file, log_file
from edge.config.given import Complaints, Number, RawSettings
from edge.config.networks import parse_trusted
from edge.config.schema import Acme, Config, Listen, Log

MAX_WORKERS: Final = 512
"""More than any machine has use for; a typed port number is refused."""

MAX_DRAIN: Final = 3600.0
"""Seconds. An hour of old workers beside new ones is more than any deployment waits."""

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?").fullmatch


def choices_of(table: type, field: str) -> tuple[str, ...]:
    """The words that a `Literal` field of `schema` takes."""
    return get_args(get_type_hints(table)[field])


LOG_FORMATS: Final = choices_of(Log, "format")
ENGINES: Final = choices_of(Config, "http2_engine")
LOOPS: Final = choices_of(Config, "loop")
CONFINEMENTS: Final = choices_of(Config, "confinement")


def resolve_listen(raw: RawSettings, storage: str, complaints: Complaints) -> Listen:
    """Addresses and ports; the two ports differ."""
    default = Listen()
    bind = tuple(address for given in raw.bind if (address := complaints.attempt(given, parse_bind)) is not None)
    http = complaints.attempt_or(raw.http_port, lambda value: parse_port(value, lowest=0), default.http_port)
    https = complaints.attempt_or(raw.https_port, parse_https_port, default.https_port)
    if http == https:
        given = raw.https_port or raw.http_port
        assert given is not None
        complaints.add(given.place, f"plain HTTP and HTTPS cannot share port {https}; choose another for one of them")
    return Listen(
        bind=tuple(dict.fromkeys(bind)),
        http_port=http,
        https_port=https,
        max_connections=complaints.attempt_or(raw.max_connections, parse_connections, default.max_connections),
        max_connections_per_client=complaints.attempt_or(
            raw.max_connections_per_client, parse_connections, default.max_connections_per_client
        ),
        **_resolve_trust(raw, storage, complaints),
    )


def _resolve_trust(raw: RawSettings, storage: str, complaints: Complaints) -> dict[str, Any]:
    """Whose word about the client counts."""
    networks: dict[str, None] = {}
    cloudflare: tuple[str, ...] = ()
    for given in raw.trusted_proxies:
        found = complaints.attempt(given, lambda text: parse_trusted(text, storage)) or ()
        networks |= dict.fromkeys(found)
        if given.value == "cloudflare":
            cloudflare = found
    announced = raw.proxy_protocol is not None and raw.proxy_protocol.value
    if announced and raw.proxy_protocol is not None and not raw.trusted_proxies:
        complaints.add(raw.proxy_protocol.place, "nobody is trusted to send that header; add trusted_proxies")
    return {"trusted_proxies": tuple(networks), "cloudflare": cloudflare, "proxy_protocol": announced}


def parse_bind(text: str) -> str:
    """A numeric address in its canonical form."""
    try:
        return str(ipaddress.ip_address(text[1:-1] if text.startswith("[") and text.endswith("]") else text))
    except ValueError:
        raise ValueError(
            f"{text!r} is no numeric address; write one like 127.0.0.1 or ::, ports have flags of their own"
        ) from None


def parse_connections(value: Number) -> int:
    """How many connections are let in; more than a million is more than the kernel gives descriptors for."""
    return parse_whole(value, 1, 1_000_000, "a number of connections")


def parse_whole(value: Number, lowest: int, highest: int, what: str) -> int:
    """A whole number between two bounds."""
    text = str(value)
    if not re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII) or not lowest <= int(text) <= highest:
        raise ValueError(f"{text[:40]!r}: {what} is a whole number from {lowest} to {highest}")
    return int(text)


def parse_port(value: Number, *, lowest: int = 1) -> int:
    """A TCP port."""
    return parse_whole(value, lowest, 65535, "a port")


def parse_https_port(value: Number) -> int:
    """A TCP port; unlike that of plain HTTP it cannot be turned off."""
    if str(value) == "0":
        raise ValueError("'0': only --http-port can be turned off; serving HTTPS is what edge is for")
    return parse_port(value)


def resolve_acme(raw: RawSettings, environ: Mapping[str, str], complaints: Complaints) -> Acme:
    """The directory and how it is reached; remembers whether the operator named it."""
    default = Acme()
    return Acme(
        directory=complaints.attempt_or(raw.acme_directory, parse_directory, default.directory),
        explicit=raw.acme_directory is not None,
        email=complaints.attempt_or(raw.email, parse_email, default.email),
        ca_file=complaints.attempt_path(raw.acme_ca_file, certificate_file) or default.ca_file,
        external_account=resolve_external_account(raw.eab, environ, complaints),
        staging=complaints.attempt_or(raw.acme_staging, parse_directory, default.staging),
        fallback=resolve_fallback(raw, environ, complaints),
        dns=resolve_dns(raw.acme_dns, environ, complaints),
    )


def parse_email(text: str) -> str:
    """An address as ACME accounts take it, or "" for none."""
    if text and not _EMAIL(text):
        raise ValueError(f"{text!r} is no e-mail address; write one like admin@example.com, without mailto:")
    return text


def resolve_log(raw: RawSettings, complaints: Complaints) -> Log:
    """Where the access log goes, and the shape of all lines."""
    default = Log()
    return Log(
        access=complaints.attempt_path(raw.access_log, log_file) or default.access,
        format=complaints.attempt_or(raw.log_format, one_of(LOG_FORMATS), default.format),
    )


def one_of(words: tuple[str, ...]) -> Callable[[str], Any]:
    """A parser that takes one of `words`. (Any: the caller's field has the Literal type of exactly these words.)"""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r}: write {', '.join(words[:-1])} or {words[-1]}")
        return text

    return parse


def parse_workers(value: Number) -> int:
    """How many serving processes."""
    return parse_whole(value, 1, MAX_WORKERS, "the number of workers")


def default_workers() -> int:
    """One per CPU that this process may run on (less than the machine has, in a container with a CPU set)."""
    return len(os.sched_getaffinity(0))


def parse_drain(value: float) -> float:
    """Seconds, zero included."""
    if not 0 <= value <= MAX_DRAIN:
        raise ValueError(f"{value!r}: seconds from 0 to {MAX_DRAIN:.0f}")
    return float(value)


def parse_user(text: str) -> str:
    """A user that exists and that this process can become."""
    try:
        entry = pwd.getpwnam(text)
    except (KeyError, ValueError):
        raise ValueError(f"there is no user {text!r} on this system") from None
    if os.geteuid() not in (0, entry.pw_uid):
        raise ValueError(f"only root can become {text!r}; start edge as root, or leave this out")
    return text
