"""What is answered for a file, row by row."""

from __future__ import annotations

import pytest

from edge.errors import HTTPError
from edge.handlers.static.loader import SMALL
from edge.http.dates import format_http_date
from tests.handlers.static.site import MODIFIED, StaticSite

CSS = "body { color: red }"
DATE = format_http_date(MODIFIED).decode()
LARGE = bytes(range(256)) * 1024


def test_a_small_file(site: StaticSite) -> None:
    """200 with type, length, validators, a short life, and our name first."""
    site.put("css/a.css", CSS)
    answer = site.get("/static/css/a.css")
    assert (answer.status, answer.body) == (200, CSS.encode())
    assert answer.head is not None
    assert answer.head.fields[0] == (b"server", b"edge")
    assert answer.head.content_length == len(CSS)
    assert answer.field("content-type") == "text/css; charset=utf-8"
    assert answer.field("cache-control") == "public, max-age=60"
    assert answer.field("last-modified") == DATE
    assert answer.field("accept-ranges") == "bytes"
    assert answer.field("x-content-type-options") == "nosniff"
    assert answer.field("vary") is None
    assert answer.field("access-control-allow-origin") is None
    etag = answer.field("etag") or ""
    assert etag.startswith('"')
    assert etag.endswith('"')


def test_the_second_answer_is_the_first(site: StaticSite) -> None:
    """A file in memory is sent with the very same head and bytes, so that engines can keep them."""
    site.put("a.css", CSS)
    one, other = site.get("/static/a.css"), site.get("/static/a.css?v=2")
    assert one.head is other.head
    assert other.body == CSS.encode()


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("index.html", "cache-control", "no-cache"),
        ("a.mjs", "content-type", "text/javascript; charset=utf-8"),
        ("a.json", "content-type", "application/json"),
        ("LICENSE", "content-type", "application/octet-stream"),
        ("LICENSE", "x-content-type-options", "nosniff"),
        ("a.woff2", "access-control-allow-origin", "*"),
        ("site.webmanifest", "content-type", "application/manifest+json"),
        ("notes.md", "content-type", "text/markdown; charset=utf-8"),
    ],
)
def test_fields_by_kind(site: StaticSite, name: str, field: str, value: str) -> None:
    """Pages are asked for again each time, fonts may be used by any origin, unknown types are never sniffed."""
    site.put(name)
    assert site.get(f"/static/{name}").field(field) == value


def test_an_empty_file(site: StaticSite) -> None:
    """An empty file is a whole answer, with or without Range."""
    site.put("empty.css", b"")
    assert site.get("/static/empty.css").status == 200
    assert site.get("/static/empty.css", range="bytes=0-0").status == 200


@pytest.mark.parametrize("size", [10, SMALL + 1])
def test_head_has_the_length_and_no_body(site: StaticSite, size: int) -> None:
    """HEAD answers as GET would, without a body (RFC 9110 §9.3.2)."""
    site.put("a.bin", b"x" * size)
    answer = site.exchange("/static/a.bin", "HEAD")
    assert (answer.status, answer.body, answer.is_ended) == (200, b"", True)
    assert answer.head is not None
    assert answer.head.content_length == size


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 204), ("POST", 405), ("DELETE", 405), ("PUT", 405)])
def test_other_methods(site: StaticSite, method: str, status: int) -> None:
    """Files are read only; what is allowed is said (RFC 9110 §10.2.1)."""
    site.put("a.css")
    answer = site.exchange("/static/a.css", method)
    assert (answer.status, answer.body, answer.is_ended) == (status, b"", True)
    assert answer.field("allow") == "GET, HEAD, OPTIONS"


def test_not_found(site: StaticSite) -> None:
    """A missing file and a directory without an index are 404, again and again."""
    site.put("dir/a.css")
    for target in ("/static/b.css", "/static/dir", "/static/dir/", "/static", "/static/", "/static/a.css/b"):
        for _ in range(2):
            with pytest.raises(HTTPError) as error:
                site.exchange(target)
            assert error.value.status == 404


# -- directories ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/static/docs/", "/static/docs/index.html", "/static/docs/?x", "/static/docs/."])
def test_a_directory_shows_its_index(site: StaticSite, target: str) -> None:
    """index.html answers for its directory, and for itself."""
    site.put("docs/index.html", "<p>")
    assert site.get(target).body == b"<p>"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/static/docs", "/static/docs/"),
        ("/static/docs?a=b&c=%2F", "/static/docs/?a=b&c=%2F"),
        ("/static/docs?", "/static/docs/?"),
        ("/static/%64ocs", "/static/docs/"),
        ("/static/x/../docs", "/static/docs/"),
        ("/static", "/static/"),
        ("/static/caf%c3%a9%20x", "/static/caf%C3%A9%20x/"),
    ],
)
def test_a_directory_without_slash_is_redirected(site: StaticSite, target: str, location: str) -> None:
    """308 to the same host, by path alone, the query kept (RFC 9110 §15.4.9)."""
    for name in ("docs/index.html", "index.html", "café x/index.html"):
        site.put(name)
    for _ in range(2):
        answer = site.get(target)
        assert (answer.status, answer.field("location"), answer.body) == (308, location, b"")


