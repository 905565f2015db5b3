"""`[on_demand]` and `on_demand = true` become values of the schema. Each `parse_*` raises ValueError with one sentence."""

from __future__ import annotations

import importlib.util
import re
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from edge.config.address import UpstreamAddress, parse_upstream
from edge.config.duration import parse_duration
from edge.config.files import readable_directory
from edge.config.given import Complaints, Given, RawSettings, RawSite, RawTable
from edge.config.on_demand_schema import AskCallable, AskURL, OnDemand
from edge.config.schema import Site

PACKAGE: Final = "publicsuffixlist"
"""Knows which names are registrable; without it one customer of a country could use up the budget of all others there."""

RANGES: Final = {
    "asks_per_minute": (1, 6000),
    "orders_per_hour": (1, 1000),
    "orders_per_domain": (1, 1000),
    "depth": (0, 10),
}
"""Lowest and highest value of each number."""

DURATIONS: Final = ("remember_yes", "remember_no")

_CALLABLE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII).fullmatch
_TARGET = re.compile(r"/[\x21-\x7e]*").fullmatch


def resolve_on_demand(raw: RawSettings, sites: tuple[Site, ...], complaints: Complaints) -> OnDemand | None:
    """None when nothing is served on demand, or what was written cannot be used."""
    table, written = raw.on_demand, [site for site in raw.sites if site.on_demand and site.on_demand.value]
    _complain_about_pairs(table, written, complaints)
    site = next((site for site in sites if site.on_demand), None)
    if table is None or site is None:
        return None
    if importlib.util.find_spec(PACKAGE) is None:
        complaints.add(table.place, f"this needs the package {PACKAGE}: pip install 'edge[on-demand]'")
    ask = _resolve_ask(table, site, complaints)
    numbers = {key: complaints.attempt(given, partial(_parse_number, key)) for key, given in _some(table, RANGES)}
    durations = {key: complaints.attempt(given, parse_duration) for key, given in _some(table, DURATIONS)}
    chosen = {key: value for key, value in (numbers | durations).items() if value is not None}
    return None if ask is None else OnDemand(ask=ask, **chosen)


def _some(table: RawTable, keys: Any) -> list[tuple[str, Given[Any]]]:
    return [(key, table.values[key]) for key in keys if key in table.values]


def _complain_about_pairs(table: RawTable | None, written: list[RawSite], complaints: Complaints) -> None:
    """Table and site go together, and a name that nobody lists can belong to one site only."""
    if table is not None and not written:
        complaints.add(table.place, "no site serves names on demand; add on_demand = true to one")
    for number, site in enumerate(written):
        assert site.on_demand is not None
        if table is None:
            complaints.add(
                site.on_demand.place, "nobody says which names are welcome; add a table [on_demand] with ask"
            )
        elif number:
            complaints.add(site.on_demand.place, "another site serves names on demand already; only one can")


def _resolve_ask(table: RawTable, site: Site, complaints: Complaints) -> AskURL | AskCallable | None:
    written = table.values.get("ask")
    if written is None:
        complaints.add(table.place, 'nobody is asked which names are welcome; add ask = "http://127.0.0.1:8000/ask"')
        return None
    directory = complaints.attempt_path(table.values.get("python_path"), readable_directory) or ""
    return complaints.attempt(written, lambda text: parse_ask(text, site, directory))


def parse_ask(text: str, site: Site, directory: str) -> AskURL | AskCallable:
    """A URL, a path of the site's own application, or `module:function`."""
    if match := _CALLABLE(text):
        return AskCallable(match[1], match[2], directory)
    if text.startswith("/"):
        if not site.upstreams:
            raise ValueError(f"{text!r}: the site has no upstream that could be asked; write a URL")
        return AskURL(site.upstreams[0], site.names[0], _parse_target(text))
    return _parse_url(text)


def _parse_url(text: str) -> AskURL:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError(f"{text!r} is no URL") from None
    if url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc or url.fragment:
        raise ValueError(f"{text!r}: write a URL, a path of the application like /ask, or module:function")
    tls = url.scheme == "https"
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    usual = 443 if tls else 80
    place: UpstreamAddress = parse_upstream(f"{url.scheme}://{host}:{port or usual}")
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return AskURL(place, host if port in (None, usual) else f"{host}:{port}", _parse_target(target))


def _parse_target(text: str) -> str:
    if not _TARGET(text):
        raise ValueError(f"{text!r}: a path has printable ASCII characters without spaces")
    return f"{text}{'&' if '?' in text else '?'}domain="


def _parse_number(key: str, value: int) -> int:
    lowest, highest = RANGES[key]
    if not lowest <= value <= highest:
        raise ValueError(f"{value}: {key} is a whole number from {lowest} to {highest}")
    return value
