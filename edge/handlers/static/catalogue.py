"""The present state of every name in one mount, at most a second old.

A second is the price of not asking the kernel for each request: files appear, change and vanish, manifests are replaced, and
all of it is noticed within `TTL`, because nothing is believed longer than that without another look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge.errors import HTTPError
from edge.handlers.static.cache import Absence, EntryCache
from edge.handlers.static.entry import Entry, Variant
from edge.handlers.static.files import BrokenRead, OpenedFile, Root
from edge.handlers.static.immutable import ImmutableNames
from edge.handlers.static.loader import Loader
from edge.handlers.static.names import INDEX

TTL: Final = 1.0
"""Seconds between two looks at the same file. nginx's open_file_cache asks every 60 s, hence its reputation."""

_ATTEMPTS: Final = 3
"""How often to start again when a file changes while it is read."""


class Catalogue:
    """Looks names up beneath one root. `clock` is monotonic, `wall_clock` POSIX; both in seconds. `uploads`: the files come
    from users; then directories have no index."""

    def __init__(
        self, directory: str, clock: Callable[[], float], wall_clock: Callable[[], float], *, uploads: bool = False
    ) -> None:
        self.cache = EntryCache()
        self._root = Root(directory)
        self._names = None if uploads else ImmutableNames(self._root)
        self._read_manifest_at = 0.0
        self._loader = Loader(self._root, self._names, wall_clock)
        self._clock = clock

    def look_up(self, key: bytes, name: bytes) -> Entry | Absence:
        """What there is by `name` (see `names.file_name`), remembered under `key`.

        Raises: HTTPError 503 when the disk or the process cannot serve, or the file does not stand still.
        """
        now = self._clock()
        self._read_manifest(now)
        known = self.cache.entries.get(key)
        if known is not None and now < known.look_again_at:
            return known
        absence = self.cache.absence(key, now)
        if absence is not None:
            return absence
        entry = self._load(key, name, known)
        if entry is None:
            absence = Absence(now + TTL, self._has_index(name))
            self.cache.store_absence(key, absence)
            return absence
        entry.look_again_at = now + TTL
        self.cache.store(entry)
        return entry

    def open_variant(self, entry: Entry, variant: Variant) -> OpenedFile | None:
        """The file of a variant that is not in memory, in the very state the entry describes.

        None: it is another one by now, the entry has been forgotten; look it up again.
        """
        opened = self._root.open_file(variant.name)
        if opened is not None:
            if opened.snapshot == variant.snapshot:
                return opened
            opened.close()
        self.cache.discard(entry.key)
        return None

    def close(self) -> None:
        """Forget everything and give all descriptors back."""
        self.cache.clear()
        self._root.close()

    def _read_manifest(self, now: float) -> None:
        if self._names is not None and now >= self._read_manifest_at:
            self._read_manifest_at = now + TTL
            if self._names.refresh():
                self.cache.clear()

    def _load(self, key: bytes, name: bytes, known: Entry | None) -> Entry | None:
        for _ in range(_ATTEMPTS):
            try:
                return self._loader.load(key, name, known)
            except BrokenRead as exc:
                cause = exc
        raise HTTPError(503, "static-file-unstable", retry_after=1) from cause

    def _has_index(self, name: bytes) -> bool:
        if self._names is None:
            return False
        index = self._root.open_file(name + b"/" + INDEX if name else INDEX)
        if index is None:
            return False
        index.close()
        return True