@pytest.mark.parametrize("target", ["//evil.test", "//evil.test/docs", "/%2fevil.test", "/%2f%2fevil.test", "///docs"])
def test_no_redirect_leaves_the_host(site: StaticSite, target: str) -> None:
    """A path with empty segments never becomes a Location that begins with two slashes."""
    site.put("docs/index.html")
    site.put("evil.test/docs/index.html")
    site.put("evil.test/index.html")
    assert StaticSite(site.root, "").status(target) == 404


# -- conditions -------------------------------------------------------------------------------------------------------


def test_not_modified(site: StaticSite) -> None:
    """304 repeats what a cache needs to go on: Cache-Control, ETag, Vary (RFC 9110 §15.4.5)."""
    site.put("a.css", CSS)
    site.put("a.css.br", "br")
    etag = site.get("/static/a.css").field("etag") or ""
    for value in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        answer = site.get("/static/a.css", if_none_match=value)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.field("etag") == etag
        assert answer.field("cache-control") == "public, max-age=60"
        assert answer.field("vary") == "accept-encoding"
    assert site.get("/static/a.css", if_modified_since=DATE).status == 304
    assert site.get("/static/a.css", if_none_match='"x"', if_modified_since=DATE).status == 200


def test_precondition_failed(site: StaticSite) -> None:
    """412 when the client meant another version; no cache may keep that."""
    site.put("a.css", CSS)
    answer = site.get("/static/a.css", if_match='"x"')
    assert (answer.status, answer.body, answer.field("cache-control")) == (412, b"", "no-store")
    assert site.get("/static/a.css", if_unmodified_since="Sun, 06 Nov 1994 08:49:37 GMT").status == 412
    assert site.get("/static/a.css", if_match="*").status == 200


