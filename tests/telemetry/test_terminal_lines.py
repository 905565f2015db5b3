"""Log lines for a person at a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog import DropEvent

from edge.telemetry.phrases import phrase_for
from edge.telemetry.terminal_lines import START, TerminalLines
from tests.telemetry.streams import Terminal

ISSUED = {
    "name": "example.com", "ca": "Let's Encrypt", "serial": "ab", "not_after": "2027-02-20T10:00:00Z",
    "renewal": "2027-01-21T08:00:00Z (share of its lifetime)",
}  # fmt: skip
FAILED = {
    "name": "example.com", "phase": "challenge", "ca": "Let's Encrypt", "attempt": 1, "kind": "validation",
    "cause": "example.com (http-01): connection refused", "check": "does the name point to this machine?",
    "next_try": "2027-01-21T08:00:00Z (in 63 s)", "serving": "a self-signed placeholder; browsers warn",
}  # fmt: skip


class Clock:
    """Seconds since a start."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def say(level: str, room: str, event: str, fields: dict[str, Any], after: float = 0.0) -> str:
    """The line for an event so long after the start."""
    clock = Clock()
    lines = TerminalLines(Terminal(), {"NO_COLOR": "1"}, wall_clock=lambda: 0.0, monotonic=clock)
    clock.now += after
    return lines(None, level, {"level": level, "room": room, "event": event, **fields})


def test_a_start_is_one_aligned_block() -> None:
    """What is under way, what it came to, what went wrong and what to do: no key=value, no time of day."""
    progress = {"name": "example.com", "phase": "account", "ca": "Let's Encrypt"}
    assert say("info", "certs", "certificate progress", progress) == (
        "  … certificate asking Let's Encrypt for example.com"
    )
    assert say("info", "certs", "certificate issued", ISSUED) == (
        "  ✓ certificate example.com by Let's Encrypt, valid until 2027-02-20, renews itself around 2027-01-21"
    )
    assert say("warning", "certs", "certificate attempt failed", FAILED) == (
        "  ! certificate example.com not issued by Let's Encrypt (challenge, attempt 1)\n"
        "                example.com (http-01): connection refused\n"
        "                Next try 2027-01-21T08:00:00Z (in 63 s). Serving a self-signed placeholder; browsers warn.\n"
        "      fix       does the name point to this machine?"
    )
    assert say("warning", "process", "workers run as root", {"fix": "name another: --user www-data"}) == (
        "  ! user        workers run as root\n      fix       name another: --user www-data"
    )


def test_later_lines_have_the_time() -> None:
    """A minute after the start, in local time; details stay aligned."""
    refusal = {"complaints": ["edge.toml:1: no"], "hints": []}
    line = say("error", "process", "reload refused, serving as before", refusal, after=START)
    first, second = line.splitlines()
    assert first[8:] == "  ✗ reload      refused, serving as before"
    assert second == " " * 24 + "edge.toml:1: no"


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("certificate progress", {"name": "a", "phase": "order", "ca": "b"}),
        ("renewal window", {"name": "a", "start": "", "end": ""}),
    ],
)
def test_what_only_machines_want_is_not_shown(event: str, fields: dict[str, Any]) -> None:
    """The steps of an order are over in seconds; its end is told."""
    with pytest.raises(DropEvent):
        say("info", "certs", event, fields)


def test_other_events_show_their_fields() -> None:
    """Causes and remedies below; pids are for machines."""
    fields = {"pid": 1, "size": 3, "problem": "disk full", "hints": ["delete something", "or buy a disk"]}
    assert say("error", "a", "it failed", fields) == (
        "  ✗ a           it failed  size=3\n"
        "                disk full\n"
        "      fix       delete something\n"
        "      or        buy a disk"
    )


def test_an_event_whose_fields_have_changed_is_still_shown() -> None:
    """A sentence that cannot be made gives way to the event as it is."""
    phrase = phrase_for("certs", "certificate issued", {"serial": "ab"})
    assert phrase is not None
    assert phrase.text == "certificate issued  serial=ab"


@given(st.dictionaries(st.sampled_from([*ISSUED, *FAILED, "fix", "hints", "complaints"]), st.text() | st.integers()))
def test_no_field_breaks_a_phrase(fields: dict[str, Any]) -> None:
    """Whatever fields hold, there is a phrase."""
    for event in ("certificate issued", "certificate attempt failed", "something else"):
        assert phrase_for("certs", event, fields) is not None
