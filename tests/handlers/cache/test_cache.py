"""The response cache: what is answered from the store, what is asked, and what the answer does to the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.maintenance import MaintenanceNotice
from edge.config.purge import Purge
from edge.config.schema import Caching
from edge.errors import HTTPError
from edge.handlers.compress import Compress
from edge.handlers.error_page import respond_error
from edge.http.exchange import Exchange
from edge.http.message import Field, Fields, ResponseHead
from tests.fakes import FakeExchange, make_request
from tests.handlers.cache.scenes import FRESH, Scene

LONG = bytes(range(256)) * 1024
"""256 KiB: a body with a file of its own."""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def takes(exchange: Exchange) -> bool:
    """Asked anew."""
    return exchange.can_send


def control(value: bytes, *more: Field) -> Fields:
    return ((b"cache-control", value), (b"etag", b'"one"'), *more)


# -- from the store -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"hello", b"", LONG])
def test_a_hit_is_the_stored_response_with_its_age(scene: Scene, body: bytes) -> None:
    """The application is asked once; Age, Cache-Status and the request id are those of the moment."""
    first = scene.get(body=body)
    assert (first.body, first.cache_verdict) == (body, "miss")
    assert first.field("cache-status") == "edge; fwd=uri-miss; stored"
    scene.pass_time(7)
    second = scene.get()
    assert (second.status, second.body, second.cache_verdict) == (200, body, "hit")
    assert second.field("age") == "7"
    assert second.field("cache-status") == "edge; hit; ttl=53"
    assert second.field("x-request-id") == second.request_id
    assert second.field("content-type") == "text/plain"
    assert scene.questions == 1


def test_what_is_stale_is_asked_for_anew(scene: Scene) -> None:
    """After its lifetime, not a second earlier."""
    scene.get()
    scene.pass_time(59)
    assert scene.get().cache_verdict == "hit"
    scene.pass_time(2)
    again = scene.get(body=b"new")
    assert (again.body, again.cache_verdict) == (b"new", "expired")
    assert scene.get().body == b"new"


def test_the_key_is_scheme_authority_and_target_byte_for_byte(scene: Scene) -> None:
    """No two spellings are taken for one resource."""
    for target in ("/a", "/A", "/a?", "/a?x=1&y=2", "/a?y=2&x=1", "/%61", "//a", "/a/"):
        assert scene.get(target, body=target.encode()).body == target.encode()
    assert scene.questions == 8


@pytest.mark.parametrize(
    "condition", [(b"if-none-match", b'"x", W/"one"'), (b"if-modified-since", b"Thu, 01 Jan 2099 00:00:00 GMT")]
)
def test_a_visitor_who_has_it_gets_304(scene: Scene, condition: Field) -> None:
    """From the first question on, which goes out without the condition so that everybody gets something from it."""
    fields = (*FRESH, (b"last-modified", b"Wed, 01 Jan 2020 00:00:00 GMT"), (b"vary", b"accept"))
    for verdict in ("miss", "hit"):
        exchange = scene.get("/", condition, fields=fields)
        assert (exchange.status, exchange.body, exchange.cache_verdict) == (304, b"", verdict)
        assert exchange.field("etag") == '"one"'
        assert exchange.field("vary") == "accept"
        assert exchange.field("content-type") is None
    assert scene.application.requests[0].field(condition[0]) is None
    assert scene.get(fields=fields).body == b"hello"


def test_head_is_answered_from_a_stored_get(scene: Scene) -> None:
    """With the length, without the body; a HEAD that finds nothing passes and stores nothing."""
    missed = scene.begin(method=b"HEAD")
    scene.application.answer(b"")
    assert missed.cache_verdict == "bypass"
    scene.get()
    exchange = scene.begin(method=b"HEAD")
    assert (exchange.status, exchange.body, exchange.cache_verdict) == (200, b"", "hit")
    assert exchange.head is not None
    assert exchange.head.content_length == 5


@pytest.mark.parametrize("body", [b"0123456789", LONG])
def test_ranges_are_cut_from_a_stored_response(scene: Scene, body: bytes) -> None:
    """One, several, none that exists; If-Range with another tag gets the whole."""
    scene.get(body=body)
    one = scene.get("/", (b"range", b"bytes=2-4"))
    assert (one.status, one.body) == (206, body[2:5])
    assert one.field("content-range") == f"bytes 2-4/{len(body)}"
    last = scene.get("/", (b"range", b"bytes=-3"), (b"if-range", b'"one"'))
    assert (last.status, last.body) == (206, body[-3:])
    none = scene.get("/", (b"range", b"bytes=999999-"))
    assert (none.status, none.body) == (416, b"")
    other = scene.get("/", (b"range", b"bytes=2-4"), (b"if-range", b'"two"'))
    assert (other.status, other.body) == (200, body)
    assert scene.questions == 1


def test_a_range_across_slices_and_several_parts(scene: Scene) -> None:
    """Whatever the borders of what is read and checked at a time."""
    scene.get(body=LONG)
    start, stop = 65_530, 131_080
    assert scene.get("/", (b"range", b"bytes=%d-%d" % (start, stop - 1))).body == LONG[start:stop]
    parts = scene.get("/", (b"range", b"bytes=0-1,200000-200003"))
    assert parts.status == 206
    assert LONG[200_000:200_004] in parts.body
    assert str(parts.field("content-type")).startswith("multipart/byteranges")


def test_a_range_that_finds_nothing_passes_as_it_is(scene: Scene) -> None:
    """Parts are not stored, and nobody can have a 416 stored."""
    exchange = scene.get(
        "/", (b"range", b"bytes=0-1"), body=b"he", fields=(*FRESH, (b"content-range", b"bytes 0-1/5")), status=206
    )
    assert (exchange.status, exchange.body, exchange.cache_verdict) == (206, b"he", "bypass")
    assert scene.application.requests[0].field(b"range") == b"bytes=0-1"
    assert scene.get().cache_verdict == "miss"


# -- what is not stored ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ((b"etag", b'"one"'), (b"last-modified", b"Wed, 01 Jan 2020 00:00:00 GMT")),
        control(b"private, max-age=60"),
        control(b"no-store"),
        control(b"no-cache, max-age=60"),
        control(b"max-age=0"),
        control(b"max-age=60", (b"set-cookie", b"a=1")),
        control(b"public, max-age=60", (b"vary", b"Accept, Cookie")),
        control(b"public, max-age=60", (b"vary", b"*")),
        control(b"max-age=60", (b"x-accel-redirect", b"/secret")),
        control(b"max-age=60", (b"content-type", b"text/event-stream")),
    ],
)  # fmt: skip
def test_what_is_not_for_everybody_passes(scene: Scene, fields: Fields) -> None:
    """Each visitor asks for himself, and no file is left."""
    for number in range(2):
        exchange = scene.get(fields=fields, body=b"%d" % number)
        assert exchange.body == b"%d" % number
        assert exchange.field("cache-status") == "edge; fwd=uri-miss"
    assert scene.questions == 2
    assert scene.files() == []


@pytest.mark.parametrize("status", [400, 401, 403, 405, 500, 502, 503])
def test_errors_are_not_stored(scene: Scene, status: int) -> None:
    """A strange request must not be able to put its error in everybody's way."""
    scene.get(status=status)
    assert scene.get().status == 200
    assert scene.questions == 2


