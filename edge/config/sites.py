"""Raw sites become `Site` values: names in their one spelling, each served once; mounts, upstreams and keys that make sense."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from edge.config.address import UpstreamAddress, parse_upstream
from edge.config.balancing import resolve_balancing
from edge.config.files import certificate_file, key_file, readable_directory
from edge.config.given import Complaints, Given, RawSite
from edge.config.names import parse_name
from edge.config.schema import KeyPair, Site, StaticMount
from edge.config.size import parse_size

DEFAULT_NAME: Final = "localhost"
"""Served when nobody names anything: works at once, on this machine only, with a certificate from the local CA."""

_PREFIX = re.compile(r"/|(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/?").fullmatch
"""Segments of RFC 3986 §3.3 without percent signs: one spelling per prefix."""


def resolve_sites(raw: tuple[RawSite, ...], complaints: Complaints) -> tuple[Site, ...]:
    """All sites, in order; without any the one for `localhost`."""
    if not raw:
        return (Site(names=(DEFAULT_NAME,)),)
    sites = tuple(_resolve_site(each, is_only=len(raw) == 1, complaints=complaints) for each in raw)
    _complain_about_shared_names(raw, complaints)
    return sites


def _resolve_site(raw: RawSite, *, is_only: bool, complaints: Complaints) -> Site:
    names = tuple(name for given in raw.names if (name := complaints.attempt(given, parse_name)) is not None)
    if not raw.names and not is_only:
        complaints.add(raw.place, 'no name says when this site is meant; add names = ["example.com"]')
    return Site(
        names=tuple(dict.fromkeys(names)) or (DEFAULT_NAME,),
        upstreams=_resolve_upstreams(raw.upstreams, complaints),
        balancing=resolve_balancing(raw, complaints),
        upstream_ca=complaints.attempt_path(raw.upstream_ca, certificate_file) or "",
        static=_resolve_mounts(raw.static, complaints),
        key_pair=_resolve_key_pair(raw, complaints),
        max_body=complaints.attempt_or(raw.max_body, parse_size, Site(names=()).max_body),
    )


def _resolve_upstreams(raw: Iterable[Given[str]], complaints: Complaints) -> tuple[UpstreamAddress, ...]:
    parsed = (complaints.attempt(given, parse_upstream) for given in raw)
    return tuple(dict.fromkeys(address for address in parsed if address is not None))


def _resolve_mounts(raw: Iterable[Given[tuple[str, str]]], complaints: Complaints) -> tuple[StaticMount, ...]:
    mounts: dict[str, StaticMount] = {}
    for given in raw:
        mount = complaints.attempt_path(given, parse_mount)
        if mount is None:
            continue
        if mount.prefix in mounts:
            complaints.add(
                given.place, f"the prefix {mount.prefix or '/'!r} is mounted twice; a prefix has one directory"
            )
        mounts[mount.prefix] = mount
    return tuple(mounts.values())


def parse_mount(mount: tuple[str, str], base: str) -> StaticMount:
    """`/static` and a directory. Raises: ValueError with one sentence."""
    prefix, directory = mount
    if not prefix or not directory:
        raise ValueError(f"{prefix + '=' + directory!r}: write a URL prefix and a directory, like /static=/srv/static")
    if not prefix.startswith("/"):
        raise ValueError(f"{prefix!r}: a URL prefix begins with a slash, like /static")
    if not _PREFIX(prefix) or {".", ".."} & set(prefix.split("/")):
        raise ValueError(f"{prefix!r} is no plain URL prefix; write one like /static or /files/media")
    return StaticMount(prefix=prefix.rstrip("/"), directory=readable_directory(directory, base))


def _resolve_key_pair(raw: RawSite, complaints: Complaints) -> KeyPair | None:
    if raw.cert is None and raw.key is None:
        return None
    if raw.cert is None or raw.key is None:
        present, missing = (raw.cert, "key") if raw.cert else (raw.key, "cert")
        assert present is not None
        name = f"--{missing}" if present.place.startswith("--") else missing
        complaints.add(present.place, f"a certificate and its private key go together; {name} is missing")
        return None
    certificate = complaints.attempt_path(raw.cert, certificate_file)
    private = complaints.attempt_path(raw.key, key_file)
    return KeyPair(certificate, private) if certificate and private else None


def _complain_about_shared_names(raw: tuple[RawSite, ...], complaints: Complaints) -> None:
    """A name belongs to one site, else nobody could say which one answers."""
    owner: dict[str, int] = {}
    for number, site in enumerate(raw, start=1):
        for given in site.names:
            name = _quietly(given.value)
            if name is not None and owner.setdefault(name, number) != number:
                complaints.add(given.place, f"{name!r} already belongs to site {owner[name]}; a name has one site")


def _quietly(text: str) -> str | None:
    try:
        return parse_name(text)
    except ValueError:
        return None
