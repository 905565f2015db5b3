"""Where a secret is kept. The configuration names the place, never the secret: it is printed, sent between processes, and shown
in complaints."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from edge.config.files import readable_file

LARGEST = 64 * 1024
"""Bytes. Service account files of cloud providers have about 3 KiB."""


class Secret(Struct, frozen=True):
    """The absolute path of a file, or the name of an environment variable; the other one is empty."""

    file: str = ""
    variable: str = ""

    def __str__(self) -> str:
        return f"the secret in {self.file}" if self.file else f"the secret in the environment variable {self.variable}"


def secret_in_file(path: str, base: str) -> Secret:
    """Raises: ValueError when the file cannot be read, in words that show nothing of it."""
    return Secret(file=readable_file(path, base))


def secret_in_variable(name: str, environ: Mapping[str, str]) -> Secret:
    """Raises: ValueError when there is no such variable, or nothing in it."""
    if not name or "=" in name or "\0" in name:
        raise ValueError(f"{name!r} is no name of an environment variable")
    if not environ.get(name, "").strip():
        raise ValueError(f"the environment variable {name} is not set; set it for the process that runs edge")
    return Secret(variable=name)


def read_secret(secret: Secret) -> str:
    """The value without white space around it, never empty, read at this moment.

    Raises: ValueError with a sentence that shows neither the value nor a part of it."""
    text = _read_file(secret.file) if secret.file else os.environ.get(secret.variable, "")
    if not text.strip():
        raise ValueError(f"{secret} is empty or not set")
    return text.strip()


def _read_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(LARGEST).decode()
    except OSError as exc:
        raise ValueError(f"the secret in {path} cannot be read: {(exc.strerror or 'error').lower()}") from exc
    except UnicodeDecodeError:
        # The cause is left out on purpose: the exception holds the bytes.
        raise ValueError(f"the secret in {path} is not UTF-8 text") from None
