"""Files that the application names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.config.schema import StaticMount
from edge.handlers.send_file import InternalFiles, SendFile, passes_file_fields
from edge.handlers.static.handler import StaticHandler
from edge.http.exchange import Exchange
from edge.http.message import Field, Request, ResponseHead
from tests.fakes import FakeExchange, make_request
from tests.handlers.static.site import MODIFIED


class Application:
    """Answers with a head that names a file; `pieces` None: in one call."""

    def __init__(self, directory: Path) -> None:
        self.mount = StaticMount("/protected", str(directory), uploads=True)
        self.static = StaticHandler(self.mount, wall_clock=lambda: MODIFIED + 1000.0, defer=lambda function: function())
        self.pieces: list[bytes] | None = None
        self.fails = False
        self.fields: tuple[Field, ...] = ()
        self.handler = SendFile(InternalFiles({self.mount: self.static}), self.answer)

    def answer(self, exchange: Exchange) -> None:
        head = ResponseHead(200, self.fields, None)
        if self.pieces is None:
            exchange.respond(head, b"thrown away")
            return
        exchange.send_head(head)
        assert exchange.head_sent
        for piece in self.pieces:
            exchange.send_body(piece)
        if self.fails:
            exchange.abort("upstream-truncated")
        else:
            exchange.end()

    def ask(self, *fields: Field, request: Request | None = None) -> FakeExchange:
        self.fields = fields
        exchange = FakeExchange(request or make_request("/download/7"))
        self.handler(exchange)
        assert exchange.is_over
        return exchange


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a b.pdf").write_bytes(b"0123456789")
    (tmp_path / "files" / "é.txt").write_bytes(b"e")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (tmp_path / "files" / "link").symlink_to(tmp_path / "secret.txt")
    running = Application(tmp_path / "files")
    yield running
    running.static.close()


@pytest.mark.parametrize("pieces", [None, [], [b"thrown ", b"away"]])
@pytest.mark.parametrize("by_path", [True, False])
def test_the_file_takes_the_place_of_the_body(
    application: Application, tmp_path: Path, pieces: list[bytes] | None, by_path: bool
) -> None:
    """Named by URL path or by path on disk; what the application says about it stays, but for the bytes."""
    application.pieces = pieces
    path = str(tmp_path / "files" / "a b.pdf").encode()
    name = (b"x-sendfile", path) if by_path else (b"x-accel-redirect", b"/protected/a%20b.pdf")
    exchange = application.ask(
        name,
        (b"content-type", b"application/x-own"),
        (b"content-disposition", b'attachment; filename="b"'),
        (b"cache-control", b"private, max-age=5"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"etag", b'"of-nothing"'),
    )
    assert (exchange.status, exchange.body) == (200, b"0123456789")
    assert exchange.field("content-type") == "application/x-own"
    assert exchange.field("content-disposition") == 'attachment; filename="b"'
    assert exchange.field("cache-control") == "private, max-age=5"
    assert exchange.field("accept-ranges") == "bytes"
    assert exchange.field("etag") not in (None, '"of-nothing"')
    assert exchange.head is not None
    assert [value for key, value in exchange.head.fields if key == b"set-cookie"] == [b"a=1", b"b=2"]
    assert {b"x-accel-redirect", b"x-sendfile"}.isdisjoint(key for key, _ in exchange.head.fields)


def test_without_a_word_about_caching_the_file_is_private(application: Application) -> None:
    """The application was asked because not everybody may see it; its type is the file's then."""
    exchange = application.ask((b"x-accel-redirect", b"/protected/a%20b.pdf"))
    assert exchange.field("cache-control") == "private, no-cache"
    assert exchange.field("content-type") == "application/pdf"


def test_ranges_conditions_and_head(application: Application) -> None:
    """As for any static file."""
    name = (b"x-accel-redirect", b"/protected/a%20b.pdf")
    part = application.ask(name, request=make_request("/", fields=[(b"range", b"bytes=2-4")]))
    assert (part.status, part.body, part.field("content-range")) == (206, b"234", "bytes 2-4/10")
    etag = (part.field("etag") or "").encode()
    fresh = application.ask(name, request=make_request("/", fields=[(b"if-none-match", etag)]))
    assert (fresh.status, fresh.body) == (304, b"")
    head = application.ask(name, request=make_request("/", b"HEAD"))
    assert (head.status, head.body, head.head and head.head.content_length) == (200, b"", 10)


