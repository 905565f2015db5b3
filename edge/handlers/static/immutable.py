"""Which files may be cached for ever: those whose name changes with their content.

Two sources, the surer one first:
1. Django's `staticfiles.json` (ManifestStaticFilesStorage) at the top of the root: the values under `paths`.
2. A hash in the name, 12 hexadecimal digits between dots as Django writes it, **if the content's MD5 begins with it**. The
   check is what makes the pattern safe: hashed storages leave intermediate files behind whose name and content differ.

A browser never asks again for what it was told is immutable, so a doubt is answered with no.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

import msgspec
from msgspec import Struct

from edge.handlers.static.files import BrokenRead, OpenedFile, Root, Snapshot
from edge.telemetry.logs import get_logger

log = get_logger("static")

MANIFEST: Final = b"staticfiles.json"

_VERSIONS: Final = ("1.0", "1.1")
"""Manifest formats whose `paths` are known: 1.1 since Django 4.2, 1.0 before."""

MAX_MANIFEST: Final = 16 * 1024 * 1024
"""Bytes; a hundred thousand files fit. It is read on the event loop."""

MAX_HASHED: Final = 4 * 1024 * 1024
"""Bytes; a larger file counts as immutable only through the manifest: hashing more would hold up everybody for over 10 ms."""

_HASH_SLICE: Final = 256 * 1024

_HASHES = re.compile(rb"\.([0-9a-f]{12})(?=\.|$)").findall


class Promise(Struct, frozen=True, gc=False):
    """What a file's name promises. `content_hash` is the hash in it when the file is immutable, else b""."""

    is_immutable: bool
    content_hash: bytes = b""


class _Manifest(Struct, frozen=True):
    paths: dict[str, str]
    version: str


class ImmutableNames:
    """The promises of all names beneath one root."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._snapshot: Snapshot | None = None
        self._listed: frozenset[bytes] = frozenset()

    def refresh(self) -> bool:
        """Read the manifest again if it has changed; True if so, and then earlier promises are void."""
        opened = self._root.open_file(MANIFEST)
        if opened is None:
            changed = self._snapshot is not None
            self._snapshot, self._listed = None, frozenset()
            return changed
        with opened:
            if opened.snapshot == self._snapshot:
                return False
            self._listed = _read_manifest(opened)
            self._snapshot = opened.snapshot
        return True

    def promise_of(self, name: bytes, opened: OpenedFile) -> Promise:
        """What `name` promises; reads the file when only its content can tell.

        Raises: BrokenRead.
        """
        hashes: list[bytes] = _HASHES(name.rpartition(b"/")[2])
        if name in self._listed:
            return Promise(True, hashes[-1] if hashes else b"")
        if hashes and opened.snapshot.size <= MAX_HASHED:
            actual = _hash_of(opened)
            if actual in hashes:
                return Promise(True, actual)
        return Promise(False)


def _hash_of(opened: OpenedFile) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    size = opened.snapshot.size
    for start in range(0, size, _HASH_SLICE):
        digest.update(opened.read(start, min(_HASH_SLICE, size - start)))
    return digest.hexdigest()[:12].encode()


def _read_manifest(opened: OpenedFile) -> frozenset[bytes]:
    """Hashed names in a manifest; none, and a warning, if it is not one we know."""
    try:
        manifest = _decode_manifest(opened)
        # A file that the storage left without a hash is listed under its own name and promises nothing.
        return frozenset(value.encode() for key, value in manifest.paths.items() if value != key)
    except (BrokenRead, msgspec.DecodeError, ValueError) as exc:
        log.warning("static manifest ignored", manifest=MANIFEST.decode(), cause=str(exc))
        return frozenset()


def _decode_manifest(opened: OpenedFile) -> _Manifest:
    size = opened.snapshot.size
    if size > MAX_MANIFEST:
        raise ValueError(f"it is larger than {MAX_MANIFEST} bytes")
    manifest = msgspec.json.decode(opened.read(0, size), type=_Manifest)
    if manifest.version not in _VERSIONS:
        raise ValueError("its version is not known")
    return manifest
