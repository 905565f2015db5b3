"""The response cache in edge.toml, and what can be purged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.describe import describe
from edge.config.purge import MAX_PURGES, Purge, add_purge, parse_pattern
from edge.config.schema import CacheStorage, Caching
from tests.config.workspace import complaints_about, load_text

SITE = '[[site]]\nnames = "a.test"\nupstream = "8000"\n'


@pytest.mark.parametrize(
    ("text", "cache"),
    [
        ("", None),
        ("cache = false", None),
        ("cache = true", Caching()),
        ("[site.cache]", Caching()),
        (
            "[site.cache]\nttl = '1m'\nmax_body = '1M'\nignore_query = ['utm_source', 'a', 'a']",
            Caching(60, 1024**2, ("utm_source", "a")),
        ),
        ("cache = { ignore_query = 'gclid' }", Caching(ignore_query=("gclid",))),
    ],
)
def test_forms(tmp_path: Path, text: str, cache: Caching | None) -> None:
    """One word, or a table, which may be empty."""
    assert load_text(tmp_path, SITE + text).sites[0].cache == cache


def test_routes_take_it_from_outside_and_can_turn_it_off(tmp_path: Path) -> None:
    """Like all rules; and `edge check` says so."""
    text = "cache = true\n[[site.route]]\npath = '/a'\n[[site.route]]\npath = '/b'\ncache = false\n"
    config = load_text(tmp_path, SITE + text)
    assert [route.cache for route in config.sites[0].routes] == [Caching(), None]
    lines = "\n".join(describe(config))
    assert "as long as responses say, up to 4M each" in lines
    assert "/b; upstream" in lines
    assert "cache off" in lines
    assert "memory, 64M" in lines


def test_storage(tmp_path: Path) -> None:
    """Memory by default, or a directory, which relative paths name from the file's."""
    assert load_text(tmp_path, SITE).cache == CacheStorage()
    assert load_text(tmp_path, SITE + "[cache]\nmemory = '1G'").cache == CacheStorage(1024**3)
    found = load_text(tmp_path, SITE + "[cache]\ndisk = 'kept'\ndisk_size = '2G'").cache
    assert found == CacheStorage(disk=str(tmp_path / "kept"), disk_size=2 * 1024**3)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cache = 'yes'", "cache of [[site]] 1: write true or false or a table, not text in quotes"),
        ("[site.cache]\nttl = 60", "cache.ttl of [[site]] 1: write text in quotes, not a whole number"),
        ("[site.cache]\ntt = '1m'", "cache.tt of [[site]] 1: unknown key; did you mean 'ttl'?"),
        ("[site.cache]\nmax_body = '1G'", "cache.max_body of [[site]] 1: '1G': a response that is kept has at most 256M"),
        ("[site.cache]\nignore_query = 'a=b'",
         "cache.ignore_query of [[site]] 1: 'a=b' is no name of a query parameter, as it stands in a URL"),
        ("[cache]\nmemory = '1K'", "cache.memory: '1K': a cache has at least 1M"),
        ("[cache]\ndisk_size = '1G'", "cache.disk_size: no disk is used; add disk = \"/var/cache/edge\""),
        ("[cache]\ndisk = 'x'\nmemory = '2M'",
         "cache.memory: with a disk the system itself keeps hot files in memory; write one of memory and disk"),
    ],
)  # fmt: skip
def test_a_complaint_names_line_key_and_remedy(tmp_path: Path, text: str, complaint: str) -> None:
    """In sites and in the table for all."""
    (found,) = complaints_about(tmp_path, SITE + text)
    assert found.split(": ", 1)[1] == complaint


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("/news", "/news"),
        ("/news*", "/news*"),
        ("https://Example.COM:443/A?b=C*", "https://example.com/A?b=C*"),
        ("http://example.com:80/", "http://example.com/"),
        ("https://example.com:8443/*", "https://example.com:8443/*"),
    ],
)
def test_patterns(text: str, pattern: str) -> None:
    """In the spelling of the keys."""
    assert parse_pattern(text) == pattern


@pytest.mark.parametrize(
    "text", ["", "news", "example.com/news", "/a*b", "ftp://a/", "https://a", "/a b", "/é", "/a#b", "/" * 3000]
)
def test_what_is_no_pattern(text: str) -> None:
    """One sentence, no guess."""
    with pytest.raises(ValueError, match="URL"):
        parse_pattern(text)


@given(
    st.lists(
        st.tuples(st.sampled_from(("", "a.test", "b.test")), st.sampled_from(("", "/a", "/a*", "https://a.test/*")))
    )
)
def test_a_list_of_purges_covers_all_that_each_covers(words: list[tuple[str, str]]) -> None:
    """However it is shortened; and it stays short."""
    purges: tuple[Purge, ...] = ()
    said = [Purge(float(number), *word) for number, word in enumerate(words, 1)]
    for new in said:
        purges = add_purge(purges, new)
    assert len(purges) <= 12
    for key, site in (
        ("https://a.test/a", "a.test"),
        ("https://b.test/ab", "a.test"),
        ("http://b.test:81/b", "b.test"),
    ):
        for moment in range(len(words) + 1):
            expected = any(each.covers(key, site, moment) for each in said)
            assert any(each.covers(key, site, moment) for each in purges) == expected


def test_too_many_purges_become_one() -> None:
    """Which forgets more rather than less."""
    purges: tuple[Purge, ...] = ()
    for number in range(MAX_PURGES + 1):
        purges = add_purge(purges, Purge(float(number), "", f"/{number}"))
    assert purges == (Purge(float(MAX_PURGES)),)
