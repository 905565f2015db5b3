"""Raw sites become `Site` values: names in their one spelling, each served once; mounts, upstreams and keys that make sense."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from msgspec import structs

from edge.config.address import UpstreamAddress, parse_upstream
from edge.config.answers import resolve_answers
from edge.config.balancing import resolve_balancing
from edge.config.files import certificate_file, key_file, readable_directory
from edge.config.given import Complaints, Given, RawRoute, RawSite
from edge.config.names import parse_name
from edge.config.rules import resolve_rules
from edge.config.schema import KeyPair, Route, Site, StaticMount

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
    upstreams = _resolve_upstreams(raw.upstreams, complaints)
    rules = resolve_rules(raw.rules, complaints)
    site = Site(
        names=tuple(dict.fromkeys(names)) or (DEFAULT_NAME,),
        upstreams=upstreams,
        balancing=resolve_balancing(raw, complaints),
        upstream_ca=complaints.attempt_path(raw.upstream_ca, certificate_file) or "",
        static=_resolve_mounts(raw.static, raw.media, complaints),
        key_pair=_resolve_key_pair(raw, complaints),
        on_demand=raw.on_demand is not None and raw.on_demand.value,
        internal=_resolve_mounts((), raw.internal, complaints),
        routes=_resolve_routes(raw.routes, {**rules, "upstreams": upstreams}, complaints),
        **resolve_answers(raw.rules, complaints),
        **rules,
    )
    _complain_about_idle_parts(raw, site, complaints)
    return site


def _complain_about_idle_parts(raw: RawSite, site: Site, complaints: Complaints) -> None:
    """What would never be asked for."""
    if site.redirect is not None:
        sentence = "this site redirects every request; give its names a site of their own for this"
        mounts = (*raw.static, *raw.media, *raw.internal)
        for place in [
            *(given.place for given in raw.upstreams),
            *(given.place for given in mounts),
            *(route.place for route in raw.routes),
        ]:
            complaints.add(place, sentence)
    elif site.internal and not any((site.upstreams, *(route.upstreams for route in site.routes))):
        complaints.add(
            raw.internal[0].place, "only an application can send internal files, and this site has no upstream"
        )


def _resolve_routes(raw: tuple[RawRoute, ...], outer: dict[str, Any], complaints: Complaints) -> tuple[Route, ...]:
    """The routes of a site, shortest prefix first, each with everything that it takes from the ones around it."""
    written: dict[str, dict[str, Any]] = {}
    for each in raw:
        if each.path is None:
            complaints.add(each.place, 'no path says which part this is; add path = "/api"')
            continue
        prefix = complaints.attempt(each.path, parse_prefix)
        if prefix is None:
            continue
        if prefix in written:
            complaints.add(each.path.place, f"there is a route for {prefix or '/'!r} already")
        upstreams = _resolve_upstreams(each.upstreams, complaints)
        written[prefix] = resolve_rules(each.rules, complaints) | ({"upstreams": upstreams} if upstreams else {})
    routes: dict[str, dict[str, Any]] = {}
    for prefix in sorted(written, key=len):
        around = [outer, *(fields for other, fields in routes.items() if prefix.startswith(f"{other}/"))]
        routes[prefix] = around[-1] | written[prefix]
    return tuple(Route(prefix, **fields) for prefix, fields in routes.items())


def _resolve_upstreams(raw: Iterable[Given[str]], complaints: Complaints) -> tuple[UpstreamAddress, ...]:
    parsed = (complaints.attempt(given, parse_upstream) for given in raw)
    return tuple(dict.fromkeys(address for address in parsed if address is not None))


RawMounts: TypeAlias = tuple[Given[tuple[str, str]], ...]


def _resolve_mounts(static: RawMounts, uploads: RawMounts, complaints: Complaints) -> tuple[StaticMount, ...]:
    mounts: dict[str, StaticMount] = {}
    for given in (*static, *uploads):
        mount = complaints.attempt_path(given, parse_upload_mount if given in uploads else parse_mount)
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
    return StaticMount(prefix=parse_prefix(prefix), directory=readable_directory(directory, base))


def parse_upload_mount(mount: tuple[str, str], base: str) -> StaticMount:
    """A mount of files that users have uploaded. Raises: ValueError with one sentence."""
    return structs.replace(parse_mount(mount, base), uploads=True)


def parse_prefix(prefix: str) -> str:
    """A plain URL prefix without the slash at its end; "" for the root. Raises: ValueError with one sentence."""
    if not prefix.startswith("/"):
        raise ValueError(f"{prefix!r}: a URL prefix begins with a slash, like /static")
    if not _PREFIX(prefix) or {".", ".."} & set(prefix.split("/")):
        raise ValueError(f"{prefix!r} is no plain URL prefix; write one like /static or /files/media")
    return prefix.rstrip("/")


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
