"""A mount of files that users have uploaded (`--media`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config.schema import StaticMount
from edge.handlers.static.handler import StaticHandler
from tests.handlers.static.conftest import descriptors
from tests.handlers.static.site import MODIFIED, StaticSite


@pytest.fixture
def media(tmp_path: Path) -> Iterator[StaticSite]:
    before = descriptors()
    site = StaticSite(tmp_path, "/media")
    site.handler = StaticHandler(
        StaticMount("/media", str(tmp_path), uploads=True),
        lambda: site.now,
        lambda: MODIFIED + 1000.0,
        site.deferred.append,
    )
    yield site
    site.handler.close()
    assert descriptors() == before


@pytest.mark.parametrize(
    ("name", "is_attachment"),
    [
        ("photo.jpg", False),
        ("song.mp3", False),
        ("film.mp4", False),
        ("notes.txt", False),
        ("paper.pdf", False),
        ("drawing.svg", True),
        ("page.html", True),
        ("page.xhtml", True),
        ("feed.xml", True),
        ("code.js", True),
        ("style.css", True),
        ("archive.zip", True),
        ("strange.thing", True),
        ("noext", True),
    ],
)
def test_a_users_file_cannot_act_in_the_sites_name(media: StaticSite, name: str, is_attachment: bool) -> None:
    """Never sniffed, sandboxed when opened, saved when a browser might run it."""
    media.put(name)
    exchange = media.get(f"/media/{name}")
    assert exchange.field("x-content-type-options") == "nosniff"
    assert exchange.field("content-security-policy") == "sandbox; default-src 'none'"
    assert exchange.field("content-disposition") == ("attachment" if is_attachment else None)
    assert exchange.field("access-control-allow-origin") is None


def test_no_file_is_a_copy_of_another(media: StaticSite) -> None:
    """Users choose names: `a.txt.gz` beside `a.txt` is a file of its own."""
    media.put("a.txt", "plain")
    media.put("a.txt.gz", "packed")
    exchange = media.get("/media/a.txt", accept_encoding="gzip, br")
    assert (exchange.body, exchange.field("content-encoding"), exchange.field("vary")) == (b"plain", None, None)
    assert media.get("/media/a.txt.gz").body == b"packed"


def test_no_name_promises_anything(media: StaticSite) -> None:
    """A hash in a name is a user's word."""
    media.put("a.9a0364b9e99b.css", "a")
    media.put("staticfiles.json", '{"version": "1.1", "paths": {"a.css": "a.9a0364b9e99b.css"}}')
    assert "immutable" not in (media.get("/media/a.9a0364b9e99b.css").field("cache-control") or "")


def test_directories_have_no_index(media: StaticSite) -> None:
    """An uploaded index.html is no page of the site."""
    media.put("sub/index.html", "x")
    for target in ("/media/sub/", "/media/sub", "/media/", "/media"):
        assert media.status(target) == 404
    assert media.status("/media/sub/index.html") == 200


def test_players_can_seek(media: StaticSite) -> None:
    """A part has the same guards as the whole."""
    media.put("film.mp4", b"0123456789")
    exchange = media.exchange("/media/film.mp4", range="bytes=2-4")
    assert (exchange.status, exchange.body) == (206, b"234")
    assert exchange.field("content-security-policy") is not None