def test_a_request_with_a_cookie_stores_only_what_is_marked_for_sharing(scene: Scene) -> None:
    """A page that forgets Vary: Cookie forgets public too. What is stored already is for everybody."""
    cookie = (b"cookie", b"sessionid=1")
    scene.get("/page", cookie)
    assert scene.get("/page").cache_verdict == "miss"
    assert scene.get("/page", cookie).cache_verdict == "hit"
    scene.get("/shared", cookie, fields=control(b"public, max-age=60"))
    assert scene.get("/shared").cache_verdict == "hit"


def test_authorization_reads_and_stores_only_what_is_marked_for_sharing(scene: Scene) -> None:
    """RFC 9111 §3.5; and nobody waits for a question with somebody's credentials."""
    who = (b"authorization", b"Bearer x")
    scene.get("/page", who)
    assert scene.get("/page", body=b"public").body == b"public"
    assert scene.get("/page", who, body=b"own").body == b"own"
    assert scene.get("/page").body == b"public"
    scene.get("/shared", who, fields=control(b"s-maxage=60"))
    assert scene.get("/shared", who).cache_verdict == "hit"
    one, two = scene.begin("/x", who), scene.begin("/x", who)
    scene.application.answer()
    scene.application.answer()
    assert one.is_ended
    assert two.is_ended


