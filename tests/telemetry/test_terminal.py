"""What a stream can show."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from edge.telemetry.terminal import ASCII, UNICODE, is_terminal, marks_for, printable, wants_colour
from tests.telemetry.streams import AsciiTerminal, Terminal


def test_marks_are_ascii_where_the_encoding_has_no_others() -> None:
    """A mark must never fail a start."""
    assert marks_for(Terminal()) is UNICODE
    assert marks_for(AsciiTerminal()) is ASCII
    assert marks_for(io.StringIO()) is ASCII


def test_colour_needs_a_terminal_and_permission() -> None:
    """NO_COLOR and dumb terminals are respected."""
    assert wants_colour(Terminal(), {})
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert not wants_colour(Terminal(), {"TERM": "dumb"})
    assert not wants_colour(io.StringIO(), {})


def test_a_closed_stream_is_no_terminal() -> None:
    """Daemons close theirs."""
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(closed)


@given(st.text())
def test_printable_text_moves_no_cursor_and_breaks_no_line(text: str) -> None:
    """Neither escapes, nor line breaks of any kind, nor reordering; and it can be encoded."""
    shown = printable(text)
    assert not set(shown) & set("\x1b\r\n\x00\x7f\x9b\u2028\u202e\u2066")
    assert shown.encode().decode() == shown
    assert len(shown.splitlines()) <= 1


def test_ordinary_text_stays_as_it_is() -> None:
    """Also beyond ASCII."""
    assert printable("Bücher → 例え") == "Bücher → 例え"
