"""Secrets are read at the moment of use: from the file or environment variable that the configuration names.

Neither the value nor a part of it ever gets into an error or a log; a `Secret` in the configuration only says where it is.
"""

from __future__ import annotations

import os
from pathlib import Path

from edge.config.secret import Secret
from edge.errors import CertificateError

LARGEST = 64 * 1024
"""Bytes. Service account files of cloud providers have about 3 KiB."""


def read_secret(secret: Secret) -> str:
    """The value without white space around it, never empty. Raises: CertificateError."""
    text = _from_file(secret.file) if secret.file else os.environ.get(secret.variable, "")
    if not text.strip():
        raise CertificateError(f"{secret} is empty or not set")
    return text.strip()


def _from_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(LARGEST).decode()
    except OSError as exc:
        raise CertificateError(f"the secret in {path} cannot be read: {(exc.strerror or 'error').lower()}") from exc
    except UnicodeDecodeError:
        # The cause is left out on purpose: the exception holds the bytes.
        raise CertificateError(f"the secret in {path} is not UTF-8 text") from None