@pytest.mark.parametrize(
    "field",
    [
        (b"x-http-method-override", b"DELETE"),
        (b"x-http-method", b"POST"),
        (b"if-match", b'"x"'),
        (b"if-unmodified-since", b"Wed, 01 Jan 2020 00:00:00 GMT"),
        (b"cache-control", b"no-store"),
    ],
)
def test_odd_requests_neither_ask_for_others_nor_store(scene: Scene, field: Field) -> None:
    """What they get may be theirs alone."""
    assert scene.get("/", field, body=b"odd").cache_verdict == "bypass"
    assert scene.get(body=b"normal").body == b"normal"


@pytest.mark.parametrize(
    "field",
    [
        (b"cache-control", b"no-cache"),
        (b"cache-control", b"max-age=0"),
        (b"pragma", b"no-cache"),
        (b"cache-control", b"no-store"),
    ],
)
def test_a_visitor_cannot_force_a_question(scene: Scene, field: Field) -> None:
    """What he says about caching is advice (RFC 9111 §5.2.1)."""
    scene.get()
    assert scene.get("/", field).cache_verdict == "hit"


def test_only_if_cached_asks_nobody(scene: Scene) -> None:
    """504 without an answer in store (RFC 9111 §5.2.1.7)."""
    wish = (b"cache-control", b"only-if-cached")
    assert scene.get("/", wish).status == 504
    assert scene.questions == 0
    scene.get()
    assert scene.get("/", wish).status == 200


def test_maintenance_is_not_hidden(scene: Scene) -> None:
    """While it lasts every question reaches the proxy, which answers it."""
    scene.get()
    scene.maintenance.replace(MaintenanceNotice())
    assert scene.get(body=b"closed", fields=(), status=503).status == 503
    scene.maintenance.replace(None)
    assert scene.get().cache_verdict == "hit"


def test_the_operators_lifetime_is_for_responses_that_say_nothing(tmp_path: Path) -> None:
    """Those that say something mean it."""
    scene = Scene(tmp_path, Caching(ttl=30))
    scene.get("/silent", fields=())
    scene.get("/said", fields=control(b"no-store"))
    scene.get("/error", fields=(), status=404)
    assert scene.get("/silent").cache_verdict == "hit"
    assert scene.get("/said").cache_verdict == "miss"
    assert scene.get("/error").cache_verdict == "miss"
    scene.pass_time(31)
    assert scene.get("/silent").cache_verdict == "expired"


def test_ignored_parameters_reach_neither_key_nor_application(tmp_path: Path) -> None:
    """What the key does not see must not change the answer."""
    scene = Scene(tmp_path, Caching(ignore_query=("utm_source", "fbclid")))
    scene.get("/a?x=1&utm_source=mail")
    assert scene.application.requests[0].target == b"/a?x=1"
    assert scene.get("/a?fbclid=9&x=1").cache_verdict == "hit"
    assert scene.get("/a?x=2&utm_source=mail").cache_verdict == "miss"


# -- one question for many ------------------------------------------------------------------------------------------------


