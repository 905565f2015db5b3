"""Media types by file name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.http.media_types import UNKNOWN, is_font, media_type_of


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("README.md", "text/markdown; charset=utf-8"),
        ("a.vtt", "text/vtt; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.js.map", "application/json"),
        ("site.webmanifest", "application/manifest+json"),
        ("a.wasm", "application/wasm"),
        ("a.svg", "image/svg+xml"),
        ("a.PNG", "image/png"),
        ("a.jpeg", "image/jpeg"),
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("favicon.ico", "image/x-icon"),
        ("a.woff2", "font/woff2"),
        ("a.ttf", "font/ttf"),
        ("a.mp4", "video/mp4"),
        ("a.mp3", "audio/mpeg"),
        ("a.pdf", "application/pdf"),
        ("a.tar.gz", "application/gzip"),
        ("base.2c54f4e1ca1c.css", "text/css; charset=utf-8"),
        ("apple-app-site-association", "application/json"),
    ],
)
def test_known_types(name: str, media_type: str) -> None:
    """The last suffix decides; text and JavaScript say their charset, JSON and SVG do not."""
    assert media_type_of(name) == media_type.encode()


@pytest.mark.parametrize("name", ["LICENSE", "LICENSE.2c54f4e1ca1c", "a.unknown", "a.", "css", "", "."])
def test_the_rest_is_bytes(name: str) -> None:
    """A name without a known suffix is not guessed at."""
    assert media_type_of(name) == UNKNOWN


@given(st.text(max_size=30))
def test_any_name_has_a_type_that_can_be_sent(name: str) -> None:
    """Whatever a file is called, its type is a plain field value."""
    media_type = media_type_of(name)
    assert media_type.isascii()
    assert b"/" in media_type


def test_fonts() -> None:
    """Fonts are told by their type, the old format included."""
    assert all(is_font(media_type_of(f"a.{suffix}")) for suffix in ("woff", "woff2", "ttf", "otf", "eot", "ttc"))
    assert not is_font(media_type_of("a.css"))
