"""Paths that the operator named: made absolute, and checked as far as can be seen before any process starts.

Functions here take `base`, the directory that relative paths start from, and raise ValueError with one sentence.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Final, Literal

MAX_PEM: Final = 1024 * 1024
"""Bytes. The whole public trust store has a quarter of it."""

_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----\s*(.*?)\s*-----END \1-----", re.DOTALL)


def absolute(text: str, base: str) -> str:
    """`text` from `base`, `~` expanded, `.` and `..` resolved on paper (links stay, so that a switched link is followed)."""
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is no path")
    return os.path.normpath(os.path.join(base, os.path.expanduser(text)))  # noqa: PTH111, PTH118  # pathlib keeps ".."


def readable_directory(text: str, base: str) -> str:
    """The absolute path of a directory whose files can be listed and opened."""
    path = absolute(text, base)
    kind = _kind(path)
    if kind == "missing":
        raise ValueError(f"{path!r} does not exist; create it first{_collect_hint(path)}")
    if kind == "file":
        raise ValueError(f"{path!r} is a file; name a directory")
    if not os.access(path, os.R_OK | os.X_OK, effective_ids=True):
        raise ValueError(f"{path!r} cannot be read by the user that starts edge; check its mode and owner")
    return path


def _kind(path: str) -> Literal["missing", "directory", "file"]:
    """What is there; everything that is no directory counts as a file. Raises: ValueError when nobody lets us look."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # pathlib's questions raise where stat does, but say less
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        raise ValueError(f"{path!r} cannot be looked at: {(error.strerror or str(error)).lower()}") from error
    return "directory" if stat.S_ISDIR(mode) else "file"


def _collect_hint(path: str) -> str:
    return " (Django: python manage.py collectstatic)" if "static" in Path(path).name else ""


def log_file(text: str, base: str) -> str:
    """`off`, `-`, or the absolute path of a file that can be appended to or created."""
    if text in ("off", "-"):
        return text
    path = absolute(text, base)
    parent = str(Path(path).parent)
    if _kind(path) == "directory":
        raise ValueError(f"{path!r} is a directory; name a file in it, or use off or -")
    if _kind(parent) != "directory":
        raise ValueError(f"the directory {parent!r} does not exist; create it first")
    writable = parent if _kind(path) == "missing" else path
    if not os.access(writable, os.W_OK, effective_ids=True):
        raise ValueError(f"{path!r} cannot be written by the user that starts edge; check modes and owners")
    return path


def readable_file(text: str, base: str) -> str:
    """The absolute path of a file that the user who starts edge can read; what is in it is not looked at."""
    path = absolute(text, base)
    kind = _kind(path)
    if kind != "file":
        raise ValueError(f"{path!r} {'does not exist' if kind == 'missing' else 'is a directory; name a file'}")
    if not os.access(path, os.R_OK, effective_ids=True):
        raise ValueError(f"{path!r} cannot be read by the user that starts edge; check its mode and owner")
    return path


def program(text: str, base: str) -> str:
    """The absolute path of a file that the user who starts edge can run."""
    path = readable_file(text, base)
    if not os.access(path, os.X_OK, effective_ids=True):
        raise ValueError(f"{path!r} cannot be executed; chmod +x it, or name the program that runs it first")
    return path


def storage_directory(text: str, base: str) -> str:
    """An absolute path that is a directory or may become one."""
    path = absolute(text, base)
    if _kind(path) == "file":
        raise ValueError(f"{path!r} is a file; name a directory, which edge creates when it is missing")
    return path


def certificate_file(text: str, base: str) -> str:
    """The absolute path of a PEM file with at least one certificate."""
    path = absolute(text, base)
    labels = pem_labels(_read_pem(path))
    if "CERTIFICATE" not in labels:
        found = "it holds a private key: are certificate and key swapped?" if _has_key(labels) else _NOT_PEM
        raise ValueError(f"{path!r} holds no certificate; {found}")
    return path


def key_file(text: str, base: str) -> str:
    """The absolute path of a PEM file with one private key that needs no pass phrase."""
    path = absolute(text, base)
    content = _read_pem(path)
    labels = pem_labels(content)
    if "ENCRYPTED PRIVATE KEY" in labels or "Proc-Type: 4,ENCRYPTED" in content:
        raise ValueError(
            f"{path!r} is encrypted and edge asks nobody for a pass phrase; decrypt it: openssl pkey -in … -out …"
        )
    if not _has_key(labels):
        found = "it holds a certificate: are certificate and key swapped?" if "CERTIFICATE" in labels else _NOT_PEM
        raise ValueError(f"{path!r} holds no private key; {found}")
    return path


_SLICE: Final = 16 * 1024

_NOT_PEM: Final = "a PEM file has lines like -----BEGIN …-----"


def _has_key(labels: list[str]) -> bool:
    return any(label.endswith("PRIVATE KEY") for label in labels)


def pem_labels(text: str) -> list[str]:
    """The labels of the well-formed blocks of a PEM file (RFC 7468), in order: `CERTIFICATE`, `PRIVATE KEY`, ….

    Whether the contents make sense is for whoever loads them.
    """
    return [label for label, body in _PEM_BLOCK.findall(text) if "Proc-Type" in body or _is_base64(body)]


def _is_base64(text: str) -> bool:
    try:
        return len(base64.b64decode("".join(text.split()), validate=True)) > 0
    except (binascii.Error, ValueError):
        return False


def read_at_most(path: str, count: int) -> bytes:
    """The first `count` bytes of a file, which may also be a pipe. Raises: OSError.

    In slices, because a buffer for what might come costs more than reading the few KiB that do."""
    pieces: list[bytes] = []
    with Path(path).open("rb", buffering=0) as file:
        while count > 0 and (piece := file.read(min(count, _SLICE))):
            pieces.append(piece)
            count -= len(piece)
    return b"".join(pieces)


def _read_pem(path: str) -> str:
    try:
        data = read_at_most(path, MAX_PEM + 1)
    except OSError as error:
        raise ValueError(f"{path!r} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if len(data) > MAX_PEM:
        raise ValueError(f"{path!r} is larger than 1 MiB; this is no PEM file")
    return data.decode("ascii", "replace")


def find_program(words: list[str], base: str) -> str:
    """A word without a slash is looked for on the PATH, once, so that a changed PATH changes nothing."""
    if not words or not words[0]:
        raise ValueError('write the program and its arguments, like ["/etc/edge/hook", "--zone", "example.com"]')
    if "/" in words[0]:
        return program(words[0], base)
    found = shutil.which(words[0])
    if found is None:
        raise ValueError(f"{words[0]!r} is not on the PATH; write its whole path")
    return program(found, "/")