# -- ranges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [LARGE[:4000], LARGE], ids=["memory", "disk"])
@pytest.mark.parametrize(
    ("value", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=-1", -1, None), ("bytes=3990-", 3990, None)],
)
def test_a_range(site: StaticSite, content: bytes, value: str, start: int, stop: int | None) -> None:
    """206 with exactly the bytes asked for, from memory and from disk."""
    site.put("a.mp4", content)
    answer = site.get("/static/a.mp4", range=value)
    expected = content[start:stop]
    first = start % len(content)
    assert (answer.status, answer.body) == (206, expected)
    assert answer.field("content-range") == f"bytes {first}-{first + len(expected) - 1}/{len(content)}"
    assert answer.field("content-type") == "video/mp4"
    assert answer.field("etag") == site.get("/static/a.mp4").field("etag")


@pytest.mark.parametrize("content", [LARGE[:4000], LARGE], ids=["memory", "disk"])
def test_several_ranges(site: StaticSite, content: bytes) -> None:
    """206 as multipart/byteranges, each part with its own range and the file's type."""
    site.put("a.mp4", content)
    answer = site.get("/static/a.mp4", range="bytes=0-1,-2")
    media_type, _, boundary = (answer.field("content-type") or "").partition("; boundary=")
    assert (answer.status, media_type, answer.field("content-range")) == (206, "multipart/byteranges", None)
    parts = answer.body.split(b"--" + boundary.encode())
    assert parts[0] == b"\r\n"
    assert parts[-1] == b"--\r\n"
    assert [part.partition(b"\r\n\r\n")[2][:-2] for part in parts[1:-1]] == [content[:2], content[-2:]]
    assert answer.head is not None
    assert answer.head.content_length == len(answer.body)


def test_a_range_that_does_not_exist(site: StaticSite) -> None:
    """416 says how long the file is, to every origin that may read it."""
    site.put("a.woff2", "0123456789")
    answer = site.get("/static/a.woff2", range="bytes=10-")
    assert (answer.status, answer.body, answer.field("content-range")) == (416, b"", "bytes */10")
    assert answer.field("accept-ranges") == "bytes"
    assert answer.field("access-control-allow-origin") == "*"
    assert answer.field("cache-control") == "no-store"


def test_too_many_ranges(site: StaticSite) -> None:
    """A thousand parts get the whole file, once."""
    site.put("a.mp4", LARGE)
    value = "bytes=" + ",".join(f"{i * 200}-{i * 200}" for i in range(1000))
    answer = site.get("/static/a.mp4", range=value)
    assert (answer.status, answer.body) == (200, LARGE)


def test_if_range(site: StaticSite) -> None:
    """The range for whoever has this version, the whole for everybody else."""
    site.put("a.mp4", "0123456789")
    etag = site.get("/static/a.mp4").field("etag") or ""
    assert site.get("/static/a.mp4", range="bytes=0-0", if_range=etag).status == 206
    assert site.get("/static/a.mp4", range="bytes=0-0", if_range=DATE).status == 206
    assert site.get("/static/a.mp4", range="bytes=0-0", if_range=f"W/{etag}").status == 200
    assert site.get("/static/a.mp4", range="bytes=0-0", if_range='"x"').status == 200


def test_head_ignores_range(site: StaticSite) -> None:
    """Range is defined for GET alone."""
    site.put("a.mp4", "0123456789")
    assert site.status("/static/a.mp4", "HEAD", range="bytes=0-0") == 200


# -- variants ---------------------------------------------------------------------------------------------------------


def put_variants(site: StaticSite) -> None:
    site.put("a.js", "x" * 1000)
    site.put("a.js.gz", "g" * 120)
    site.put("a.js.br", "b" * 100)
    site.put("a.js.zst", "z" * 110)


@pytest.mark.parametrize(
    ("accept_encoding", "coding", "letter"),
    [
        ("gzip, deflate, br, zstd", "br", b"b"),
        ("gzip, zstd", "zstd", b"z"),
        ("gzip", "gzip", b"g"),
        ("br;q=0, gzip;q=0.5", "gzip", b"g"),
        ("identity;q=0", None, b"x"),
        ("", None, b"x"),
    ],
)
def test_sidecars(site: StaticSite, accept_encoding: str, coding: str | None, letter: bytes) -> None:
    """The best stored variant, with its own length and the file's type."""
    put_variants(site)
    for _ in range(2):
        answer = site.get("/static/a.js", accept_encoding=accept_encoding)
        assert (answer.body[:1], answer.field("content-encoding")) == (letter, coding)
        assert answer.field("content-type") == "text/javascript; charset=utf-8"
        assert answer.field("vary") == "accept-encoding"


def test_each_variant_has_its_own_etag(site: StaticSite) -> None:
    """A strong tag names bytes, so no two codings share one; conditions hold against the variant sent."""
    put_variants(site)
    etags = {site.get("/static/a.js", accept_encoding=coding).field("etag") for coding in ("gzip", "br", "zstd", "")}
    assert len(etags) == 4
    brotli = site.get("/static/a.js", accept_encoding="br").field("etag") or ""
    assert site.get("/static/a.js", accept_encoding="br", if_none_match=brotli).status == 304
    assert site.get("/static/a.js", accept_encoding="gzip", if_none_match=brotli).status == 200


def test_a_range_of_a_variant(site: StaticSite) -> None:
    """Ranges count the bytes of the coding that is sent (RFC 9110 §14)."""
    put_variants(site)
    answer = site.get("/static/a.js", accept_encoding="br", range="bytes=90-")
    assert (answer.status, answer.body) == (206, b"b" * 10)
    assert answer.field("content-encoding") == "br"


def test_many_accept_encodings(site: StaticSite) -> None:
    """Memory for choices is bounded, and a forgotten choice is made again."""
    put_variants(site)
    for number in range(200):
        assert site.get("/static/a.js", accept_encoding=f"br, x{number}").body[:1] == b"b"
    assert site.get("/static/a.js", accept_encoding="gzip" + " " * 500).body[:1] == b"g"


@pytest.mark.parametrize("suffix", [".gz", ".br", ".zst"])
def test_a_sidecar_is_no_resource(site: StaticSite, suffix: str) -> None:
    """Asked for directly, a sidecar does not exist; a compressed file of its own does."""
    put_variants(site)
    site.put(f"archive.tar{suffix}", "tar")
    assert site.status(f"/static/a.js{suffix}") == 404
    assert site.get(f"/static/archive.tar{suffix}").body == b"tar"


def test_a_stale_sidecar_is_not_used(site: StaticSite) -> None:
    """A sidecar older than its file is a copy of something else; a lost fraction of a second does not count."""
    site.put("a.js", "x" * 1000, MODIFIED + 0.5)
    site.put("a.js.br", "b" * 10, MODIFIED - 1)
    site.put("a.js.gz", "g" * 100, MODIFIED)
    assert site.get("/static/a.js", accept_encoding="br, gzip").body[:1] == b"g"
    assert site.status("/static/a.js.br") == 404


def test_several_lines_of_accept_encoding(site: StaticSite) -> None:
    """Field lines of one name are one list."""
    put_variants(site)
    exchange = site.exchange("/static/a.js")
    fields = ((b"accept-encoding", b"br;q=0"), (b"accept-encoding", b"zstd"))
    request = type(exchange.request)(b"GET", b"https", b"a.test", b"/static/a.js", fields)
    exchange = type(exchange)(request)
    site.handler(exchange)
    assert exchange.body[:1] == b"z"
