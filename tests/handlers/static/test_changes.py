"""Files that appear, change and vanish; roots and manifests that are replaced."""

from __future__ import annotations

import hashlib
import json
import os
import shutil

import pytest

from edge.handlers.static.cache import MAX_ABSENCES, Absence, EntryCache
from edge.handlers.static.catalogue import Catalogue
from edge.handlers.static.entry import ENTRY_OVERHEAD
from tests.handlers.static.site import MODIFIED, StaticSite

IMMUTABLE = "public, max-age=31536000, immutable"
SHORT = "public, max-age=60"


def hashed(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()[:12]


# -- freshness --------------------------------------------------------------------------------------------------------


def test_a_changed_file_is_noticed_after_a_second(site: StaticSite) -> None:
    """Within a second memory answers, after it the disk, with new bytes and a new tag."""
    site.put("a.css", "one")
    etag = site.get("/static/a.css").field("etag")
    site.put("a.css", "two", MODIFIED + 1)
    site.wait(0.9)
    assert site.get("/static/a.css").body == b"one"
    site.wait(0.2)
    answer = site.get("/static/a.css")
    assert answer.body == b"two"
    assert answer.field("etag") != etag


def test_a_change_that_keeps_size_and_time_is_noticed(site: StaticSite) -> None:
    """Tools that set times back do not hide a change: the inode's own times tell."""
    site.put("a.css", "one")
    site.get("/static/a.css")
    os.rename(site.put("b.css", "two"), site.root / "a.css")
    site.wait()
    assert site.get("/static/a.css").body == b"two"


def test_a_file_changed_just_now_is_read_again(site: StaticSite) -> None:
    """Two changes within the grain of a file's times look alike, so a fresh file is not trusted yet."""
    just_now = MODIFIED + 1000
    path = site.put("a.css", "one", just_now)
    first = site.get("/static/a.css")
    assert site.get("/static/a.css", range="bytes=0-0", if_range=first.field("last-modified") or "").status == 200
    site.wait()
    assert site.get("/static/a.css").head is not first.head
    os.utime(path, (MODIFIED, MODIFIED))
    site.wait()
    settled = site.get("/static/a.css")
    site.wait()
    assert site.get("/static/a.css").head is settled.head


@pytest.mark.parametrize(
    ("modified", "date"),
    [(MODIFIED + 5000, "Tue, 14 Nov 2023 22:30:00 GMT"), (-5, "Thu, 01 Jan 1970 00:00:00 GMT")],
)
def test_odd_dates_are_not_sent(site: StaticSite, modified: int, date: str) -> None:
    """Last-Modified is never later than Date (RFC 9110 §8.8.2.1) and never before 1970."""
    site.put("a.css", "one", modified)
    assert site.get("/static/a.css").field("last-modified") == date


def test_a_deleted_file_is_noticed(site: StaticSite) -> None:
    """After a second a file that is gone is 404, and one that came is 200."""
    path = site.put("a.css", "one")
    assert site.status("/static/a.css") == 200
    path.unlink()
    site.wait()
    assert site.status("/static/a.css") == 404
    site.put("a.css", "two")
    assert site.status("/static/a.css") == 404
    site.wait()
    assert site.get("/static/a.css").body == b"two"


def test_a_new_sidecar_is_noticed(site: StaticSite) -> None:
    """Compressing after the start needs no restart."""
    site.put("a.css", "x" * 100)
    assert site.get("/static/a.css", accept_encoding="br").field("vary") is None
    site.put("a.css.br", "b")
    site.wait()
    assert site.get("/static/a.css", accept_encoding="br").body == b"b"


def test_a_root_that_is_replaced_as_a_whole(site: StaticSite) -> None:
    """A directory that is removed is 404 everywhere; one that takes its place is served."""
    site.put("a.css", "one")
    site.get("/static/a.css")
    shutil.rmtree(site.root)
    site.wait()
    assert site.status("/static/a.css") == 404
    site.put("a.css", "two")
    site.wait()
    assert site.get("/static/a.css").body == b"two"


def test_a_root_behind_a_link_that_moves(site: StaticSite) -> None:
    """Releases switched by a symbolic link are followed."""
    current = site.root.parent / "current"
    for release in ("r1", "r2"):
        site.put(f"{release}/a.css", release)
    current.symlink_to(site.root / "r1")
    linked = StaticSite(current)
    assert linked.get("/static/a.css").body == b"r1"
    current.unlink()
    current.symlink_to(site.root / "r2")
    linked.wait()
    assert linked.get("/static/a.css").body == b"r2"
    linked.handler.close()


# -- immutable names --------------------------------------------------------------------------------------------------


def put_manifest(site: StaticSite, text: str, modified: float = MODIFIED) -> None:
    site.put("staticfiles.json", text, modified)


def manifest(version: str = "1.1", **paths: str) -> str:
    return json.dumps({"paths": paths, "version": version, "hash": "x"})


def test_names_in_the_manifest_are_immutable(site: StaticSite) -> None:
    """What Django lists is cached for ever, by any origin, under the hash in its name."""
    site.put("LICENSE.2c54f4e1ca1c")
    site.put("plain.css")
    put_manifest(site, manifest(LICENSE="LICENSE.2c54f4e1ca1c", **{"plain.css": "plain.css"}))
    answer = site.get("/static/LICENSE.2c54f4e1ca1c")
    assert answer.field("cache-control") == IMMUTABLE
    assert answer.field("access-control-allow-origin") == "*"
    assert answer.field("etag") == '"2c54f4e1ca1c"'
    assert site.get("/static/plain.css").field("cache-control") == SHORT


def test_every_answer_for_an_immutable_name_is_shared(site: StaticSite) -> None:
    """304 and 416 keep what lets other origins read them, and each coding has its own tag."""
    site.put("a.2c54f4e1ca1c.css", "0123456789")
    site.put("a.2c54f4e1ca1c.css.br", "b")
    put_manifest(site, manifest(a="a.2c54f4e1ca1c.css"))
    target = "/static/a.2c54f4e1ca1c.css"
    revalidated = site.get(target, if_none_match='"2c54f4e1ca1c"')
    assert (revalidated.status, revalidated.field("cache-control")) == (304, IMMUTABLE)
    assert revalidated.field("access-control-allow-origin") == "*"
    assert site.get(target, range="bytes=20-").field("access-control-allow-origin") == "*"
    assert site.get(target, accept_encoding="br").field("etag") == '"2c54f4e1ca1c-1-br"'


def test_a_hash_that_fits_the_content_is_immutable(site: StaticSite) -> None:
    """Without a manifest a name counts if the content's MD5 begins with the hash in it."""
    content = b"body {}"
    names = (f"base.{hashed(content)}.css", f"LICENSE.{hashed(content)}", f"a.{hashed(content)}.min.js")
    for name in names:
        site.put(name, content)
        answer = site.get(f"/static/{name}")
        assert (answer.field("cache-control"), answer.field("etag")) == (IMMUTABLE, f'"{hashed(content)}"')


@pytest.mark.parametrize("name", ["base.2c54f4e1ca1c.css", "base.2c54f4e1ca1.css", "2c54f4e1ca1c.css", "a.css"])
def test_a_hash_that_does_not_fit_promises_nothing(site: StaticSite, name: str) -> None:
    """A name that only looks hashed is an ordinary one."""
    site.put(name)
    assert site.get(f"/static/{name}").field("cache-control") == SHORT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"paths": []}',
        manifest(version="9", a="a.2c54f4e1ca1c.css"),
        '{"paths": {"a": 1}, "version": "1.1"}',
    ],
)
def test_a_manifest_that_is_none_is_ignored(site: StaticSite, text: str) -> None:
    """An unknown or broken manifest lists nothing, and files are served all the same."""
    site.put("a.2c54f4e1ca1c.css")
    put_manifest(site, text)
    assert site.get("/static/a.2c54f4e1ca1c.css").field("cache-control") == SHORT


