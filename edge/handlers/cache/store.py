"""The files of the cache: finding, writing, removing. One directory for all workers, on a disk or in memory (tmpfs).

The directory is the only truth: what one worker renames into place or removes is there or gone for all of them, and no worker
keeps a copy of its own. A file appears by one rename. Whatever cannot be read, is cut short or has changed is removed
and counts as not there; whatever cannot be written (a full disk, lost rights) is not stored. No visitor hears of either.

A call reads or writes 64 KiB of body at most, on the event loop, like the static files do.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Final

from edge.config.purge import Purge
from edge.handlers.cache.bodies import Damaged, StoredBody
from edge.handlers.cache.index import NAME, CacheIndex, taken
from edge.handlers.cache.record import MAX_FILE, SHORT, SLICE, Head, Response, Signpost, decode_record, encode_record
from edge.http.cache_key import primary_key, variant_key
from edge.http.message import Request
from edge.telemetry.logs import get_logger

BATCH: Final = 64
"""Files of an earlier run that are entered in one turn of the loop."""

ABANDONED: Final = 60.0
"""Seconds after which a file under a temporary name belongs to nobody; writing one takes microseconds."""

CLOCK_TOLERANCE: Final = 60.0
"""Seconds: a clock that is corrected by so much does not cost the cache."""

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TEMPORARY: Final = "~"

log = get_logger("cache")


class CacheStore:
    """The files below `directory`, `limit` bytes of them at most. `clock` is POSIX time."""

    def __init__(self, directory: str, limit: int, index: CacheIndex, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._limit = limit
        self._index = index
        self._clock = clock
        self._salt = hashlib.blake2b(directory.encode(), digest_size=16).digest()
        self._purges: tuple[Purge, ...] = ()
        self._purged_at = 0.0
        self._problem = ""

    @property
    def directory(self) -> str:
        """Where its files are."""
        return self._directory

    def __repr__(self) -> str:
        return f"<CacheStore {self._directory} {self._index.total}/{self._limit}>"

    # -- names --------------------------------------------------------------------------------------------------------

    def name(self, *parts: bytes) -> bytes:
        """The name of the file for a key. Other directories have other names, though they share the index."""
        return hashlib.blake2b(b"\0".join(parts), key=self._salt, digest_size=NAME).digest()

    def way(self, request: Request) -> tuple[bytes, Signpost | None]:
        """The name under which the response to this request is, or would be, and the signpost that leads there."""
        key = primary_key(request)
        name = self.name(key)
        head = self._load(name, key)[0] if self._index.has(name) else None
        if isinstance(head, Signpost):
            return self.variant_name(request, head), head
        return name, None

    def variant_name(self, request: Request, signpost: Signpost) -> bytes:
        """Behind a signpost."""
        return self.name(signpost.key, b"\0".join(signpost.vary), signpost.nonce, variant_key(request, signpost.vary))

    # -- reading ------------------------------------------------------------------------------------------------------

    def find(self, request: Request) -> tuple[bytes, Response | None, bytes]:
        """Its name, the stored response and its short body; None when there is none."""
        key = primary_key(request)
        name = self.name(key)
        if not self._index.has(name):
            return name, None, b""
        head, body = self._load(name, key)
        if isinstance(head, Signpost):
            name, vary = self.variant_name(request, head), head.vary
            if not self._index.has(name):
                return name, None, b""
            head, body = self._load(name, key)
            if not isinstance(head, Response) or head.variant != variant_key(request, vary):
                return name, None, b""
        return name, head, body

    def _load(self, name: bytes, key: bytes) -> tuple[Head | None, bytes]:
        """What a file holds, if it is about `key` and has not been purged."""
        try:
            data = self._read_file(name)
        except FileNotFoundError:
            self._forget(name)
            return None, b""
        except OSError as error:
            self.complain(error)
            return None, b""
        record = decode_record(data)
        if record is None:
            log.warning("damaged file removed", file=name.hex(), directory=self._directory)
        if record is None or record[0].key != key or self.is_purged(record[0]):
            self.remove(name)
            return None, b""
        return record

    def _read_file(self, name: bytes) -> bytes:
        descriptor = os.open(self._path(name), _READ)
        try:
            return os.read(descriptor, MAX_FILE + SHORT)
        finally:
            os.close(descriptor)

    def open_body(self, response: Response) -> StoredBody | None:
        """The long body of a response; None when it is gone or damaged, as far as its length and beginning show."""
        if not self._index.has(response.file):
            return None
        try:
            descriptor = os.open(self._path(response.file), _READ)
        except OSError:
            self._forget(response.file)
            return None
        body = StoredBody(descriptor, response.length, response.checksums)
        try:
            if os.fstat(descriptor).st_size == response.length:
                body.read(0, SLICE)
                return body
        except Damaged:
            pass
        log.warning("damaged file removed", file=response.file.hex(), directory=self._directory)
        body.close()
        self.remove(response.file)
        return None

    # -- writing ------------------------------------------------------------------------------------------------------

    def save(self, name: bytes, head: Head, body: bytes = b"") -> bool:
        """Put a file in place of what had its name; whether that worked."""
        data = encode_record(head, body)
        if len(data) > MAX_FILE:
            return False
        temporary = f"{self._directory}/{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            self._make_room(name, len(data))
            self._write(temporary, data)
            os.rename(temporary, self._path(name))  # noqa: PTH104  # a string is at hand
            if not self._index.has(name):  # it was the one that had to go
                self._unlink(self._path(name))
        except OSError as error:
            self.complain(error)
            self._unlink(temporary)
            self.remove(name)
            return False
        return True

    def _write(self, path: str, data: bytes) -> None:
        descriptor = os.open(path, _CREATE, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)

    def create(self, most: int, *, allocate: bool) -> tuple[bytes, int]:
        """Name and descriptor of a new file for a long body of `most` bytes; the descriptor is -1 without room.

        With `allocate` the room is taken on the disk as well: then nothing but a broken disk keeps the body from being written.
        """
        name = secrets.token_bytes(NAME)
        descriptor = -1
        try:
            if taken(most) > self._limit:
                return name, -1
            self._make_room(name, most)
            descriptor = os.open(self._path(name), _CREATE, 0o600)
            if allocate:
                os.posix_fallocate(descriptor, 0, most)
        except OSError as error:
            self.complain(error)
            if descriptor >= 0:
                os.close(descriptor)
            self.remove(name)
            return name, -1
        return name, descriptor

    def reserve(self, name: bytes, most: int) -> bool:
        """More room for a long body that has none yet on the disk; False without."""
        if taken(most) > self._limit or not self._index.has(name):
            return False
        self._make_room(name, most)
        return True

    def settle(self, name: bytes, length: int) -> bool:
        """A long body is whole: the room that it did not need is free again. Whether the file is still there."""
        try:
            os.truncate(self._path(name), length)
        except OSError:
            return False
        self._make_room(name, length)
        return True

    def _make_room(self, name: bytes, size: int) -> None:
        """Enter a file, and remove others until all of them fit."""
        with self._index.locked():
            gone = self._index.add(name, size)
            if gone is not None:
                self._unlink(self._path(gone))
            while self._index.total > self._limit and (gone := self._index.evict()):
                self._unlink(self._path(gone))

    # -- removing -----------------------------------------------------------------------------------------------------

    def remove(self, name: bytes) -> None:
        """Forget a file; no error when there is none."""
        self._forget(name)
        self._unlink(self._path(name))

    def _forget(self, name: bytes) -> None:
        with self._index.locked():
            self._index.remove(name)

    def _unlink(self, path: str) -> None:
        try:
            os.unlink(path)  # noqa: PTH108  # a string is at hand
        except FileNotFoundError:
            pass
        except OSError as error:
            self.complain(error)

    def purge(self, purges: tuple[Purge, ...]) -> None:
        """From now on nothing that these cover is used."""
        self._purges = purges
        self._purged_at = max((purge.at for purge in purges), default=0.0)

    def is_purged(self, head: Head) -> bool:
        """Whether one of the purges covers it, or the clock was set back, so that nobody can tell."""
        if head.asked_at >= self._purged_at:
            return head.asked_at > self._clock() + CLOCK_TOLERANCE
        key = head.key.decode("latin-1")
        return any(purge.covers(key, head.site, head.asked_at) for purge in self._purges)

    # -- what an earlier run has left ---------------------------------------------------------------------------------

    def leftovers(self) -> Iterator[None]:
        """Enters the files that lie in the directory, BATCH at each step. The first worker that asks does it, for all."""
        with self._index.locked():
            if not self._index.begin_loading(int.from_bytes(self._salt[:8], "little")):
                return
        try:
            with os.scandir(self._directory) as entries:
                for number, entry in enumerate(entries, 1):
                    self._take_over(entry)
                    if number % BATCH == 0:
                        yield
        except OSError as error:
            self.complain(error)

    def _take_over(self, entry: os.DirEntry[str]) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
            if entry.name.startswith(_TEMPORARY):
                if status.st_mtime < self._clock() - ABANDONED:
                    self._unlink(entry.path)
            elif len(entry.name) == 2 * NAME:
                self._make_room(bytes.fromhex(entry.name), status.st_size)
        except (ValueError, OSError):
            return  # gone meanwhile, or none of ours

    # -- trouble ------------------------------------------------------------------------------------------------------

    def complain(self, error: OSError) -> None:
        """Say that the directory does not work, once for each kind of trouble: visitors are served from the origin."""
        problem = error.strerror or str(error)
        if problem != self._problem:
            self._problem = problem
            log.warning(
                "cache directory does not work, responses are not stored", directory=self._directory, cause=problem
            )

    def _path(self, name: bytes) -> str:
        return f"{self._directory}/{name.hex()}"