def test_many_who_want_the_same_ask_once(scene: Scene) -> None:
    """And each gets the answer with his own request id."""
    visitors = [scene.begin() for _ in range(50)]
    assert len(scene.application.asked) == 1
    scene.application.answer()
    scene.run()
    assert all(each.body == b"hello" for each in visitors)
    assert [each.cache_verdict for each in visitors] == ["miss", *["collapsed"] * 49]
    assert visitors[7].field("cache-status") == "edge; fwd=uri-miss; stored; collapsed"
    assert len(scene.deadlines) == 0


def test_an_announced_length_is_read_by_all_while_it_comes(scene: Scene) -> None:
    """Head and bytes reach everybody when they reach edge."""
    visitors = [scene.begin() for _ in range(3)]
    exchange = scene.application.take()
    exchange.send_head(ResponseHead(200, FRESH, len(LONG)))
    assert [each.status for each in visitors] == [200] * 3
    exchange.send_body(LONG[:100_000])
    scene.run()
    assert [each.body for each in visitors] == [LONG[:100_000]] * 3
    late = scene.begin()
    exchange.send_body(LONG[100_000:])
    exchange.end()
    scene.run()
    assert [each.body for each in (*visitors, late)] == [LONG] * 4
    assert scene.get().cache_verdict == "hit"


def test_an_unknown_length_reaches_the_first_visitor_as_it_comes(scene: Scene) -> None:
    """The others get it when it is sure that all of it is there."""
    first, second = scene.begin(), scene.begin()
    exchange = scene.application.take()
    exchange.send_head(ResponseHead(200, FRESH, None))
    exchange.send_body(b"one ")
    scene.run()
    assert (first.body, second.head) == (b"one ", None)
    exchange.send_body(b"two")
    exchange.end()
    scene.run()
    assert (first.body, second.body) == (b"one two", b"one two")
    assert first.is_ended
    assert scene.get().body == b"one two"


def test_what_is_not_to_be_kept_lets_everybody_go_at_once(scene: Scene) -> None:
    """At its head, not at its end; and for a while nobody waits for the next one."""
    visitors = [scene.begin() for _ in range(3)]
    exchange = scene.application.take()
    exchange.send_head(ResponseHead(200, control(b"no-store"), None))
    assert len(scene.application.asked) == 2
    exchange.send_body(b"mine")
    exchange.end()
    scene.application.answer(b"two", ())
    scene.application.answer(b"three", ())
    assert [each.body for each in visitors] == [b"mine", b"two", b"three"]
    for _ in range(3):
        scene.begin()
    assert len(scene.application.asked) == 3


def test_what_comes_before_the_head_reaches_who_asked(scene: Scene) -> None:
    """103 Early Hints are for the visitor whose question went out."""
    first, second = scene.begin(), scene.begin()
    scene.application.asked[0].send_interim(103, ((b"link", b"</a.css>"),))
    scene.application.answer()
    assert first.interim == [(103, ((b"link", b"</a.css>"),))]
    assert second.interim == []


def test_a_page_that_becomes_storable_is_stored_although_nobody_waits_for_it(scene: Scene) -> None:
    """What was not to be kept is looked at each time."""
    scene.get(fields=())
    assert scene.get().cache_verdict == "miss"
    assert scene.get().cache_verdict == "hit"


def test_two_workers_ask_once(scene: Scene) -> None:
    """Visitors of the other worker get it from the store as soon as it is there."""
    other = scene.worker()
    here, there = scene.begin(), [scene.begin(cache=other) for _ in range(3)]
    scene.loop.turn()
    assert len(scene.application.asked) == 1
    assert all(each.head is None for each in there)
    scene.application.answer()
    scene.run()
    assert here.body == b"hello"
    assert [each.body for each in there] == [b"hello"] * 3
    assert scene.questions == 1


