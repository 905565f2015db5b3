"""A temporary directory for the workers of one generation alone: they can be let into it without being let into `/tmp`."""

from __future__ import annotations

import contextlib
import os
import tempfile

from edge.process.privileges import Account


def make_spool_directory(account: Account | None) -> str:
    """A new directory of this user, or "" when the machine has no room for one: large bodies are then refused."""
    try:
        directory = tempfile.mkdtemp(prefix="edge-spool-")
        if account is not None:
            os.chown(directory, account.uid, account.gid)
    except OSError:
        return ""
    return directory


def remove_spool_directory(directory: str) -> None:
    """Files in it never had names for longer than a moment, so it is empty; if not, it is left alone."""
    with contextlib.suppress(OSError):
        os.rmdir(directory)  # noqa: PTH106  # "" is no directory, and no error
