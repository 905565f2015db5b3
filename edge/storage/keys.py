"""The syntax of storage keys: checked once at the door, so that no key can leave the storage by any spelling."""

from __future__ import annotations

import re

from edge.errors import StorageError

_SEGMENT = re.compile(r"[A-Za-z0-9._@*-]{1,128}")


def is_segment(name: str) -> bool:
    """Whether `name` can be one segment of a key."""
    return _SEGMENT.fullmatch(name) is not None and name not in (".", "..")


def check_segment(name: str) -> str:
    """`name` itself when it can be one segment of a key. Raises: StorageError."""
    if not is_segment(name):
        raise StorageError(f"{name!r} is not a name for the storage: 1 to 128 letters, digits and ._@*- are")
    return name


def check_key(key: str) -> str:
    """`key` itself when all its segments are well formed. Raises: StorageError."""
    for segment in key.split("/"):
        check_segment(segment)
    return key


def area_of(key: str) -> str:
    """The part of the storage that a change of `key` is reported for: its first two segments when there are more, else one."""
    segments = key.split("/")
    return "/".join(segments[:2]) if len(segments) > 2 else segments[0]