def test_a_new_manifest_is_read(site: StaticSite) -> None:
    """A manifest that comes, changes or goes decides about files that were known before."""
    site.put("a.2c54f4e1ca1c.css")

    def caching() -> str | None:
        site.wait()
        return site.get("/static/a.2c54f4e1ca1c.css").field("cache-control")

    assert caching() == SHORT
    put_manifest(site, manifest(a="a.2c54f4e1ca1c.css"))
    assert caching() == IMMUTABLE
    put_manifest(site, manifest(), MODIFIED + 1)
    assert caching() == SHORT
    put_manifest(site, manifest(a="a.2c54f4e1ca1c.css"), MODIFIED + 2)
    assert caching() == IMMUTABLE
    (site.root / "staticfiles.json").unlink()
    assert caching() == SHORT


# -- bounds -----------------------------------------------------------------------------------------------------------


def test_memory_is_bounded(site: StaticSite) -> None:
    """Beyond its weight the cache drops what was not looked at for longest, and nothing else."""
    catalogue = Catalogue(str(site.root), lambda: site.now, lambda: MODIFIED + 1000.0)
    cache = EntryCache(max_weight=3 * (ENTRY_OVERHEAD + 10))
    for name in ("a", "b", "c", "d"):
        site.put(name, "0123456789")
        entry = catalogue.look_up(name.encode(), name.encode())
        assert not isinstance(entry, Absence)
        cache.store(entry)
        if name == "c":
            first = cache.entries[b"a"]
            cache.store(first)
    assert list(cache.entries) == [b"c", b"a", b"d"]
    assert cache.weight == 3 * (ENTRY_OVERHEAD + 10)
    cache.clear()
    assert (cache.weight, len(cache.entries)) == (0, 0)
    catalogue.close()


def test_absences_are_bounded() -> None:
    """Asking for names that do not exist cannot fill memory."""
    cache = EntryCache()
    for number in range(3 * MAX_ABSENCES + 1):
        cache.store_absence(b"%d" % number, Absence(10.0, is_directory=False))
    assert cache.absence(b"0", 1.0) is None
    assert cache.absence(b"%d" % (3 * MAX_ABSENCES), 1.0) is not None
    assert cache.absence(b"%d" % (3 * MAX_ABSENCES), 10.0) is None
    assert repr(cache) == "<EntryCache 0 entries, 0 bytes, 1 absences>"


def test_spellings_share_one_entry(site: StaticSite) -> None:
    """Other spellings of a path find the entry of the canonical one; a file named like a spelling is another file."""
    site.put("a b%20.css", "percent")
    site.put("a.css", "plain")
    site.put("a.css?v=1", "question")
    one = site.get("/static/a.css")
    for target in ("/static/%61.css", "/static/x/../a.css", "/static/./a.css", "/static/a.css?v=1"):
        assert site.get(target).head is one.head
    assert site.get("/static/a%20b%2520.css").body == b"percent"
    assert site.get("/static/a.css%3Fv=1").body == b"question"
    assert site.get("/static/a.css?v=1").body == b"plain"
    assert site.status("/static/a%20b%20.css") == 404
