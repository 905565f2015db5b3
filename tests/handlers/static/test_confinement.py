"""No spelling, link or special file leads out of the root or to what is hidden in it."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from edge.errors import HTTPError
from edge.handlers.static import files
from edge.handlers.static.beneath import has_openat2, open_beneath, open_in_kernel, open_resolved
from tests.handlers.static.site import StaticSite

SECRET = "not for visitors"


@pytest.fixture
def guarded(site: StaticSite) -> StaticSite:
    """A site with something to steal around and inside it."""
    outside = site.root.parent
    (outside / "secret").write_text(SECRET)
    (outside / "root-private").mkdir()
    (outside / "root-private" / "secret").write_text(SECRET)
    for hidden in (".env", ".env.gz", ".git/config", "css/.htpasswd", ".well-known/x", "..data", "css/.../x"):
        site.put(hidden, SECRET)
    site.put("css/a.css", "public")
    site.put("a.svg", "public")
    return site


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/static/../secret", 404),
        ("/static/../../secret", 400),
        ("/static/%2e%2e/secret", 404),
        ("/static/%2E%2e/%2e%2E/secret", 400),
        ("/static/%252e%252e/secret", 404),
        ("/static/..%2fsecret", 404),
        ("/static/..%5csecret", 400),
        ("/static/css/..%2f..%2f..%2fsecret", 404),
        ("/static/....//secret", 404),
        ("/static/..;/secret", 404),
        ("/static/%c0%ae%c0%ae/secret", 404),
        ("/static/%ff", 404),
        ("/static/a.svg%00.css", 400),
        ("/static/a.svg%0a", 400),
        ("/static/.env", 404),
        ("/static/%2eenv", 404),
        ("/static/.env.gz", 404),
        ("/static/.git/config", 404),
        ("/static/css/.htpasswd", 404),
        ("/static/..data", 404),
        ("/static/css/.../x", 404),
        ("/static/.well-known/x", 404),
        ("/static/a.svg/", 404),
        ("/static/a.svg/.", 404),
        ("/static//a.svg", 404),
        ("/static/css//a.css", 404),
        ("/static//etc/passwd", 404),
        ("/static/%2fetc%2fpasswd", 404),
        ("/static/css%2fa.css", 404),
        ("/static-private/secret", 404),
        ("/static" + "/%2e%2e%2f" * 10 + "etc/passwd", 404),
        ("/static/" + "x" * 300, 404),
        ("/static/" + "x" * 8000, 404),
        ("/static" + "/x" * 4000, 404),
        ("/static" + "/css/.." * 500 + "/../secret", 404),
        ("/static/a.svg.", 404),
        ("/static/a.svg%20", 404),
        ("/static/a.svg::$DATA", 404),
        ("/static/A~1.SVG", 404),
        ("/static/C:/x", 404),
        ("/static/A.SVG", 404),
        ("/static/%", 400),
        ("/static/a.svg", 200),
        ("/static/css/../a.svg", 200),
        ("/static/%61.svg", 200),
    ],
)
def test_no_spelling_escapes(guarded: StaticSite, target: str, status: int) -> None:
    """Whatever a target looks like, it names a visible file beneath the root or nothing."""
    assert guarded.status(target) == status


PIECES = ("..", ".", "%2e", "%2f", "/", "css", "secret", "root", "%5c", "a.svg", ".env", "%00")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["..", ".", "%2e", "%2f", "/", "css", "secret", "root", "%5c", "a.svg", ".env", "%00"]),
        max_size=8,
    )
)
def test_no_combination_escapes(guarded: StaticSite, parts: list[str]) -> None:
    """Any sequence of suspicious pieces leads to a public file or to an error of the client's."""
    target = "/static/" + "".join(parts)
    status = guarded.status(target)
    assert status in (200, 400, 404)
    if status == 200:
        assert guarded.get(target).body == b"public"


def test_well_known_is_shown_at_the_root_of_the_site_only(guarded: StaticSite) -> None:
    """A mount of the whole site shows /.well-known and nothing else that is hidden (RFC 8615)."""
    site = StaticSite(guarded.root, "")
    site.put(".well-known/.secret", SECRET)
    assert site.status("/.well-known/x") == 200
    assert site.status("/.well-known/.secret") == 404
    assert site.status("/css/.well-known/x") == 404
    assert site.status("/.env") == 404
    site.handler.close()


# -- links and special files ------------------------------------------------------------------------------------------


def test_links_inside_the_root_are_followed(guarded: StaticSite) -> None:
    """Relative and absolute links work as long as they stay inside, through directories too."""
    (guarded.root / "relative.svg").symlink_to("css/../a.svg")
    (guarded.root / "absolute.svg").symlink_to(guarded.root / "a.svg")
    (guarded.root / "styles").symlink_to("css")
    (guarded.root / "css" / "up").symlink_to("..")
    for target in ("relative.svg", "absolute.svg", "styles/a.css", "css/up/a.svg"):
        assert guarded.get(f"/static/{target}").body == b"public"


