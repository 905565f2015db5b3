"""Lines on their way to a destination."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge.telemetry.destination import ATOMIC_WRITE, Destination, open_file, open_standard_output
from edge.telemetry.line_sink import COMPLAINT_INTERVAL, FLUSH_SIZE, MAX_WAITING, LineSink

LINE = b"x" * 99 + b"\n"


class FakeDestination:
    """Takes writes while there is room; fails as told."""

    is_terminal = False

    def __init__(self, room: int = 10**9, largest_write: int = ATOMIC_WRITE) -> None:
        self.room = room
        self.largest_write = largest_write
        self.failure: OSError | None = None
        self.writes: list[bytes] = []
        self.is_closed = False

    def write_nowait(self, data: bytes) -> None:
        if self.failure:
            raise self.failure
        if len(data) > self.room:
            raise BlockingIOError
        self.room -= len(data)
        self.writes.append(data)

    def close(self) -> None:
        self.is_closed = True


class Clock:
    """A monotonic clock that stands still until told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _sink(destination: FakeDestination, clock: Clock | None = None) -> LineSink:
    return LineSink(lambda: destination, monotonic=clock or Clock())


def test_lines_are_gathered_until_there_are_enough() -> None:
    """No system call per line."""
    destination = FakeDestination(largest_write=10**9)
    sink = _sink(destination)
    for _ in range(FLUSH_SIZE // len(LINE)):
        sink.add(LINE)
    assert destination.writes == []
    sink.add(LINE)
    assert b"".join(destination.writes) == LINE * (FLUSH_SIZE // len(LINE) + 1)
    assert len(destination.writes) == 1


def test_a_tick_writes_what_there_is() -> None:
    """And nothing when there is nothing."""
    destination = FakeDestination()
    sink = _sink(destination)
    sink.flush()
    sink.add(LINE)
    sink.flush()
    assert destination.writes == [LINE]


def test_groups_are_whole_lines_of_atomic_size() -> None:
    """Lines of several workers on one pipe do not mix; a longer line goes alone."""
    destination = FakeDestination()
    sink = _sink(destination)
    long = b"y" * ATOMIC_WRITE + b"\n"
    for line in [LINE] * 100 + [long] + [LINE]:
        sink.add(line)
    sink.flush()
    assert all(len(data) <= ATOMIC_WRITE or data == long for data in destination.writes)
    assert all(data.endswith(b"\n") for data in destination.writes)
    assert b"".join(destination.writes) == LINE * 100 + long + LINE


def test_a_slow_reader_gets_its_lines_later_in_order() -> None:
    """What found no room waits."""
    destination = FakeDestination(room=0)
    sink = _sink(destination)
    sink.add(b"1\n")
    sink.flush()
    sink.add(b"2\n")
    destination.room = 10**9
    sink.flush()
    assert b"".join(destination.writes) == b"1\n2\n"
    assert sink.dropped_lines == 0


def test_a_stopped_reader_costs_bounded_memory() -> None:
    """Lines beyond the bound are dropped and counted; those before it are kept."""
    destination = FakeDestination(room=0)
    sink = _sink(destination)
    total = 2 * MAX_WAITING // len(LINE)
    for _ in range(total):
        sink.add(LINE)
    assert 0 < sink.dropped_lines < total
    destination.room = 10**9
    sink.flush()
    assert sum(map(len, destination.writes)) == (total - sink.dropped_lines) * len(LINE)


def test_a_full_disk_drops_and_complains_once_a_minute() -> None:
    """With the number of lines since the last complaint."""
    destination, clock = FakeDestination(), Clock()
    destination.failure = OSError(errno.ENOSPC, "No space left on device")
    sink = _sink(destination, clock)
    with capture_logs() as complaints:
        for _ in range(3):
            sink.add(LINE)
            sink.flush()
        clock.now += COMPLAINT_INTERVAL
        sink.add(LINE)
        sink.flush()
    assert [(each["event"], each["lines"], each["reason"]) for each in complaints] == [
        ("access log lines dropped", 1, "No space left on device"),
        ("access log lines dropped", 3, "No space left on device"),
    ]
    assert sink.dropped_lines == 4


def test_after_trouble_lines_are_written_again() -> None:
    """Nothing has to be restarted."""
    destination = FakeDestination()
    destination.failure = OSError(errno.ENOSPC, "full")
    sink = _sink(destination)
    with capture_logs():
        sink.add(LINE)
        sink.flush()
    destination.failure = None
    sink.add(LINE)
    sink.flush()
    assert destination.writes == [LINE]


def test_close_writes_the_rest_and_counts_what_it_cannot() -> None:
    """At exit nobody waits for a reader."""
    destination = FakeDestination(room=0)
    sink = _sink(destination)
    sink.add(LINE)
    with capture_logs():
        sink.close()
    assert sink.dropped_lines == 1
    assert destination.is_closed


def test_a_failed_reopen_keeps_the_old_destination() -> None:
    """Better the rotated file than none."""
    first = FakeDestination()
    answers: list[Destination] = [first]

    def open_next() -> Destination:
        if not answers:
            raise PermissionError(errno.EACCES, "Permission denied")
        return answers.pop()

    sink = LineSink(open_next)
    with capture_logs() as complaints:
        sink.reopen()
    sink.add(LINE)
    sink.flush()
    assert first.writes == [LINE]
    assert not first.is_closed
    assert complaints[0]["log_level"] == "error"


# -- real destinations ------------------------------------------------------------------------------------------------


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    """By several writers at once, each write whole."""
    one, two = open_file(str(tmp_path / "a.log")), open_file(str(tmp_path / "a.log"))
    one.write_nowait(b"1\n")
    two.write_nowait(b"2\n")
    one.write_nowait(b"3\n")
    one.close()
    two.close()
    assert (tmp_path / "a.log").read_bytes() == b"1\n2\n3\n"


def test_a_file_as_standard_output_is_shared_with_its_other_writers(tmp_path: Path) -> None:
    """`> edge.log 2>&1`: lines that others write through the same descriptor are not overwritten, and do not overwrite."""
    with (tmp_path / "log").open("wb", buffering=0) as log:
        destination = open_standard_output(log.fileno())
        log.write(b"one\n")
        destination.write_nowait(b"two\n")
        log.write(b"three\n")
        destination.close()
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\nthree\n"


def test_a_full_pipe_is_noticed_and_not_waited_for() -> None:
    """Its other users keep their blocking descriptor."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, ATOMIC_WRITE)
    destination = open_standard_output(writer)
    destination.write_nowait(b"x" * ATOMIC_WRITE)
    with pytest.raises(BlockingIOError):
        destination.write_nowait(b"y")
    assert os.get_blocking(writer)
    assert os.read(reader, ATOMIC_WRITE) == b"x" * ATOMIC_WRITE
    destination.write_nowait(b"y")
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        destination.write_nowait(b"z")
    destination.close()
    os.close(writer)


def test_a_full_socket_is_noticed_and_not_waited_for() -> None:
    """systemd's journal reads one."""
    left, right = socket.socketpair()
    destination = open_standard_output(left.fileno())

    def fill() -> None:
        while True:
            destination.write_nowait(b"x" * ATOMIC_WRITE)

    with pytest.raises(BlockingIOError):
        fill()
    right.close()
    with pytest.raises(BrokenPipeError):
        destination.write_nowait(b"y")
    destination.close()
    left.close()


def test_a_terminal_is_recognised() -> None:
    """It gets short lines with the time of day."""
    master, slave = pty.openpty()
    destination = open_standard_output(slave)
    assert destination.is_terminal
    destination.write_nowait(b"hello\n")
    assert os.read(master, 100) == b"hello\r\n"
    destination.close()
    os.close(slave)
    os.close(master)
