"""The one reading of a request target."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import RequestRefused
from edge.http.path import format_path, parse_path
from edge.http.prefixes import PrefixTable

SEGMENT = st.binary(max_size=12).filter(
    lambda raw: not any(byte < 32 or byte in (127, 92) for byte in raw) and raw not in (b".", b"..")
)
TARGET = st.text(alphabet="/.%25eEfF0aAsS?;~", max_size=40).map(lambda text: ("/" + text).encode())


@pytest.mark.parametrize(
    ("target", "segments"),
    [
        (b"/", (b"",)),
        (b"/a/b.css", (b"a", b"b.css")),
        (b"/a/", (b"a", b"")),
        (b"/a%20b", (b"a b",)),
        (b"/%61", (b"a",)),
        (b"/caf%C3%A9", ("café".encode(),)),
        (b"/%252e%252e/x", (b"%2e%2e", b"x")),
        (b"/a/./b", (b"a", b"b")),
        (b"/a/.", (b"a", b"")),
        (b"/a/b/..", (b"a", b"")),
        (b"/a/%2e%2E/b", (b"b",)),
        (b"/a/..", (b"",)),
        (b"//a.svg", (b"", b"a.svg")),
        (b"/a//../b", (b"a", b"b")),
        (b"/a%2Fb", (b"a/b",)),
        (b"/..%2f..%2fetc", (b"../../etc",)),
        (b"/....//x", (b"....", b"", b"x")),
        (b"/.../x", (b"...", b"x")),
        (b"/%c0%ae/x", (b"\xc0\xae", b"x")),
    ],
)
def test_a_path_is_decoded_once_and_its_dots_are_resolved(target: bytes, segments: tuple[bytes, ...]) -> None:
    """Each segment is decoded exactly once, `.` and `..` are resolved, slashes are neither merged nor made."""
    assert parse_path(target).segments == segments


@pytest.mark.parametrize(
    "target",
    [
        b"", b"*", b"a", b"/%", b"/%1", b"/%zz", b"/a%2", b"/%00", b"/a%00.jpg", b"/%0d%0a", b"/%7f", b"/..%5c..%5cx",
        b"/\\", b"/..", b"/a/../..", b"/%2e%2e/x", b"/" + b"%2e%2e%2f" * 3 + b"%2e%2e/../..", b"/static/../../etc",
    ],
)  # fmt: skip
def test_what_no_path_may_hold_is_refused(target: bytes) -> None:
    """Broken percent signs, controls, backslashes and dots above the root are 400."""
    with pytest.raises(RequestRefused) as refusal:
        parse_path(target)
    assert refusal.value.status == 400


@pytest.mark.parametrize(("target", "query"), [(b"/a", None), (b"/a?", b""), (b"/a?b=%zz?c", b"b=%zz?c")])
def test_the_query_is_left_alone(target: bytes, query: bytes | None) -> None:
    """Everything behind the first question mark is the query, as it is."""
    assert parse_path(target).query == query


@given(st.lists(SEGMENT, min_size=1, max_size=6).map(tuple))
def test_a_path_survives_formatting(segments: tuple[bytes, ...]) -> None:
    """The canonical spelling of a path reads as that path."""
    spelled = format_path(segments)
    assert parse_path(spelled).segments == segments
    assert spelled.isascii()
    assert not set(b"?#\\ ") & set(spelled)


@given(TARGET)
def test_any_target_is_read_or_refused(target: bytes) -> None:
    """A target becomes segments without dots, or is refused; reading its canonical spelling changes nothing."""
    try:
        path = parse_path(target)
    except RequestRefused:
        return
    assert path.segments
    assert not {b".", b".."} & set(path.segments)
    assert parse_path(format_path(path.segments)).segments == path.segments


@pytest.fixture
def table() -> PrefixTable:
    return PrefixTable(["/static", "/media", "/static/admin", "/dépôt"])


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/static", 0),
        (b"/static/", 0),
        (b"/static?x", 0),
        (b"/static/a.css?x=/media/", 0),
        (b"/static-private/a", None),
        (b"/staticx", None),
        (b"/Static/a", None),
        (b"/static/admin", 2),
        (b"/static/admin/x", 2),
        (b"/static/administrator", 0),
        (b"/media/./x", 1),
        (b"/media/a/../x", 1),
        (b"/%73tatic/a", 0),
        (b"/static%2fa", None),
        (b"//static/a", None),
        (b"/d%C3%A9p%c3%b4t/a", 3),
        (b"/.well-known/x", None),
        (b"/", None),
        (b"/a/../b", None),
    ],
)
def test_the_longest_prefix_by_whole_segments_wins(table: PrefixTable, target: bytes, found: int | None) -> None:
    """A prefix holds whole segments of the resolved path, in their letter case, and the longest one counts."""
    assert table.match(target) == found


@pytest.mark.parametrize(
    "target",
    [
        b"/static/../account",
        b"/account/../static/a",
        b"/static/%2e%2e/media/a",
        b"/static/admin/../x",
        b"/static/x/../admin/y",
    ],
)
def test_dots_may_not_lead_from_one_route_to_another(table: PrefixTable, target: bytes) -> None:
    """A target whose two readings lie under different prefixes is refused: somebody else would route it differently."""
    with pytest.raises(RequestRefused):
        table.match(target)


def test_the_empty_prefix_holds_everything() -> None:
    """A mount of the root is the last resort for every path."""
    table = PrefixTable(["", "/static"])
    assert [table.match(target) for target in (b"/", b"/x", b"//x", b"/static/x", b"/%2fx")] == [0, 0, 0, 1, 0]


@given(TARGET)
def test_the_quick_and_the_careful_match_agree(target: bytes) -> None:
    """A path without percent signs and dots lies under the same prefix whichever way it is looked at."""
    table = PrefixTable(["/s", "/s/a", "/e"])
    try:
        segments = parse_path(target).segments
        quick = table.match(target)
    except RequestRefused:
        return
    assert table.match(format_path(segments)) == quick
