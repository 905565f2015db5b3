"""Secrets are read at the moment of use: from the file or environment variable that the configuration names.

Neither the value nor a part of it ever gets into an error or a log; a `Secret` in the configuration only says where it is.
"""

from __future__ import annotations

from edge.config import secret as places
from edge.config.secret import Secret
from edge.errors import CertificateError


def read_secret(secret: Secret) -> str:
    """The value without white space around it, never empty. Raises: CertificateError."""
    try:
        return places.read_secret(secret)
    except ValueError as exc:
        raise CertificateError(str(exc)) from None  # its cause may hold what was read
