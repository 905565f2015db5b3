"""How certificates are to be: what `[acme]` says for all sites, what a `[[site]]` says for its own."""

from __future__ import annotations

from typing import Any, Final

from msgspec import structs

from edge.config.acme_schema import CertificateOptions
from edge.config.given import Complaints, Given, RawSettings
from edge.config.schema import Site

KEYS: Final = ("challenge",)
"""Keys that may stand in `[acme]` and in `[[site]]`; they are called like the fields of `CertificateOptions`."""


def with_options(sites: tuple[Site, ...], raw: RawSettings, complaints: Complaints) -> tuple[Site, ...]:
    """The sites, each with its options."""
    general = _applied(CertificateOptions(), raw.certificate)
    written = [site.certificate for site in raw.sites] or [{}]
    for options in (raw.certificate, *written):
        _complain_about_dns(options, raw, complaints)
    return tuple(
        structs.replace(site, certificate=_applied(general, options))
        for site, options in zip(sites, written, strict=True)
    )


def _applied(options: CertificateOptions, written: dict[str, Given[Any]]) -> CertificateOptions:
    """Types and words have been checked with the table."""
    return structs.replace(options, **{key: given.value for key, given in written.items()})


def _complain_about_dns(written: dict[str, Given[Any]], raw: RawSettings, complaints: Complaints) -> None:
    challenge = written.get("challenge")
    if challenge is not None and challenge.value == "dns-01" and raw.acme_dns is None:
        complaints.add(challenge.place, "dns-01 needs a way to change DNS; add a table [acme.dns]")
