"""Raw rules of a site or route become fields of `schema.Rules`. Each `parse_*` raises ValueError with one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from edge.config.caching import resolve_caching
from edge.config.duration import parse_duration
from edge.config.given import Complaints, Given, RawRules
from edge.config.networks import parse_networks
from edge.config.password import parse_hash
from edge.config.schema import Authentication, Rate, User
from edge.config.size import parse_size

PERIODS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}

MIN_BURST: Final = 10
"""A page and its first few assets: fewer at once would refuse people, not robots."""

MAX_BURST: Final = 1_000_000

MAX_FIRST_BYTE: Final = 3600

_RATE = re.compile(r"([0-9]{1,7}) ?/ ?([smh])", re.ASCII).fullmatch
_USER = re.compile(r"[^\x00-\x1f\x7f:]{1,128}").fullmatch
_REALM = re.compile(r"[\x20-\x7e]{1,128}").fullmatch


def resolve_rules(raw: RawRules, complaints: Complaints) -> dict[str, Any]:
    """The fields of `Rules` that were written, in the form of the schema; what was not written is not in it."""
    parsers: dict[str, Callable[[Any], Any]] = {
        "max_body": parse_size,
        "first_byte_timeout": parse_first_byte_timeout,
        "allow": parse_many_networks,
        "deny": parse_many_networks,
        "compress": parse_compress,
    }
    fields = {
        key: value
        for key, parse in parsers.items()
        if key in raw and (value := complaints.attempt(raw[key], parse)) is not None
    }
    others = (_resolve_auth(raw, complaints), _resolve_rate(raw, complaints), resolve_caching(raw, complaints))
    return fields | {key: value for found in others for key, value in found}


def parse_first_byte_timeout(text: str) -> float:
    """Seconds."""
    seconds = parse_duration(text)
    if seconds > MAX_FIRST_BYTE:
        raise ValueError(f"{text!r}: nobody waits longer than 1h for a first byte")
    return float(seconds)


def parse_many_networks(value: str | list[str]) -> tuple[str, ...]:
    """All networks, each once, in the order written."""
    words = [value] if isinstance(value, str) else value
    return tuple(dict.fromkeys(network for word in words for network in parse_networks(word)))


def parse_compress(value: bool | str) -> str:
    """The word of the schema."""
    return {True: "careful", False: "never"}.get(value, "always") if isinstance(value, bool) else "always"


def _resolve_auth(raw: RawRules, complaints: Complaints) -> Iterator[tuple[str, Authentication | None]]:
    if "auth" in raw:  # the word `false`
        yield "auth", None
        return
    users, realm = raw.get("auth.users"), raw.get("auth.realm")
    if realm is not None and users is None:
        complaints.add(realm.place, "nobody may pass: add users = { name = hash }, with hashes from edge hash-password")
    if users is None:
        return
    if not users.value:
        complaints.add(users.place, "nobody may pass; add a user, with a hash from edge hash-password")
    found = tuple(user for item in users.value.items() if (user := _resolve_user(item, users, complaints)))
    name = complaints.attempt_or(realm, parse_realm, "restricted")
    yield "auth", Authentication(found, name)


def _resolve_user(item: tuple[str, str], users: Given[Any], complaints: Complaints) -> User | None:
    name, text = item
    return complaints.attempt(Given(text, f"{users.place}: {name!r}"), lambda value: parse_user(name, value))


def parse_user(name: str, text: str) -> User:
    """RFC 7617 §2: a user-id has no colon and no control character."""
    if not _USER(name):
        raise ValueError("a user name has 1 to 128 characters, no colon and no control character")
    parse_hash(text)
    return User(name, text)


def parse_realm(text: str) -> str:
    """Text for a quoted string."""
    if not _REALM(text):
        raise ValueError(f"{text[:40]!r}: a realm has 1 to 128 characters of ASCII")
    return text


def _resolve_rate(raw: RawRules, complaints: Complaints) -> Iterator[tuple[str, Rate | None]]:
    written, burst = raw.get("rate"), raw.get("rate_burst")
    if written is None:
        if burst is not None:
            complaints.add(burst.place, 'a burst needs a rate beside it, like rate = "10/s"')
        return
    if written.value == "off":
        yield "rate", None
        return
    rate = complaints.attempt(written, parse_rate)
    size = complaints.attempt_or(burst, parse_burst, 0)
    if rate is not None:
        yield "rate", Rate(rate.interval, size or rate.burst)


def parse_rate(text: str) -> Rate:
    """`10/s`, `300/m`, `1000/h`, with the burst that goes with it."""
    match = _RATE(text.strip())
    if not match or not int(match.group(1)):
        raise ValueError(f'{text[:40]!r} is no rate; write requests per second, minute or hour, like "10/s" or "300/m"')
    per_second = int(match.group(1)) / PERIODS[match.group(2)]
    return Rate(interval=1 / per_second, burst=max(MIN_BURST, round(per_second)))


def parse_burst(value: int) -> int:
    """Requests."""
    if not 1 <= value <= MAX_BURST:
        raise ValueError(f"{value}: a burst is a whole number from 1 to {MAX_BURST}")
    return value