def test_two_workers_do_not_queue_for_what_is_not_kept(scene: Scene) -> None:
    """The other worker hears that waiting is of no use."""
    other = scene.worker()
    scene.begin()
    for _ in range(3):
        scene.begin(cache=other)
    scene.application.answer(fields=())
    scene.run()
    assert len(scene.application.asked) == 3


def test_each_variant_is_asked_for_once(scene: Scene) -> None:
    """Those who wait for a response that turns out to be another visitor's look again."""
    vary = (*FRESH, (b"vary", b"Accept-Language"))
    german = [scene.begin("/", (b"accept-language", b"de")) for _ in range(2)]
    french = [scene.begin("/", (b"accept-language", b"fr")) for _ in range(2)]
    scene.application.answer(b"hallo", vary)
    scene.run()
    assert [each.body for each in german] == [b"hallo"] * 2
    assert len(scene.application.asked) == 1
    scene.application.answer(b"salut", vary)
    scene.run()
    assert [each.body for each in french] == [b"salut"] * 2
    assert scene.get("/", (b"accept-language", b"de")).body == b"hallo"
    assert scene.get("/", (b"accept-language", b"fr")).body == b"salut"
    assert scene.questions == 2


def test_equal_wishes_in_other_words_are_one_variant(scene: Scene) -> None:
    """Order and spaces of Accept-Encoding mean nothing; weights do."""
    vary = (*FRESH, (b"vary", b"accept-encoding"))
    scene.get("/", (b"accept-encoding", b"gzip, deflate, br"), fields=vary)
    assert scene.get("/", (b"accept-encoding", b"br,gzip,deflate;q=1.0"), fields=vary).cache_verdict == "hit"
    assert scene.get("/", (b"accept-encoding", b"br,gzip;q=0,deflate"), fields=vary).cache_verdict == "miss"


def test_whoever_waits_too_long_goes_alone(scene: Scene) -> None:
    """A slow page is not made slower than it is."""
    scene.begin()
    second = scene.begin()
    scene.pass_time(5.1)
    assert len(scene.application.asked) == 2
    scene.application.asked.pop(0)
    scene.application.answer(b"own")
    assert second.body == b"own"


def test_a_visitor_who_leaves_does_not_take_the_answer_along(scene: Scene) -> None:
    """Before the head and behind it."""
    first, second = scene.begin(), scene.begin()
    first.go_away()
    scene.application.answer()
    scene.run()
    assert second.body == b"hello"
    first, second = scene.begin("/long"), scene.begin("/long")
    exchange = scene.application.take()
    exchange.send_head(ResponseHead(200, FRESH, len(LONG)))
    first.go_away()
    exchange.send_body(LONG)
    exchange.end()
    scene.run()
    assert second.body == LONG
    assert scene.application.aborted == []


def test_the_application_need_not_work_for_nobody(scene: Scene) -> None:
    """When the last one has gone it hears of it, and the next visitor asks anew at once."""
    first, second = scene.begin(), scene.begin()
    second.go_away()
    first.go_away()
    assert scene.application.aborted == ["client-gone"]
    assert scene.get().body == b"hello"
    only = scene.begin("/long")
    scene.application.take().send_head(ResponseHead(200, FRESH, len(LONG)))
    only.go_away()
    assert len(scene.application.aborted) == 2
    assert len(scene.files()) == 1  # the short one


def test_a_slow_reader_holds_nobody_up(scene: Scene) -> None:
    """Neither the application nor those who read the same."""
    slow, quick = scene.begin(capacity=10), scene.begin()
    exchange = scene.application.take()
    exchange.send_head(ResponseHead(200, FRESH, len(LONG)))
    for start in range(0, len(LONG), 10_000):
        assert exchange.can_send
        exchange.send_body(LONG[start : start + 10_000])
    exchange.end()
    scene.run()
    assert quick.body == LONG
    assert not slow.is_over
    slow.take(10**9)
    scene.run()
    assert slow.body == LONG


