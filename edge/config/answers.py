"""What a site's answers look like: redirection, HSTS, field rules, error pages. Each `parse_*` raises ValueError."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from edge.config.duration import UNITS, parse_duration
from edge.config.files import absolute
from edge.config.given import Complaints, Given, RawRules
from edge.config.names import parse_name
from edge.config.schema import ErrorPage, FieldRules, Redirection

REDIRECT_STATUSES: Final = (301, 308)

MAX_PAGE: Final = 64 * 1024
"""Bytes of an error page, which every worker keeps in memory."""

PRELOAD_SECONDS: Final = UNITS["y"]
"""What browsers' preload lists ask for (hstspreload.org)."""

NOT_YOURS: Final = frozenset({
    "connection", "content-length", "date", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "content-encoding", "content-range", "status",
})  # fmt: skip
"""Fields that say how a message is framed or coded; changing them would break it."""

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}").fullmatch
_VALUE = re.compile(r"[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?").fullmatch
_KEYS: Final = ("redirect", "redirect_status", "hsts", "hsts_subdomains", "hsts_preload", "error_pages")


def resolve_answers(raw: RawRules, complaints: Complaints) -> dict[str, Any]:
    """The fields of `Site` that were written, in the form of the schema."""
    return {
        "redirect": _resolve_redirection(raw, complaints),
        "hsts": _resolve_hsts(raw, complaints),
        "fields": _resolve_fields(raw, complaints),
        "error_pages": _resolve_pages(raw.get("error_pages"), complaints),
    }


# -- redirection ------------------------------------------------------------------------------------------------------


def _resolve_redirection(raw: RawRules, complaints: Complaints) -> Redirection | None:
    target, status = raw.get("redirect"), raw.get("redirect_status")
    number = complaints.attempt_or(status, parse_redirect_status, Redirection("").status)
    if target is None:
        if status is not None:
            complaints.add(status.place, 'nothing is redirected; add redirect = "example.com"')
        return None
    where = complaints.attempt(target, parse_redirect)
    return None if where is None else Redirection(where, number)


def parse_redirect(text: str) -> str:
    """A host name, or `scheme://host[:port]`: path and query are those of the request."""
    if "://" not in text:
        name = parse_name(text)
        if name.startswith("*."):
            raise ValueError(f"{text!r}: visitors can be sent to one host only")
        return name
    try:
        url = urlsplit(text)
        port = "" if url.port is None else f":{url.port}"
    except ValueError:
        raise ValueError(f"{text!r} is no URL") from None
    if url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc:
        raise ValueError(f"{text!r}: write a host name, or https://host")
    if url.path.strip("/") or url.query or url.fragment:
        raise ValueError(f"{text!r}: leave out everything behind the host; path and query of the request are kept")
    host = parse_name(url.hostname)
    return f"{url.scheme}://[{host}]{port}" if ":" in host else f"{url.scheme}://{host}{port}"


def parse_redirect_status(value: int) -> int:
    """RFC 9110 §15.4: permanent ones."""
    if value not in REDIRECT_STATUSES:
        raise ValueError(f"{value}: write 308, which keeps method and body, or 301, for very old clients")
    return value


# -- HSTS -------------------------------------------------------------------------------------------------------------


def _resolve_hsts(raw: RawRules, complaints: Complaints) -> str:
    """The value of Strict-Transport-Security (RFC 6797 §6.1), or ""."""
    age, subdomains, preload = raw.get("hsts"), raw.get("hsts_subdomains"), raw.get("hsts_preload")
    if age is None:
        for given in (subdomains, preload):
            if given is not None:
                complaints.add(
                    given.place, 'without hsts this means nothing; add hsts = "5m" and lengthen it when all works'
                )
        return ""
    seconds = complaints.attempt_or(age, parse_duration, 0)
    all_names = subdomains is not None and subdomains.value
    if preload is not None and preload.value and not (all_names and seconds >= PRELOAD_SECONDS):
        complaints.add(preload.place, 'browsers take a name only with hsts = "1y" and hsts_subdomains = true')
    words = [f"max-age={seconds}", *["includeSubDomains"] * bool(all_names)]
    return "; ".join([*words, *["preload"] * bool(preload is not None and preload.value)])


# -- response fields --------------------------------------------------------------------------------------------------


def _resolve_fields(raw: RawRules, complaints: Complaints) -> FieldRules:
    return FieldRules(
        remove=tuple(_each(raw.get("headers.remove"), _parse_names, complaints)),
        set=tuple(_each(raw.get("headers.set"), _parse_lines, complaints)),
        add=tuple(_each(raw.get("headers.add"), _parse_lines, complaints)),
    )


def _each(given: Given[Any] | None, parse: Any, complaints: Complaints) -> Any:
    return complaints.attempt_or(given, parse, ())


def _parse_names(value: str | list[str]) -> list[str]:
    return [parse_field_name(each) for each in ([value] if isinstance(value, str) else value)]


def _parse_lines(table: dict[str, str | list[str]]) -> list[tuple[str, str]]:
    return [
        (parse_field_name(name), parse_field_value(each))
        for name, value in table.items()
        for each in ([value] if isinstance(value, str) else value)
    ]


def parse_field_name(text: str) -> str:
    """A field name in lower case."""
    name = text.lower()
    if not _NAME(text):
        raise ValueError(f"{text[:40]!r} is no field name")
    if name in NOT_YOURS:
        raise ValueError(f"{text!r} belongs to edge: it says how a message is framed or coded")
    if name == "strict-transport-security":
        raise ValueError(f'{text!r} has keys of its own: hsts = "5m", hsts_subdomains, hsts_preload')
    return name


def parse_field_value(text: str) -> str:
    """A field value: ASCII without control characters (RFC 9110 §5.5)."""
    if not _VALUE(text):
        raise ValueError(f"{text[:40]!r} is no field value; write ASCII text in one line, without space around it")
    return text


# -- error pages ------------------------------------------------------------------------------------------------------


def _resolve_pages(given: Given[dict[str, str]] | None, complaints: Complaints) -> tuple[ErrorPage, ...]:
    if given is None:
        return ()
    pages = (
        complaints.attempt(Given(item, given.place, given.base), lambda each: parse_page(each, given.base))
        for item in given.value.items()
    )
    return tuple(page for page in pages if page is not None)


def parse_page(item: tuple[str, str], base: str) -> ErrorPage:
    """A status and the absolute path of a readable file of bounded size."""
    status, name = item
    if not re.fullmatch(r"[45][0-9]{2}", status, re.ASCII):
        raise ValueError(f"{status!r} is no error status; write one from 400 to 599")
    path = absolute(name, base)
    try:
        with Path(path).open("rb") as file:
            size = len(file.read(MAX_PAGE + 1))
    except OSError as error:
        raise ValueError(f"{path!r} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if size > MAX_PAGE:
        raise ValueError(
            f"{path!r} is larger than {MAX_PAGE // 1024} KiB; an error page is small and complete in itself"
        )
    return ErrorPage(int(status), path)
