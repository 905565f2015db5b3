"""Who waits for an origin to come back, in which order, for how long. Pure: it moves nobody, it says who is next.

First in, first out. Someone who was let out and found the door shut again goes back to its old place, with its old deadline:
nobody waits longer than `seconds` in all. Bounded in number and in the bytes of the bodies that wait along.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from msgspec import Struct

MAX_HELD: Final = 1000
"""Requests held for one upstream in one worker. A second of a busy site; each costs some 20 KiB with its connection."""

MAX_HELD_BYTES: Final = 256 * 1024 * 1024
"""Bytes of their bodies, most of them in temporary files (a body above 256 KiB leaves memory)."""

T = TypeVar("T")


class Place(Struct, frozen=True):
    """A place in the queue: `number` orders, `deadline` ends it, `size` are the bytes that wait along."""

    number: int
    deadline: float
    size: int


class HoldQueue(Generic[T]):
    """Waiting requests; it does not know what a request is."""

    def __init__(self, seconds: float, max_held: int = MAX_HELD, max_bytes: int = MAX_HELD_BYTES) -> None:
        self._seconds = seconds
        self._max_held = max_held
        self._max_bytes = max_bytes
        self._places: dict[T, Place] = {}  # in the order of their numbers
        self._last_number = 0
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"<HoldQueue {len(self._places)} held, {self._bytes} bytes>"

    def join(self, waiter: T, size: int, now: float) -> bool:
        """Take the last place; False when there is no room: answer the request at once."""
        if len(self._places) >= self._max_held or self._bytes + size > self._max_bytes:
            return False
        self._last_number += 1
        self._places[waiter] = Place(self._last_number, now + self._seconds, size)
        self._bytes += size
        return True

    def take(self, count: int = 1) -> list[tuple[T, Place]]:
        """The first `count`, who leave with the place that `put_back` takes."""
        taken = list(self._places.items())[:count]
        for waiter, _ in taken:
            self.leave(waiter)
        return taken

    def put_back(self, waiter: T, place: Place) -> None:
        """Let someone who was taken in vain wait on, where it stood. Its room was kept for it: this never fails."""
        self._places[waiter] = place
        self._bytes += place.size
        self._places = dict(sorted(self._places.items(), key=lambda item: item[1].number))

    def leave(self, waiter: T) -> None:
        """Forget someone who waits no longer; no error when it did not wait."""
        place = self._places.pop(waiter, None)
        if place:
            self._bytes -= place.size

    def expire(self, now: float) -> list[T]:
        """Take out all whose time is up."""
        late = [waiter for waiter, place in self._places.items() if place.deadline <= now]
        for waiter in late:
            self.leave(waiter)
        return late
