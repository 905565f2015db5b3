"""`[acme.dns]` becomes a `DNS`. Each provider has keys of its own; a key of another one is a complaint, not ignored.

Complaints about secrets name the key, the file or the variable, and never show a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from edge.config.acme_schema import DNS, ExecDNS, LexiconDNS, Rfc2136DNS
from edge.config.endpoint import parse_name_server, parse_update_server
from edge.config.files import find_program
from edge.config.given import Complaints, Given, RawTable
from edge.config.names import MAX_NAME
from edge.config.secret import Secret, secret_in_file, secret_in_variable

R = TypeVar("R")

_DNS_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}").fullmatch

KEYS: Final = {
    "exec": ("command", "timeout"),
    "rfc2136": ("server", "zone", "key_name", "key_secret_file", "key_secret_env", "algorithm"),
    "lexicon": ("service", "options"),
}
"""Keys that belong to one provider; all others are for any."""

NEEDED: Final = {"exec": ("command",), "rfc2136": ("server", "key_name"), "lexicon": ("service",)}

MOST_PROPAGATION: Final = 240.0
"""Seconds. All challenges of an order have 300; slower zones are waited for over several attempts."""

MOST_TIMEOUT: Final = 120.0
"""Seconds for one call of a program, of which an attempt makes two."""


def resolve_dns(raw: RawTable | None, environ: Mapping[str, str], complaints: Complaints) -> DNS | None:
    """None without the table, or when it cannot be used."""
    if raw is None:
        return None
    provider = raw.values.get("provider")
    if provider is None:
        complaints.add(raw.place, 'no provider is named; add provider = "exec", "rfc2136" or "lexicon"')
        return None
    _complain_about_foreign_keys(raw, provider.value, complaints)
    missing = [key for key in NEEDED[provider.value] if key not in raw.values]
    for key in missing:
        complaints.add(raw.place, f"the provider {provider.value} needs {key}")
    made = None if missing else _PROVIDERS[provider.value](_Table(raw, environ, complaints))
    return _around(made, _Table(raw, environ, complaints))


def _complain_about_foreign_keys(raw: RawTable, provider: str, complaints: Complaints) -> None:
    owners = {key: owner for owner, keys in KEYS.items() for key in keys}
    for key, given in raw.values.items():
        if owners.get(key, provider) != provider:
            complaints.add(given.place, f"this is for the provider {owners[key]}, not for {provider}")


class _Table:
    """The keys of `[acme.dns]`, each parsed where it is needed."""

    def __init__(self, raw: RawTable, environ: Mapping[str, str], complaints: Complaints) -> None:
        self.raw = raw
        self.complaints = complaints
        self._environ = environ

    def get(self, key: str, parse: Callable[[Any], R], default: R) -> R:
        return self.complaints.attempt_or(self.raw.values.get(key), parse, default)

    def each(self, key: str, parse: Callable[[str], R]) -> tuple[R, ...]:
        """A value or a list of them."""
        given = self.raw.values.get(key)
        values = [] if given is None else [given.value] if isinstance(given.value, str) else given.value
        parsed = (
            self.complaints.attempt(msgspec.structs.replace(given, value=value), parse) for value in values if given
        )
        return tuple(each for each in parsed if each is not None)

    def secret(self, given: Given[str], *, in_file: bool) -> Secret | None:
        if in_file:
            return self.complaints.attempt_path(given, secret_in_file)
        return self.complaints.attempt(given, lambda name: secret_in_variable(name, self._environ))


def _around(provider: ExecDNS | Rfc2136DNS | LexiconDNS | None, table: _Table) -> DNS | None:
    timeout = table.get("propagation_timeout", _seconds(MOST_PROPAGATION), 120.0)
    servers = table.each("servers", parse_name_server)
    resolvers = table.each("resolvers", parse_name_server)
    return None if provider is None else DNS(provider, timeout, servers, resolvers)


def _seconds(most: float) -> Callable[[float], float]:
    def parse(value: float) -> float:
        if not 0 <= value <= most:
            raise ValueError(f"{value!r}: seconds from 0 to {most:g}")
        return float(value)

    return parse


def _exec(table: _Table) -> ExecDNS | None:
    given = table.raw.values["command"]
    words = [given.value] if isinstance(given.value, str) else given.value
    path = table.complaints.attempt_path(msgspec.structs.replace(given, value=words), find_program)
    timeout = table.get("timeout", _seconds(MOST_TIMEOUT), 60.0)
    return None if path is None else ExecDNS((path, *words[1:]), timeout)


def _rfc2136(table: _Table) -> Rfc2136DNS | None:
    key = _tsig_key(table)
    server = table.get("server", parse_update_server, None)
    key_name = table.get("key_name", _parse_dns_name, "")
    algorithm = table.get("algorithm", str, "hmac-sha256")
    zone = table.get("zone", _parse_dns_name, "")
    return Rfc2136DNS(server, key_name, key, algorithm, zone) if server and key_name and key else None


def _parse_dns_name(text: str) -> str:
    """Zones and keys are no host names: `_acme-challenge.example.com` is a fine zone."""
    name = text.removesuffix(".").lower()
    if len(name) > MAX_NAME or not _DNS_NAME(name):
        raise ValueError(f"{text[:40]!r} is no DNS name; it has letters, digits, hyphens, underscores and dots")
    return name


def _tsig_key(table: _Table) -> Secret | None:
    values = table.raw.values
    file, variable = values.get("key_secret_file"), values.get("key_secret_env")
    if (file is None) == (variable is None):
        table.complaints.add(
            table.raw.place, "say where the TSIG key is: key_secret_file or key_secret_env, one of them"
        )
        return None
    given = file or variable
    assert given is not None
    return table.secret(given, in_file=file is not None)


def _lexicon(table: _Table) -> LexiconDNS:
    given = table.raw.values.get("options")
    options: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    for key, value in (given.value if given else {}).items():
        name, _, kind = key.rpartition("_")
        if not name or kind not in ("file", "env"):
            options[key] = value
            continue
        assert given is not None
        secret = table.secret(msgspec.structs.replace(given, value=value), in_file=kind == "file")
        if secret is not None:
            secrets[name] = secret
    return LexiconDNS(table.get("service", str, ""), options, secrets)


_PROVIDERS: Final[dict[str, Callable[[_Table], ExecDNS | Rfc2136DNS | LexiconDNS | None]]] = {
    "exec": _exec,
    "rfc2136": _rfc2136,
    "lexicon": _lexicon,
}