def test_an_answer_to_post_is_the_whole_file(application: Application) -> None:
    """Ranges and conditions say something about GET only."""
    fields = [(b"range", b"bytes=2-4"), (b"if-none-match", b"*")]
    request = make_request("/", b"POST", fields)
    exchange = application.ask((b"x-accel-redirect", b"/protected/a%20b.pdf"), request=request)
    assert (exchange.status, exchange.body) == (200, b"0123456789")
    assert exchange.request is request, "the log keeps what the visitor asked for"


def test_utf8_names_need_no_encoding(application: Application, tmp_path: Path) -> None:
    """Application frameworks differ in what they encode."""
    for name in (
        (b"x-accel-redirect", "/protected/é.txt".encode()),
        (b"x-accel-redirect", b"/protected/%C3%A9.txt?v=1"),
        (b"x-sendfile", str(tmp_path / "files" / "é.txt").encode()),
    ):
        assert application.ask(name).body == b"e"


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (b"/protected/none", 404),
        (b"/protected/link", 404),
        (b"/protected/", 404),
        (b"/protected/../secret.txt", 502),
        (b"/protected/%2e%2e/secret.txt", 502),
        (b"/protected-not/a%20b.pdf", 502),
        (b"/other", 502),
        (b"protected/a", 502),
        (b"@named", 502),
        (b"", 502),
        (b"/protected/%zz", 502),
    ],
)
def test_nothing_else_is_sent(application: Application, value: bytes, status: int) -> None:
    """A file that is not there is 404; a path that is nobody's is a mistake of the application, 502."""
    exchange = application.ask((b"x-accel-redirect", value))
    assert exchange.status == status
    assert b"secret" not in exchange.body


@pytest.mark.parametrize("name", ["secret.txt", "files/../secret.txt", "files", "files/link", "filesystem/x"])
def test_no_path_on_disk_leads_out(application: Application, tmp_path: Path, name: str) -> None:
    """Not by dots, nor by a link, nor by a name that only begins alike."""
    exchange = application.ask((b"x-sendfile", f"{tmp_path}/{name}".encode()))
    assert exchange.status in (404, 502)
    assert b"secret" not in exchange.body


def test_the_end_of_the_applications_answer_is_not_waited_for(application: Application) -> None:
    """It may announce the file's length and send nothing: the proxy lets its connection go and the file is sent."""
    released = []

    class Proxy:
        def exchange_aborted(self, reason: str) -> None:
            released.append(reason)

    application.pieces, application.fails = [b"x"], True
    application.fields = ((b"x-accel-redirect", b"/protected/a%20b.pdf"), (b"content-length", b"10"))
    exchange = FakeExchange(make_request("/download/7"))
    exchange.receiver = Proxy()  # type: ignore[assignment]  # nothing else of a receiver is called
    application.handler(exchange)
    assert (exchange.status, exchange.body, released) == (200, b"0123456789", ["internal-file"])


def test_other_answers_pass_as_they_are(application: Application) -> None:
    """Whole or in pieces."""
    assert application.ask((b"etag", b'"own"')).body == b"thrown away"
    application.pieces = [b"a", b"b"]
    exchange = application.ask((b"etag", b'"own"'))
    assert (exchange.body, exchange.field("etag")) == (b"ab", '"own"')


def test_only_names_of_files_come_this_far() -> None:
    """X-Accel-Expires and the like still end at the proxy."""
    assert passes_file_fields(b"X-Accel-Redirect")
    assert passes_file_fields(b"x-sendfile")
    assert not passes_file_fields(b"x-accel-expires")


@given(st.binary(max_size=40), st.sampled_from([b"x-accel-redirect", b"x-sendfile"]), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_name_is_a_file_or_an_error(application: Application, value: bytes, name: bytes, inside: bool) -> None:
    """And never one from outside."""
    prefix = b"/protected/" if name == b"x-accel-redirect" else application.mount.directory.encode() + b"/"
    exchange = application.ask((name, prefix + value if inside else value))
    assert exchange.status in (200, 404, 502)
    assert b"secret" not in exchange.body