def test_what_turns_out_too_large_streams_to_the_first_and_is_not_kept(tmp_path: Path) -> None:
    """At his pace from there on; the others go for themselves."""
    scene = Scene(tmp_path, Caching(max_body=100_000))
    first, second = scene.begin(capacity=50_000), scene.begin()
    exchange = scene.application.take()
    exchange.send_head(ResponseHead(200, FRESH, None))
    exchange.send_body(LONG[:90_000])
    assert exchange.can_send
    assert not scene.application.asked
    exchange.send_body(LONG[90_000:180_000])
    assert not takes(exchange)
    assert len(scene.application.asked) == 1
    first.take(10**9)
    scene.run()
    assert takes(exchange)
    exchange.send_body(LONG[180_000:])
    exchange.end()
    scene.run()
    assert first.body == LONG
    assert first.is_ended
    second.go_away()
    assert scene.files() == []


def test_what_is_announced_too_large_passes(tmp_path: Path) -> None:
    """Without a detour."""
    scene = Scene(tmp_path, Caching(max_body=1000))
    assert scene.get(body=LONG).body == LONG
    assert scene.files() == []


@pytest.mark.parametrize("length", [None, len(LONG)])
def test_an_origin_that_breaks_off_leaves_nothing(scene: Scene, length: int | None) -> None:
    """Everybody can see that something is missing; the next one asks anew."""
    first, second = scene.begin(), scene.begin()
    exchange = scene.application.take()
    exchange.send_head(ResponseHead(200, FRESH, length))
    exchange.send_body(LONG[:100_000])
    exchange.abort("upstream-truncated")
    scene.run()
    assert first.abort_reason == "upstream-truncated"
    if length is None:
        scene.application.answer()
        assert second.body == b"hello"
    else:
        assert second.abort_reason == "upstream-truncated"
        assert scene.get().body == b"hello"


def test_an_error_of_the_proxy_reaches_the_first_and_the_others_try_themselves(scene: Scene) -> None:
    """One after the other, until somebody gets an answer."""
    first, second, third = (scene.begin() for _ in range(3))
    respond_error(scene.application.take(), HTTPError(502, "upstream-refused"))
    assert first.status == 502
    assert len(scene.application.asked) == 1
    scene.application.answer()
    assert (second.body, third.body) == (b"hello", b"hello")


# -- revalidation -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"hello", LONG])
def test_a_304_renews_what_is_stored(scene: Scene, body: bytes) -> None:
    """Its fields replace those of the same name; the body stays, with what describes it."""
    scene.get(body=body, fields=(*FRESH, (b"x-version", b"1"), (b"last-modified", b"Wed, 01 Jan 2020 00:00:00 GMT")))
    scene.pass_time(61)
    visitors = [scene.begin() for _ in range(2)]
    request = scene.application.requests[-1]
    assert request.field(b"if-none-match") == b'"one"'
    assert request.field(b"if-modified-since") == b"Wed, 01 Jan 2020 00:00:00 GMT"
    scene.application.answer(b"", (*FRESH[:2], (b"content-type", b"text/html"), (b"x-version", b"2")), 304)
    scene.run()
    for each in visitors:
        assert (each.status, each.body, each.cache_verdict) == (200, body, "revalidated")
        assert each.field("x-version") == "2"
        assert each.field("content-type") == "text/plain"
        assert each.field("cache-status") == "edge; fwd=stale; fwd-status=304"
    scene.pass_time(30)
    assert scene.get().field("x-version") == "2"
    assert scene.questions == 2


def test_a_304_that_forbids_storing_ends_it(scene: Scene) -> None:
    """Its visitor gets what he asked for, the next one asks."""
    scene.get()
    scene.pass_time(61)
    exchange = scene.begin()
    scene.application.answer(b"", control(b"private, max-age=60"), 304)
    assert exchange.body == b"hello"
    assert scene.get(body=b"new").body == b"new"


