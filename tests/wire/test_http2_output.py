"""Whose turn it is, and how much of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.http.limits import MAX_FRAME, MIN_SLICE
from edge.wire.http2_output import SMALL_PIECE, OutputQueue, QueuedBody
from edge.wire.http2_priority import DEFAULT_PRIORITY, Priority, parse_priority, priority_of


def turns(queue: OutputQueue, window: Callable[[int], int] = lambda _: 1 << 20) -> list[int]:
    """The stream of each frame until nothing can be sent."""
    order = []
    while chosen := queue.choose(window):
        body, size = chosen
        assert sum(len(piece) for piece in body.take(size)) == size
        queue.passed_turn(body)
        order.append(body.stream_id)
    return order


def test_incremental_bodies_take_turns() -> None:
    """Frame by frame, in the order in which they came."""
    queue = OutputQueue()
    for stream_id in (1, 3):
        queue.append(stream_id, b"x" * 3 * MAX_FRAME, True, DEFAULT_PRIORITY)
    assert turns(queue) == [1, 3, 1, 3, 1, 3]


def test_other_bodies_go_one_after_the_other() -> None:
    """What is only of use when whole is not cut up."""
    queue = OutputQueue()
    for stream_id in (1, 3):
        queue.append(stream_id, b"x" * 2 * MAX_FRAME, True, Priority(3, incremental=False))
    assert turns(queue) == [1, 1, 3, 3]


def test_a_shut_window_is_passed_over() -> None:
    """A stream that cannot send does not hold back one that can, however urgent it is."""
    queue = OutputQueue()
    queue.append(1, b"x" * MAX_FRAME, True, Priority(0))
    queue.append(3, b"x" * MAX_FRAME, True, Priority(7))
    assert turns(queue, lambda stream_id: 0 if stream_id == 1 else 1 << 20) == [3]
    assert queue.unsent(1) == MAX_FRAME


def test_small_pieces_are_joined() -> None:
    """A body that comes byte by byte is not kept byte by byte."""
    body = QueuedBody(1, DEFAULT_PRIORITY)
    for number in range(5000):
        body.append(bytes((number % 256,)))
    assert body.unsent == 5000
    assert len(body._pieces) <= 2 * 5000 // SMALL_PIECE
    assert b"".join(body.take(5000)) == bytes(number % 256 for number in range(5000))


@pytest.mark.parametrize(
    ("unsent", "ended", "window", "size"),
    [
        (0, True, -5, 0),
        (0, True, 0, 0),
        (0, False, 100, -1),
        (10, False, 10, 10),
        (10, True, 9, -1),
        (5000, True, MIN_SLICE - 1, -1),
        (5000, True, MIN_SLICE, MIN_SLICE),
        (50_000, True, 1 << 20, MAX_FRAME),
    ],
)
def test_the_size_of_a_frame(unsent: int, ended: bool, window: int, size: int) -> None:
    """Nothing below MIN_SLICE but the rest of what there is; the bare end needs no window."""
    body = QueuedBody(1, DEFAULT_PRIORITY)
    body.append(b"x" * unsent)
    body.ended = ended
    assert body.sendable(window) == size


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(1, 40))
def test_pieces_come_out_as_they_went_in(pieces: list[bytes], step: int) -> None:
    """Cutting never loses, repeats or reorders a byte."""
    body = QueuedBody(1, DEFAULT_PRIORITY)
    for piece in pieces:
        body.append(piece)
    taken = b""
    while body.unsent:
        taken += b"".join(body.take(min(step, body.unsent)))
    assert taken == b"".join(pieces)


@pytest.mark.parametrize(
    ("value", "priority"),
    [
        (b"u=0", Priority(0, False)),
        (b"u=5, i", Priority(5, True)),
        (b"i=?1,u=1", Priority(1, True)),
        (b"i, i=?0", Priority(3, False)),
        (b"u=9", Priority(3, False)),
        (b"nonsense;;;", Priority(3, False)),
        (b"", Priority(3, False)),
    ],
)
def test_a_wish_is_read_or_ignored(value: bytes, priority: Priority) -> None:
    """RFC 9218 §4: unknown members and values out of range leave the defaults."""
    assert parse_priority(value) == priority
    assert priority_of(((b"accept", b"*/*"), (b"priority", value))) == priority


def test_without_a_wish_responses_take_turns() -> None:
    """The default differs from the RFC's, on purpose."""
    assert priority_of(()) is DEFAULT_PRIORITY
    assert DEFAULT_PRIORITY.incremental
