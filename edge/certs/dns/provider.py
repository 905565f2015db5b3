"""The contract of whatever can change a DNS zone.

Several values live side by side at one name: `example.com` and `*.example.com` are proved at the same place, and two orders
may run at once. So a provider adds and removes single values and leaves all others alone.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from edge.certs.acme.problems import clean
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.secret import read_secret
from edge.config.secret import Secret
from edge.errors import CertificateError

LONGEST_OPERATION = 60.0
"""Seconds for one change. Commercial services answer in one to five; some log in first."""

TIME_TO_LIVE = 60
"""Seconds that resolvers may keep a value. It is read once and removed; a minute is the least that most services take."""


class TXTRecord(Struct, frozen=True):
    """A TXT value at a name: lower-case A-labels without a final dot, and at most 255 printable ASCII characters."""

    name: str
    value: str


class DNSProvider(Protocol):
    """Changes a zone. Calls come one at a time; each returns when the service has taken the change over, not when all of its
    servers show it."""

    async def present(self, record: TXTRecord) -> None:
        """Add the value beside the others at its name; no error when it is there already. Raises: IssueFailed."""

    async def clean_up(self, record: TXTRecord) -> None:
        """Remove this one value; no error when it is gone already. Raises: IssueFailed."""


def dns_failure(detail: str, hint: str = "") -> IssueFailed:
    """A change or a look that did not work. The order stays: it is not the CA's fault, and the next attempt goes on with it."""
    return IssueFailed(ErrorClass.DNS, "challenge", clean(detail), hint=hint)


def dns_secret(secret: Secret) -> str:
    """The secret of a provider. Raises: IssueFailed."""
    try:
        return read_secret(secret)
    except CertificateError as exc:
        raise dns_failure(str(exc), "put the secret there; edge reads it anew in the next attempt") from exc
