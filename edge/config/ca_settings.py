"""CAs as the operator names them: directory, trust root, external account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from edge.config.acme_schema import CA, ExternalAccount
from edge.config.files import certificate_file
from edge.config.given import Complaints, Given, RawSettings, RawTable
from edge.config.secret import secret_in_file, secret_in_variable

DIRECTORIES: Final = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
"""Words for ACME directories that people should not have to look up."""

STAGING: Final = {DIRECTORIES["letsencrypt"]: DIRECTORIES["letsencrypt-staging"]}
"""Test systems of CAs by directory, where that is known."""

_KID = re.compile(r"[\x21-\x7e]{1,256}").fullmatch


def parse_directory(text: str) -> str:
    """An https URL, or one of the words in `DIRECTORIES`."""
    if text in DIRECTORIES:
        return DIRECTORIES[text]
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        raise ValueError(f"{text!r} is no URL") from None
    if url.scheme != "https":
        known = " or ".join(DIRECTORIES)
        raise ValueError(f"{text!r}: write an https:// URL (RFC 8555 §6.1), or {known}")
    if not url.hostname or "@" in url.netloc or url.fragment or not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError(f"{text!r} is no directory URL; it looks like https://ca.example/directory")
    return text


def resolve_fallback(raw: RawSettings, environ: Mapping[str, str], complaints: Complaints) -> tuple[CA, ...]:
    """The CAs to fall back on, in their order; none is named twice."""
    seen = {_quietly(raw.acme_directory) if raw.acme_directory else DIRECTORIES["letsencrypt"]}
    found = []
    for table in raw.acme_fallback:
        ca = _resolve_ca(table, environ, complaints)
        if ca is None:
            continue
        if ca.directory in seen:
            complaints.add(table.place, f"{ca.directory} is asked already; a CA is no fallback for itself")
        seen.add(ca.directory)
        found.append(ca)
    return tuple(found)


def _quietly(given: Given[str]) -> str:
    try:
        return parse_directory(given.value)
    except ValueError:
        return ""


def _resolve_ca(table: RawTable, environ: Mapping[str, str], complaints: Complaints) -> CA | None:
    if "directory" not in table.values:
        complaints.add(table.place, 'no CA is named; add directory = "https://ca.example/directory"')
        return None
    directory = complaints.attempt(table.values["directory"], parse_directory)
    ca_file = complaints.attempt_path(table.values.get("ca_file"), certificate_file) or ""
    account = resolve_external_account(table.values, environ, complaints)
    return CA(directory, ca_file, account) if directory else None


def resolve_external_account(
    written: Mapping[str, Given[Any]], environ: Mapping[str, str], complaints: Complaints
) -> ExternalAccount | None:
    """None without the keys, or when they cannot be used."""
    kid, file, variable = (written.get(f"eab_{word}") for word in ("kid", "hmac_file", "hmac_env"))
    first = kid or file or variable
    if first is None:
        return None
    if kid is None or (file is None) == (variable is None):
        complaints.add(first.place, "an external account needs eab_kid, and eab_hmac_file or eab_hmac_env, one of them")
        return None
    name = complaints.attempt(kid, _parse_kid)
    if file is not None:
        secret = complaints.attempt_path(file, secret_in_file)
    else:
        assert variable is not None
        secret = complaints.attempt(variable, lambda value: secret_in_variable(value, environ))
    return ExternalAccount(name, secret) if name and secret else None


def _parse_kid(text: str) -> str:
    if not _KID(text):
        raise ValueError("the key identifier has 1 to 256 printable ASCII characters without spaces")
    return text
