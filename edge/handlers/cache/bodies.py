"""Bodies of stored responses: one that is there, and one that is coming.

A long body is read and checked in slices: each has a checksum, so what a disk has changed is noticed before it is sent.
"""

from __future__ import annotations

import os
import zlib
from typing import Final, Protocol

from edge.errors import EdgeError
from edge.handlers.cache.record import SHORT, SLICE
from edge.http.exchange import Buffer

STEP: Final = 1024 * 1024
"""Bytes of room for a long body of which nobody knows how long it will be; doubled when it is full."""


class Place(Protocol):
    """Where a body that is coming may have its file: the store."""

    def create(self, most: int, *, allocate: bool) -> tuple[bytes, int]:
        """Name and descriptor of a new file with room for so many bytes; -1 without."""

    def reserve(self, name: bytes, most: int) -> bool:
        """More room for it; False without."""

    def remove(self, name: bytes) -> None:
        """The file is not wanted."""

    def complain(self, error: OSError) -> None:
        """The file does not work."""


class Damaged(EdgeError):
    """A file is not what was written."""


class StoredBody:
    """A long body, open: it can be read to its end even when its file is removed meanwhile. Whoever has one MUST close it."""

    def __init__(self, descriptor: int, length: int, checksums: tuple[int, ...]) -> None:
        self._descriptor = descriptor
        self._length = length
        self._checksums = checksums

    def read(self, start: int, size: int) -> bytes:
        """Bytes from `start`: `size` of them, fewer up to the next border of a slice. Raises: Damaged."""
        number = start // SLICE
        try:
            data = os.pread(self._descriptor, SLICE, number * SLICE)
        except OSError as error:
            raise Damaged("cannot be read") from error
        if len(data) != min(SLICE, self._length - number * SLICE) or zlib.crc32(data) != self._checksums[number]:
            raise Damaged("has changed")
        return data[start - number * SLICE :][:size]

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


class GrowingBody:
    """A body while it comes: written at its end, read by everybody who waits for it. A short one stays in memory.

    `most` is how many bytes may come. `is_promised`: so many will come, and `open` takes room for all of them; otherwise room is
    taken as it comes. Whoever has one MUST close it, after `settle` or not.
    """

    def __init__(self, place: Place, most: int, *, is_promised: bool) -> None:
        self._place = place
        self._most = most
        self._is_promised = is_promised
        self._room = most if is_promised else min(most, STEP)
        self._memory = bytearray()
        self._descriptor = -1
        self._rest = 0
        self._checksums: list[int] = []
        self.name = b""
        self.length = 0

    @property
    def short(self) -> bytes | None:
        """The body, if it is in memory."""
        return None if self.name else bytes(self._memory)

    @property
    def checksums(self) -> tuple[int, ...]:
        """Of each slice in the file."""
        return (*self._checksums, self._rest) if self.length % SLICE else tuple(self._checksums)

    def open(self) -> bool:
        """Make the file; False when there is no room for it."""
        self.name, self._descriptor = self._place.create(self._room, allocate=self._is_promised)
        return self._descriptor >= 0

    def append(self, data: Buffer) -> Buffer:
        """Write more. Returns what was not taken: b"" or, with `most` reached or a disk that is full, the rest."""
        if not self.name:
            if self.length + len(data) <= SHORT:
                self._memory += data
                self.length += len(data)
                return b""
            if not self.open():
                return data
            self.length = 0
            if self._write(self._memory):
                self.length = len(self._memory)  # `read` still has them
                return data
        return self._write(data)

    def _write(self, data: Buffer) -> Buffer:
        view = memoryview(data)
        try:
            while view and self._has_room():
                done = os.pwrite(self._descriptor, view[: self._room - self.length], self.length)
                self._count(view[:done])
                view = view[done:]
        except OSError as error:
            self._place.complain(error)
        return view

    def _has_room(self) -> bool:
        """Whether another byte may be written; takes more room if need be."""
        if self.length < self._room:
            return True
        more = min(2 * self._room, self._most)
        if more == self._room or not self._place.reserve(self.name, more):
            return False
        self._room = more
        return True

    def _count(self, data: memoryview) -> None:
        while data:
            room = SLICE - self.length % SLICE
            piece, data = data[:room], data[room:]
            self._rest = zlib.crc32(piece, self._rest)
            self.length += len(piece)
            if self.length % SLICE == 0:
                self._checksums.append(self._rest)
                self._rest = 0

    def read(self, start: int, size: int) -> bytes:
        """What has come there, at most a slice. Raises: Damaged."""
        if start < len(self._memory):
            return bytes(self._memory[start : start + size])
        try:
            return os.pread(self._descriptor, min(size, SLICE), start)
        except OSError as error:
            raise Damaged("cannot be read") from error

    def discard(self) -> None:
        """It is not to be kept: no name leads to it any more, but those who read it can go on."""
        if self.name:
            self._place.remove(self.name)

    def close(self) -> None:
        """Everybody has read it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