def test_stale_while_revalidate(scene: Scene) -> None:
    """Everybody gets the old one at once while one question renews it; beyond its time it is stale."""
    fields = control(b"max-age=10, stale-while-revalidate=30")
    scene.get(fields=fields)
    scene.pass_time(15)
    visitors = [scene.begin() for _ in range(5)]
    assert [(each.body, each.cache_verdict) for each in visitors] == [(b"hello", "stale")] * 5
    assert visitors[0].field("cache-status") == "edge; hit; ttl=-5"
    assert len(scene.application.asked) == 1
    scene.application.answer(b"new", fields)
    assert scene.get().body == b"new"
    scene.pass_time(41)
    assert scene.get(body=b"newer", fields=fields).cache_verdict == "expired"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failed_renewal_keeps_the_old_one(scene: Scene, status: int) -> None:
    """Behind a visitor's back nobody sees an error."""
    scene.get(fields=control(b"max-age=10, stale-while-revalidate=60"))
    scene.pass_time(15)
    assert scene.get(status=status, fields=()).body == b"hello"
    assert scene.get(status=200, fields=()).body == b"hello"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_stale_if_error(scene: Scene, status: int) -> None:
    """In place of an error, edge's own too, for everybody who waits; not in place of other answers, not for ever."""
    scene.get(fields=control(b"max-age=10, stale-if-error=60"))
    scene.pass_time(15)
    visitors = [scene.begin() for _ in range(3)]
    respond_error(scene.application.take(), HTTPError(status, "upstream-refused"))
    assert [(each.status, each.body, each.cache_verdict) for each in visitors] == [(200, b"hello", "stale")] * 3
    scene.pass_time(60)
    assert scene.get(status=status, fields=()).status == status
    assert scene.get(status=404, fields=()).status == 404


def test_an_error_that_is_replaced_is_not_read_on(scene: Scene) -> None:
    """The application hears that nobody wants the rest."""
    scene.get(fields=control(b"max-age=10, stale-if-error=60"))
    scene.pass_time(15)
    visitor = scene.begin()
    exchange = scene.application.take()
    exchange.send_head(ResponseHead(500, (), None))
    assert scene.application.aborted == ["stored-sent"]
    exchange.send_body(b"traceback")
    exchange.end()
    assert visitor.body == b"hello"


@pytest.mark.parametrize("word", [b"must-revalidate", b"proxy-revalidate"])
def test_an_origin_that_forbids_stale_answers_is_heard(scene: Scene, word: bytes) -> None:
    """RFC 9111 §5.2.2.2."""
    scene.get(fields=control(b"max-age=10, stale-if-error=60, stale-while-revalidate=60, " + word))
    scene.pass_time(15)
    assert scene.get(status=500, fields=()).status == 500


# -- forgetting ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"UNHEARD-OF"])
def test_a_change_forgets_what_is_stored(scene: Scene, method: bytes) -> None:
    """For its own URL and those it names, of the same origin (RFC 9111 §4.4); an error changes nothing."""
    vary = (*FRESH, (b"vary", b"accept"))
    for target in ("/a", "/b", "/c"):
        scene.get(target, fields=vary)
    scene.begin("/a", method=method)
    scene.application.answer(b"", (), 500)
    assert scene.get("/a").cache_verdict == "hit"
    scene.begin("/a", method=method)
    scene.application.answer(b"", ((b"location", b"https://a.test/b"), (b"content-location", b"https://b.test/c")), 303)
    assert scene.get("/a", fields=vary).cache_verdict == "miss"
    assert scene.get("/b", fields=vary).cache_verdict == "miss"
    assert scene.get("/c", fields=vary).cache_verdict == "hit"


def test_a_change_also_forgets_what_is_on_its_way(scene: Scene) -> None:
    """What was asked for before the change may be from before the change."""
    scene.begin("/a")
    question = scene.application.take()
    scene.pass_time(1)
    scene.begin("/a", method=b"POST")
    scene.application.answer(b"", (), 204)
    question.respond(ResponseHead(200, FRESH, 3), b"old")
    scene.pass_time(1)
    assert scene.get("/a", body=b"new").body == b"new"
    assert scene.get("/a").cache_verdict == "hit"


