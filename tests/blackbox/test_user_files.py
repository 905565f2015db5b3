"""Files through the application (`--internal`) and uploads (`--media`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.blackbox.curl import curl
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.uvicorn_process import UvicornProcess

pytest.importorskip("django_sendfile")

LARGE = bytes(range(256)) * 4096


@pytest.fixture(scope="module", params=["nginx", "xsendfile"])
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    directory = tmp_path_factory.mktemp("files")
    (directory / "a b.txt").write_bytes(b"0123456789")
    (directory / "large.bin").write_bytes(LARGE)
    (directory / "state").mkdir()
    (directory / "page.html").write_bytes(b"<script>alert(1)</script>")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SENDFILE_BACKEND", f"django_sendfile.backends.{request.param}")
        environment.setenv("SENDFILE_ROOT", str(directory))
        with UvicornProcess("tests.blackbox.sendfile_app:application") as application:
            flags = [
                "--upstream",
                application.address,
                "--internal",
                f"/protected={directory}",
                "--media",
                f"/media={directory}",
            ]
            with EdgeProcess(directory / "state", *flags) as running:
                yield running


def test_django_sendfile_works_unchanged(edge: EdgeProcess) -> None:
    """Name, type and cookie are the application's, the bytes the file's."""
    reply = curl(edge, "https://localhost/download/a%20b.txt")
    assert (reply.status, reply.body) == (200, b"0123456789")
    assert reply.field("content-type") == "text/plain"
    assert "own name.bin" in (reply.field("content-disposition") or "")
    assert (reply.field("set-cookie") or "").startswith("seen=1")
    assert reply.field("x-accel-redirect") is None
    assert reply.field("x-sendfile") is None


def test_a_download_can_be_resumed(edge: EdgeProcess) -> None:
    """Ranges of a large file, whole and in part."""
    assert curl(edge, "https://localhost/download/large.bin").body == LARGE
    part = curl(edge, "https://localhost/download/large.bin", "-r", "1000-500000")
    assert (part.status, part.body) == (206, LARGE[1000:500001])


def test_nobody_gets_the_file_without_the_application(edge: EdgeProcess) -> None:
    """The prefix leads to the application like any other path."""
    assert curl(edge, "https://localhost/protected/a%20b.txt").status == 404


def test_an_upload_is_harmless(edge: EdgeProcess) -> None:
    """A page that a user has uploaded is saved, not run."""
    reply = curl(edge, "https://localhost/media/page.html")
    assert reply.status == 200
    assert reply.field("content-disposition") == "attachment"
    assert reply.field("content-security-policy") == "sandbox; default-src 'none'"
