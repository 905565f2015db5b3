"""Cache-Control, lifetimes, storability, keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.http.cache_control import FORBIDDEN, MAX_SECONDS, Directives, has_directive, parse_cache_control
from edge.http.cache_key import primary_key, sibling_key, variant_key, without_parameters
from edge.http.cache_status import forwarded, with_cache_status
from edge.http.caching import judge, lifetime_of, parse_vary, stored_fields, updated_fields
from edge.http.dates import format_http_date
from edge.http.message import Fields, ResponseHead
from tests.fakes import make_request

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (b"", Directives()),
        (b"public, max-age=60", Directives(public=True, max_age=60)),
        (b"Max-Age=60,S-MAXAGE=5", Directives(max_age=60, s_maxage=5)),
        (b'max-age="60"', Directives(max_age=60)),
        (b"max-age=60, max-age=10", Directives(max_age=10)),
        (b"max-age", Directives(max_age=0)),
        (b"max-age=-1", Directives(max_age=0)),
        (b"max-age=1.5", Directives(max_age=0)),
        (b"max-age=99999999999999999999", Directives(max_age=MAX_SECONDS)),
        (b"s-max-age=60", Directives()),
        (b'private="x-name"', Directives(private=True)),
        (b'no-cache="set-cookie, x"', Directives(no_cache=True)),
        (b'x="a, no-store", public', Directives(public=True)),
        (b"stale-while-revalidate=5, stale-if-error=7", Directives(stale_while_revalidate=5, stale_if_error=7)),
        (b"must-revalidate , proxy-revalidate", Directives(must_revalidate=True, proxy_revalidate=True)),
        (b", ,no-store,,", Directives(no_store=True)),
        (b"immutable, x-own=7", Directives()),
        (b"public; max-age=60", FORBIDDEN),
        (b'public, x="no end', FORBIDDEN),
        (b"max-age = 60", FORBIDDEN),
    ],
)  # fmt: skip
def test_directives(value: bytes, meaning: Directives) -> None:
    """Names in any case, quoted or not; what is doubtful makes a response less cacheable."""
    assert parse_cache_control(value) == meaning


@given(st.binary(max_size=60))
def test_any_value_has_a_meaning(value: bytes) -> None:
    """No input raises, and numbers stay within bounds."""
    found = parse_cache_control(value)
    for number in (found.max_age, found.s_maxage, found.stale_if_error, found.stale_while_revalidate):
        assert number is None or 0 <= number <= MAX_SECONDS


@given(st.lists(st.sampled_from((b"public", b"max-age=60", b"no-store", b'x="a,b"', b"private", b"s-maxage=5"))))
def test_order_and_repetition_mean_nothing(words: list[bytes]) -> None:
    """A list field (RFC 9110 §5.6.1)."""
    assert parse_cache_control(b",".join(words)) == parse_cache_control(b" , ".join(sorted(set(words))))


def lifetime(*fields: tuple[bytes, bytes], asked_at: float = NOW, ttl: float = 0) -> tuple[float, float] | None:
    """Seconds of freshness left, and the age."""
    head = ResponseHead(200, fields)
    control = b", ".join(value for name, value in fields if name == b"cache-control")
    found = lifetime_of(head, parse_cache_control(control), asked_at, NOW, ttl)
    return None if found is None else (found.left(NOW), found.age(NOW))


def at(seconds: float) -> bytes:
    return format_http_date(NOW + seconds)


def test_lifetimes() -> None:
    """s-maxage, else max-age, else Expires less Date, else the operator's, else none; less the age that it came with."""
    assert lifetime() is None
    assert lifetime((b"last-modified", at(-1000))) is None
    assert lifetime(ttl=30) == (30, 0)
    assert lifetime((b"expires", at(60)), ttl=30) == (60, 0)
    assert lifetime((b"cache-control", b"max-age=10"), (b"expires", at(60))) == (10, 0)
    assert lifetime((b"cache-control", b"max-age=10, s-maxage=99"), (b"expires", at(60))) == (99, 0)
    assert lifetime((b"cache-control", b"max-age=100"), (b"age", b"40")) == (60, 40)
    assert lifetime((b"cache-control", b"max-age=100"), (b"age", b"40"), asked_at=NOW - 5) == (55, 45)
    assert lifetime((b"expires", b"0")) == (0, 0)
    assert lifetime((b"expires", b"Thu, 01 Jan 1970 00:00:00 GMT")) is not None
    assert lifetime((b"expires", at(60)), (b"date", at(0)), (b"age", b"x")) == (60, 0)


def test_an_old_date_counts_as_age() -> None:
    """RFC 9111 §4.2.3: a cache before us that says no Age."""
    found = lifetime((b"cache-control", b"max-age=100"), (b"date", at(-30)))
    assert found is not None
    assert found[0] == pytest.approx(71)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(-(10**6), 10**6))
def test_age_and_what_is_left_add_up(seconds: int, age: int, later: int) -> None:
    """Whatever the clock does, Age is no negative number."""
    control = b"max-age=%d" % seconds
    found = lifetime_of(ResponseHead(200, ((b"age", b"%d" % age),)), parse_cache_control(control), NOW, NOW)
    assert found is not None
    assert found.age(NOW + later) == max(0, age + later)
    assert found.left(NOW + later) == pytest.approx(seconds - age - later)