@pytest.mark.parametrize("method", [b"OPTIONS", b"PROPFIND"])
def test_safe_methods_forget_nothing(scene: Scene, method: bytes) -> None:
    """RFC 9110 §9.2.1."""
    scene.get("/a")
    scene.begin("/a", method=method)
    scene.application.answer(b"", (), 200)
    assert scene.get("/a").cache_verdict == "hit"


@pytest.mark.parametrize(
    ("site", "pattern", "gone"),
    [
        ("", "", {"/", "/news/1", "/news?p=2"}),
        ("", "/news*", {"/news/1", "/news?p=2"}),
        ("", "/news/1", {"/news/1"}),
        ("", "https://a.test/news/*", {"/news/1"}),
        ("", "https://b.test/*", set()),
        ("a.test", "", {"/", "/news/1", "/news?p=2"}),
        ("b.test", "", set()),
    ],
)
def test_a_purge_forgets_what_was_asked_for_before_it(scene: Scene, site: str, pattern: str, gone: set[str]) -> None:
    """And lets be what is asked for later, in variants too."""
    targets = ("/", "/news/1", "/news?p=2")
    vary = (*FRESH, (b"vary", b"accept"))
    for target in targets:
        scene.get(target, fields=vary)
    scene.pass_time(1)
    scene.store.purge((Purge(scene.wall, site, pattern),))
    assert {target for target in targets if scene.get(target, fields=vary).cache_verdict == "miss"} == gone
    assert all(scene.get(target).cache_verdict == "hit" for target in targets)


def test_whoever_comes_after_a_purge_does_not_get_what_was_asked_for_before(scene: Scene) -> None:
    """Although it is still on its way, in one piece or growing."""
    for in_pieces in (False, True):
        first = scene.begin()
        question = scene.application.take()
        scene.pass_time(1)
        scene.store.purge((Purge(scene.wall),))
        scene.pass_time(1)
        second = scene.begin()
        if in_pieces:
            question.send_head(ResponseHead(200, FRESH, 3))
            question.send_body(b"old")
            question.end()
        else:
            question.respond(ResponseHead(200, FRESH, 3), b"old")
        scene.run()
        scene.application.answer(b"new")
        assert (first.body, second.body) == (b"old", b"new")
        scene.pass_time(61)


def test_a_clock_that_is_set_back_keeps_nothing_fresh_for_long(scene: Scene) -> None:
    """What seems to be from the future is not used."""
    scene.get()
    scene.wall -= 30
    assert scene.get().cache_verdict == "hit"
    scene.wall -= 86400
    assert scene.get().cache_verdict == "miss"


def test_compression_comes_after_the_cache(scene: Scene) -> None:
    """One stored response for all codings."""
    compressing = Compress(scene.cache, careful=True)
    bodies = []
    for coding in (b"gzip", b"identity", b"br"):
        exchange = FakeExchange(make_request("/", b"GET", [(b"accept-encoding", coding)]))
        compressing(exchange)
        while scene.application.asked:
            scene.application.answer(b"text " * 1000)
        assert exchange.is_ended
        bodies.append((exchange.field("content-encoding"), len(exchange.body)))
    assert bodies[1] == (None, 5000)
    assert bodies[0][0] == "gzip"
    assert bodies[2][0] == "br"
    assert scene.questions == 1


def test_what_is_on_its_way_during_a_purge_is_not_stored(scene: Scene) -> None:
    """It may be from before the change that the purge is about."""
    exchange = scene.begin()
    scene.pass_time(1)
    scene.store.purge((Purge(scene.wall),))
    scene.application.answer()
    assert exchange.body == b"hello"
    scene.pass_time(1)
    assert scene.get().cache_verdict == "miss"