def test_links_out_of_the_root_are_not(guarded: StaticSite) -> None:
    """A link that leaves the root is 404, whichever way it leaves; so is a loop."""
    outside = guarded.root.parent
    links: dict[str, str | Path] = {
        "file": outside / "secret",
        "relative": "../secret",
        "directory": outside,
        "sibling": outside / "root-private",
        "twice": "file",
        "root": "/",
        "magic": f"/proc/self/cwd/{outside}/secret",
        "around": "../root/../secret",
        "loop": "loop",
        "dangling": "nowhere",
    }
    for name, target in links.items():
        (guarded.root / name).symlink_to(target)
    for name in (*links, "directory/secret", "sibling/secret", "root/etc/passwd"):
        assert guarded.status(f"/static/{name}") == 404


def test_a_sidecar_that_leaves_the_root_is_not_used(guarded: StaticSite) -> None:
    """Sidecars are held to the same rules as files."""
    (guarded.root / "a.svg.gz").symlink_to(guarded.root.parent / "secret")
    os.mkfifo(guarded.root / "a.svg.br")
    answer = guarded.get("/static/a.svg", accept_encoding="gzip, br")
    assert (answer.body, answer.field("vary")) == (b"public", None)


def test_only_regular_files_are_served(guarded: StaticSite, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A FIFO nobody writes to does not block, a socket and a directory are 404."""
    os.mkfifo(guarded.root / "fifo")
    short = guarded.root / "s"
    with socket.socket(socket.AF_UNIX) as server:
        working_directory = Path.cwd()
        os.chdir(guarded.root)
        try:
            server.bind("s")
        finally:
            os.chdir(working_directory)
        assert short.is_socket()
        assert [guarded.status(f"/static/{name}") for name in ("fifo", "s", "css")] == [404, 404, 404]


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.EACCES, 404),
        (errno.EPERM, 404),
        (errno.ENXIO, 404),
        (errno.ELOOP, 404),
        (errno.EIO, 503),
        (errno.ENFILE, 503),
    ],
)
def test_what_the_disk_refuses(guarded: StaticSite, monkeypatch: pytest.MonkeyPatch, number: int, status: int) -> None:
    """What visitors may not have is 404 like what is not there; what could not be found out is 503."""

    def refuse(directory: int, path: bytes, name: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "open_beneath", refuse)  # root, who runs tests in containers, is refused nothing
    assert guarded.status("/static/a.svg") == status


def test_running_out_of_descriptors_is_not_absence(guarded: StaticSite) -> None:
    """A file that may well be there is 503, and served again as soon as there are descriptors."""
    guarded.status("/static/css/a.css")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(HTTPError) as error:
            guarded.exchange("/static/a.svg")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (error.value.status, error.value.reason) == (503, "out-of-descriptors")
    assert guarded.status("/static/a.svg") == 200


def test_hints_are_bounded(guarded: StaticSite) -> None:
    """The operator hears why a link is not followed, a few times; visitors cannot fill the log with names."""
    (guarded.root / "out").symlink_to(guarded.root.parent)
    with capture_logs() as lines:
        for number in range(100):
            assert guarded.status(f"/static/out/{number}") == 404
    assert 0 < len(lines) <= 20
    assert lines[0]["cause"] == "its link leaves the directory"


OPENERS: list[Callable[[int, bytes, bytes], int]] = [
    open_beneath,
    lambda directory, path, name: open_in_kernel(directory, name),
    open_resolved,
]


@pytest.mark.parametrize("opener", OPENERS, ids=["both", "openat2", "walk"])
def test_every_way_of_opening_is_confined(guarded: StaticSite, opener: Callable[[int, bytes, bytes], int]) -> None:
    """With and without openat2: inside is opened, outside is EXDEV, a loop is ELOOP, nothing is ENOENT."""
    if opener is OPENERS[1] and not has_openat2():
        pytest.skip("this kernel has no openat2")
    root = guarded.root
    (root / "link").symlink_to("css")
    (root / "out").symlink_to("../secret")
    (root / "loop").symlink_to("loop")
    directory = os.open(root, os.O_PATH)
    try:
        for name in (b"a.svg", b"css/a.css", b"link/a.css"):
            descriptor = opener(directory, bytes(root), name)
            assert os.read(descriptor, 10) == b"public"
            os.close(descriptor)
        expected = {b"out": errno.EXDEV, b"loop": errno.ELOOP, b"none": errno.ENOENT, b"a.svg/x": errno.ENOTDIR}
        for name, number in expected.items():
            with pytest.raises(OSError, match=os.strerror(number)):
                os.close(opener(directory, bytes(root), name))
    finally:
        os.close(directory)