PUBLIC: Fields = ((b"cache-control", b"public, max-age=60"),)


@pytest.mark.parametrize("status", [206, 304, 400, 401, 403, 405, 412, 414, 416, 429, 500, 501, 503])
def test_statuses_that_are_never_kept(status: int) -> None:
    """Parts, errors, and what one request brought upon itself."""
    assert judge(make_request(), ResponseHead(status, PUBLIC), NOW, NOW) is None


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 302, 307, 308, 404, 410])
def test_statuses_that_are_kept_with_a_lifetime(status: int) -> None:
    """With the origin's own lifetime only; the operator's is for a few of them."""
    assert judge(make_request(), ResponseHead(status, PUBLIC), NOW, NOW) is not None
    kept = judge(make_request(), ResponseHead(status, ()), NOW, NOW, 60)
    assert (kept is not None) == (status in (200, 301, 308))


def test_vary() -> None:
    """Names in any case and order; what depends on who asks is not kept."""
    assert parse_vary(()) == ()
    assert parse_vary(((b"vary", b"Accept-Language, accept"), (b"vary", b"ACCEPT"))) == (b"accept", b"accept-language")
    for value in (b"*", b"accept, *", b"Cookie", b"accept,cookie", b"Authorization"):
        assert parse_vary(((b"vary", value),)) is None


def test_fields_of_one_exchange_are_not_stored() -> None:
    """And a response without a date gets one."""
    fields = ((b"age", b"7"), (b"x-request-id", b"1"), (b"etag", b'"a"'))
    assert stored_fields(fields, NOW) == ((b"etag", b'"a"'), (b"date", at(0)))


def test_a_304_replaces_fields_by_name() -> None:
    """All lines of the name, but for what describes the body (RFC 9111 §3.2)."""
    old = ((b"etag", b'"a"'), (b"link", b"</1>"), (b"link", b"</2>"), (b"content-type", b"text/css"), (b"x", b"1"))
    new = ((b"date", at(5)), (b"link", b"</3>"), (b"content-type", b"text/html"), (b"content-length", b"0"))
    assert updated_fields(old, new, NOW) == (old[0], old[3], old[4], (b"date", at(5)), (b"link", b"</3>"))


@given(st.binary(min_size=1), st.binary(min_size=1))
def test_different_targets_have_different_keys(one: bytes, other: bytes) -> None:
    """Byte for byte."""
    first, second = (primary_key(make_request(b"/" + target)) for target in (one, other))
    assert (first == second) == (one == other)


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_different_values_are_different_variants(one: bytes, other: bytes) -> None:
    """But for spaces around commas; a field that is missing is not an empty one."""

    def key(value: bytes) -> bytes:
        return variant_key(make_request("/", b"GET", [(b"x", value)]), (b"x",))

    def bare(value: bytes) -> list[bytes]:
        return [part.strip(b" \t") for part in value.split(b",")]

    assert (key(one) == key(other)) == (bare(one) == bare(other))
    assert key(b"") != variant_key(make_request(), (b"x",))


def test_siblings_have_the_same_origin() -> None:
    """Nobody makes a cache forget what others have said."""
    request = make_request("/a")
    assert sibling_key(request, b"/b?c#d") == b"https://a.test/b?c"
    assert sibling_key(request, b"https://a.test/b") == b"https://a.test/b"
    for reference in (b"//b.test/x", b"https://b.test/", b"http://a.test/", b"https://a.test.b.test/", b"b", b""):
        assert sibling_key(request, reference) is None


@pytest.mark.parametrize(
    ("target", "left"),
    [
        (b"/a", b"/a"),
        (b"/a?", b"/a?"),
        (b"/a?b", b"/a?b"),
        (b"/a?x=1&b=2&x", b"/a?b=2"),
        (b"/a?x=1", b"/a"),
        (b"/a?xx=1&&%78=1", b"/a?xx=1&&%78=1"),
        (b"/x?a?x=1", b"/x?a?x=1"),
    ],
)
def test_parameters_that_do_not_count(target: bytes, left: bytes) -> None:
    """By their name as it stands in the URL; everything else stays as it is."""
    assert without_parameters(target, frozenset((b"x",))) == left


def test_cache_status_stands_behind_that_of_other_caches() -> None:
    """RFC 9211 §2: nearer to the visitor, further to the right."""
    fields = ((b"cache-status", b"origin; hit"), (b"etag", b'"a"'))
    member = forwarded(b"stale", status=304, stored=True, collapsed=True)
    assert with_cache_status(fields, member) == (
        (b"etag", b'"a"'),
        (b"cache-status", b"origin; hit, edge; fwd=stale; fwd-status=304; stored; collapsed"),
    )


def test_request_directives() -> None:
    """Members of a list, in any case."""
    assert has_directive(b"max-age=0, No-Store", b"no-store")
    assert not has_directive(b"x-no-store", b"no-store")
    assert not has_directive(None, b"no-store")
