"""`make demo`, as somebody sees it who has just cloned the project."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.demo_process import DemoProcess

VERSIONS = ("--http1.1", "--http2")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    with DemoProcess(tmp_path_factory.mktemp("demo")) as process:
        yield process


def head_of(answer: str) -> dict[str, str]:
    """Status line (as "") and fields of an answer that `curl -i` has printed."""
    status, *lines = answer.replace("\r\n", "\n").partition("\n\n")[0].split("\n")
    return {"": status, **{name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_page_comes_from_django(demo: DemoProcess, version: str) -> None:
    """The site's page arrives in both protocol versions, with a certificate that the local CA's root vouches for."""
    answer = demo.curl(version, "-i", demo.url("/"))
    assert head_of(answer)[""].startswith("HTTP/2 200" if version == "--http2" else "HTTP/1.1 200")
    assert "notes" in answer.lower()


@pytest.mark.parametrize("version", VERSIONS)
def test_static_files_come_from_disk(demo: DemoProcess, version: str) -> None:
    """The style sheet that the page names has a hash in its name, is immutable, and did not pass through Django."""
    style_sheet = re.search(r'href="(/static/[^"]+\.css)"', demo.curl(demo.url("/")))
    assert style_sheet
    head = head_of(demo.curl(version, "-i", demo.url(style_sheet[1])))
    assert "immutable" in head["cache-control"]
    assert head["content-type"].startswith("text/css")
    assert "x-frame-options" not in head


@pytest.mark.parametrize("version", VERSIONS)
def test_media_files_come_from_disk(demo: DemoProcess, version: str) -> None:
    """An uploaded file is served and not taken for immutable."""
    answer = demo.curl(version, "-i", demo.url("/media/notes/hello.txt"))
    assert "served by edge straight from disk" in answer
    assert "immutable" not in head_of(answer)["cache-control"]


def test_plain_http_leads_to_https(demo: DemoProcess) -> None:
    """Port 80's stand-in answers 308 to the same path and query on the https port."""
    head = head_of(demo.curl("-i", demo.plain_url("/notes/?a=%2F")))
    assert head[""].startswith("HTTP/1.1 308")
    assert head["location"] == demo.url("/notes/?a=%2F")


@pytest.mark.parametrize("version", VERSIONS)
def test_django_knows_about_https(demo: DemoProcess, version: str) -> None:
    """Django takes the request for secure and for one to the host that was asked for, whatever the visitor claims."""
    answer = demo.curl(version, "--header", "X-Forwarded-Proto: http", demo.url("/about-this-request"))
    about = json.loads(answer)
    assert about["secure"] is True
    assert about["url"] == demo.url("/about-this-request")


def test_what_it_tells_to_try_works(demo: DemoProcess) -> None:
    """Each curl line that the demo prints can be pasted."""
    lines = re.findall(r"curl (.+)", demo.output)
    assert lines
    for line in lines:
        demo.curl(*line.split())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM stop edge and gunicorn with status 0, and no process stays."""
    with DemoProcess(tmp_path) as demo:
        assert len(demo.members()) > 3
        assert demo.stop(number) == 0, demo.output
        assert demo.members() == {}
    assert "Traceback" not in demo.output
