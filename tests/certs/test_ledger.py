"""Every order, issuance and failure is kept, and counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs import ledger as ledger_module
from edge.certs.budget import Kind
from edge.certs.ledger import DIRECTORY, KEPT, LARGEST_SEGMENT, Entry, Event, Ledger, parse_lines, read_entries
from edge.errors import StorageError
from tests.certs.fakes import MemoryStorage, fail_on

CA = "Let's Encrypt"
NOW = 1_800_000_000.0
DAY = 86400.0


def issued(at: float, *names: str, exempt: bool = False) -> Entry:
    return Entry(at, Event.ISSUED, CA, names or ("a.test",), exempt=exempt)


def duplicates_left(ledger: Ledger, now: float) -> int:
    return next(b.left for b in ledger.tally.budgets(CA, ("a.test",), now) if b.kind is Kind.DUPLICATES)


def test_entries_survive_a_restart() -> None:
    """In their order, with everything in them; a new process counts on."""
    storage = MemoryStorage()
    first = Ledger(storage)
    entries = [
        issued(NOW),
        Entry(NOW + 1, Event.FAILED, CA, ("a.test",), phase="challenge", kind="validation", cause="x"),
    ]
    for entry in entries:
        first.add(entry)
    second = Ledger(storage.survivor())
    second.add(issued(NOW + 2))
    assert read_entries(second._storage) == [*entries, issued(NOW + 2)]
    assert duplicates_left(second, NOW + 2) == 3


def test_two_writers_do_not_disturb_each_other() -> None:
    """Each has segments of its own, so nothing is lost when they write in turn."""
    storage = MemoryStorage()
    one, other = Ledger(storage), Ledger(storage)
    for number in range(4):
        (one if number % 2 else other).add(issued(NOW + number))
    assert [entry.at - NOW for entry in read_entries(storage)] == [0, 1, 2, 3]


def test_what_the_window_exempts_is_not_counted() -> None:
    """Nor what happened at the test system, nor failures that are no validations."""
    ledger = Ledger(MemoryStorage())
    ledger.add(issued(NOW, exempt=True))
    ledger.add(Entry(NOW, Event.FAILED, CA, ("a.test",), kind="validation", rehearsal=True))
    ledger.add(Entry(NOW, Event.FAILED, CA, ("a.test",), kind="transport"))
    assert {(budget.kind, budget.left) for budget in ledger.tally.budgets(CA, ("a.test",), NOW)} == {
        (Kind.ORDERS, 300), (Kind.DUPLICATES, 5), (Kind.FAILURES, 5),
    }  # fmt: skip


def test_segments_are_bounded_and_old_ones_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full or day-old segment is followed by another; what is too old or too much is deleted."""
    monkeypatch.setattr(ledger_module, "MOST_SEGMENTS", 4)
    storage = MemoryStorage()
    ledger = Ledger(storage)
    long = "x" * (LARGEST_SEGMENT // 3)
    for number in range(30):
        ledger.add(Entry(NOW + number, Event.FAILED, CA, ("a.test",), cause=long))
    assert all(len(value) <= LARGEST_SEGMENT for value in storage.files.values())
    assert len(storage.list(DIRECTORY)) == 4
    ledger.add(issued(NOW + KEPT + 3 * DAY))
    assert [entry.event for entry in read_entries(storage)] == [Event.ISSUED]


def test_damaged_lines_are_put_aside_and_good_ones_kept() -> None:
    """The segment goes to quarantine, its good lines stay; looking without writing only passes over."""
    storage = MemoryStorage()
    Ledger(storage).add(issued(NOW))
    (key,) = storage.files
    storage.files[key] += b'{"at": "yesterday"}\n\xff\xfe\n[1]\n'
    assert read_entries(storage) == [issued(NOW)]
    assert storage.quarantined == {}
    assert duplicates_left(Ledger(storage), NOW) == 4
    assert list(storage.quarantined) == [key]
    assert read_entries(storage) == [issued(NOW)]


def test_a_crash_while_repairing_counts_nothing_twice() -> None:
    """Good lines are written before the damaged segment goes; equal entries count once."""
    storage = MemoryStorage()
    Ledger(storage).add(issued(NOW))
    (key,) = list(storage.files)
    storage.files[key] += b"damage\n"
    storage.before = fail_on("quarantine")
    Ledger(storage).tally.budgets(CA, ("a.test",), NOW)
    assert len(storage.files) == 2
    storage.before = lambda _operation, _key: None
    assert duplicates_left(Ledger(storage), NOW) == 4
    assert read_entries(storage) == [issued(NOW)]


def test_a_full_disk_loses_nothing_in_memory() -> None:
    """What could not be written counts, and is written with the next entry."""
    storage = MemoryStorage()
    ledger = Ledger(storage)
    storage.before = fail_on("store")
    ledger.add(issued(NOW))
    assert duplicates_left(ledger, NOW) == 4
    storage.before = lambda _operation, _key: None
    ledger.add(issued(NOW + 1))
    assert read_entries(storage) == [issued(NOW), issued(NOW + 1)]


def test_a_storage_that_cannot_be_read_is_an_empty_ledger() -> None:
    """For the manager; whoever only looks is told."""
    storage = MemoryStorage()
    storage.before = fail_on("list")
    assert duplicates_left(Ledger(storage), NOW) == 5
    with pytest.raises(StorageError):
        read_entries(storage)


@given(st.binary(max_size=200))
def test_any_bytes_are_entries_or_damage(data: bytes) -> None:
    """Every line is one or the other."""
    entries, damaged = parse_lines(data)
    assert len(entries) + damaged == len(data.splitlines())
