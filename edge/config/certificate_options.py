"""How certificates are to be: what `[acme]` says for all sites, what a `[[site]]` says for its own."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import structs

from edge.config.acme_schema import CertificateOptions
from edge.config.given import Complaints, Given, RawSettings
from edge.config.schema import Site

FIELDS: Final = {
    "challenge": "challenge",
    "key_type": "key_type",
    "profile": "profile",
    "profile_required": "profile_required",
    "certificate": "grouping",
}
"""Keys that may stand in `[acme]` and in `[[site]]`, and the fields of `CertificateOptions` that they set."""

_PROFILE = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch


def with_options(sites: tuple[Site, ...], raw: RawSettings, complaints: Complaints) -> tuple[Site, ...]:
    """The sites, each with its options."""
    general = _applied(CertificateOptions(), raw.certificate)
    written = [site.certificate for site in raw.sites] or [{}]
    for options in (raw.certificate, *written):
        _complain_about_dns(options, raw, complaints)
        _complain_about_profile(options, complaints)
    for site in raw.sites or (None,):
        _complain_about_requirement(raw.certificate | (site.certificate if site else {}), complaints)
    return tuple(
        structs.replace(site, certificate=_applied(general, options))
        for site, options in zip(sites, written, strict=True)
    )


def _applied(options: CertificateOptions, written: dict[str, Given[Any]]) -> CertificateOptions:
    """Types and words have been checked with the table."""
    return structs.replace(options, **{FIELDS[key]: given.value for key, given in written.items()})


def _complain_about_dns(written: dict[str, Given[Any]], raw: RawSettings, complaints: Complaints) -> None:
    challenge = written.get("challenge")
    if challenge is not None and challenge.value == "dns-01" and raw.acme_dns is None:
        complaints.add(challenge.place, "dns-01 needs a way to change DNS; add a table [acme.dns]")


def _complain_about_profile(written: dict[str, Given[Any]], complaints: Complaints) -> None:
    profile = written.get("profile")
    if profile is not None and not _PROFILE(profile.value):
        complaints.add(profile.place, f"{profile.value[:64]!r} is no name of a profile; it looks like tlsserver")


def _complain_about_requirement(written: dict[str, Given[Any]], complaints: Complaints) -> None:
    required = written.get("profile_required")
    if required is not None and required.value and "profile" not in written:
        complaints.add(required.place, 'no profile is named that could be required; add profile = "shortlived"')
